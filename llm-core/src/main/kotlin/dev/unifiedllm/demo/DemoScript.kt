package dev.unifiedllm.demo

/** What requests a demo model takes. @property words for messages @property example a model that takes them */
internal enum class DemoKind(val words: String, val example: String) {
    CHAT("chat requests", "echo"),
    EMBEDDINGS("requests for embeddings", "embedder"),
    IMAGES("requests for images", "painter"),
}

/** How one of the demo models behaves. */
internal class DemoScript(
    val text: (prompt: String) -> String,
    val reasoning: (prompt: String) -> String = {
        "The demo model does not reason. A reasoning model would show its reasoning here, about “${it.trim().take(QUOTE)}”."
    },
    val reasons: Boolean = false,
    val callsTools: Boolean = false,
    val fails: Boolean = false,
    val isCut: Boolean = false,
    val kind: DemoKind = DemoKind.CHAT,
) {
    internal companion object {
        private const val QUOTE = 80

        private val all: Map<String, DemoScript> = mapOf(
            "echo" to DemoScript({ "The demo model echoes: $it" }),
            "storyteller" to DemoScript(::story),
            "reasoner" to
                DemoScript({ "This is the demo model: no language model runs here.\n\nAfter some reasoning, my **answer** is 42." }, ::steps, reasons = true),
            "tools" to
                DemoScript({
                    "This is the demo model. It has the results of the tools; a language model would now write an answer from them."
                }, callsTools = true),
            "error" to DemoScript({ "" }, fails = true),
            "cut" to
                DemoScript({
                    "This is the demo model. You cannot read the end of this sentence because the connection is lost in the middle of it."
                }, isCut = true),
            "embedder" to DemoScript({ "" }, kind = DemoKind.EMBEDDINGS),
            "painter" to DemoScript({ "" }, kind = DemoKind.IMAGES),
        )

        val names: List<String> get() = all.keys.toList()

        fun named(name: String): DemoScript? = all[name]

        private fun story(prompt: String): String {
            val hero = HEROES[prompt.hashCode().mod(HEROES.size)]
            val place = PLACES[(prompt.hashCode() / HEROES.size).mod(PLACES.size)]
            val topic = prompt.trim().lineSequence().firstOrNull()?.take(QUOTE)?.ifEmpty { null } ?: "nothing at all"
            return "*This is the demo model: it tells a prepared story, and no language model runs here.*\n\n" +
                "Once upon a time, $hero in $place was asked: “$topic”\n\n" +
                "Nobody there knew, so $hero set out to learn it. The road went over three hills:\n\n" +
                "1. on the first, the wind knew half of the answer;\n" +
                "2. on the second, an old map knew the other half;\n" +
                "3. on the third, both halves `met` and made **one** good story.\n\n" +
                "And when the story came home, it came word by word, just as this one did."
        }

        private fun steps(prompt: String): String =
            "First, what is the request? “${prompt.trim().take(QUOTE)}” " +
                "Then, what is known? Only this script. So the answer is the one that the script has."

        private val HEROES = listOf("a lighthouse keeper", "a young clockmaker", "the ferryman", "a patient heron", "the baker’s daughter")
        private val PLACES = listOf("a harbour town", "the valley of mills", "a city of canals", "the northern islands")
    }
}
