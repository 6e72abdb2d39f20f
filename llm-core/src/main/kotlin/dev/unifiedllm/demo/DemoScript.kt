package dev.unifiedllm.demo

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull

/** How one of the demo models behaves. */
internal class DemoScript(
    val answer: (question: String) -> String,
    val thought: (question: String) -> String = {
        "The demo model has nothing to think about, but a reasoning model would show its thoughts here. " +
            it.take(QUOTE)
    },
    val thinks: Boolean = false,
    val callsTools: Boolean = false,
    val fails: Boolean = false,
    val isCut: Boolean = false,
) {
    internal companion object {
        private const val QUOTE = 80

        private val all: Map<String, DemoScript> = mapOf(
            "echo" to DemoScript({ "The demo model echoes: $it" }),
            "storyteller" to DemoScript(::story),
            "reasoner" to
                DemoScript({ "This is the demo model: no language model runs here.\n\nMy **answer**, after some thought, is 42." }, ::steps, thinks = true),
            "tools" to
                DemoScript({ "This is the demo model. The tools have answered; a language model would now put their results into words." }, callsTools = true),
            "error" to DemoScript({ "" }, fails = true),
            "cut" to
                DemoScript({
                    "This is the demo model. This sentence will not be finished because the connection breaks in the middle of it, as it sometimes does."
                }, isCut = true),
        )

        val names: List<String> get() = all.keys.toList()

        fun named(name: String): DemoScript? = all[name]

        private fun story(question: String): String {
            val hero = HEROES[question.hashCode().mod(HEROES.size)]
            val place = PLACES[(question.hashCode() / HEROES.size).mod(PLACES.size)]
            val topic = question.trim().lineSequence().firstOrNull()?.take(QUOTE)?.ifEmpty { null } ?: "nothing at all"
            return "*This is the demo model: it tells a prepared story, and no language model runs here.*\n\n" +
                "Once upon a time, $hero in $place was asked: “$topic”\n\n" +
                "Nobody there knew, so $hero set out to learn it. The road went over three hills:\n\n" +
                "1. on the first, the wind knew half of the answer;\n" +
                "2. on the second, an old map knew the other half;\n" +
                "3. on the third, both halves `met` and made **one** good story.\n\n" +
                "And when the story came home, it came word by word, just as this one did."
        }

        private fun steps(question: String): String =
            "First, what is asked? “${question.trim().take(
                QUOTE,
            )}” Then, what is known? Only what stands in this script. So the answer can only be the one that is prepared."

        private val HEROES = listOf("a lighthouse keeper", "a young clockmaker", "the ferryman", "a patient heron", "the baker’s daughter")
        private val PLACES = listOf("a harbour town", "the valley of mills", "a city of canals", "the northern islands")
    }
}

/** Arguments that fit [schema], as a model might choose them. */
internal fun exampleArguments(schema: JsonObject): String {
    val properties = schema["properties"] as? JsonObject ?: return "{}"
    return JsonObject(properties.mapValues { (name, property) -> example(name, property) }).toString()
}

private fun example(name: String, property: JsonElement): JsonElement {
    val schema = property as? JsonObject ?: return JsonPrimitive(name)
    (schema["enum"] as? JsonArray)?.firstOrNull()?.let { return it }
    return when ((schema["type"] as? JsonPrimitive)?.contentOrNull) {
        "integer", "number" -> JsonPrimitive(1)
        "boolean" -> JsonPrimitive(true)
        "array" -> JsonArray(emptyList())
        "object" -> JsonObject(emptyMap())
        else -> JsonPrimitive(name)
    }
}
