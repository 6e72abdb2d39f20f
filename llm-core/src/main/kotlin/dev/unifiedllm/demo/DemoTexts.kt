package dev.unifiedllm.demo

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Role
import java.util.Base64

/** The text of the user's last message. */
internal val ChatRequest.prompt: String get() = messages.lastOrNull { it.role == Role.USER }?.text.orEmpty()

private const val QUOTE = 80

/** The beginning of [text], to be quoted. */
internal fun quoted(text: String): String = text.trim().let { if (it.length <= QUOTE) it else it.take(QUOTE).trimEnd(Char::isHighSurrogate) }

internal fun story(prompt: String): String {
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

private val HEROES = listOf("a lighthouse keeper", "a young clockmaker", "the ferryman", "a patient heron", "the baker’s daughter")
private val PLACES = listOf("a harbour town", "the valley of mills", "a city of canals", "the northern islands")

internal fun steps(prompt: String): String {
    val known = computed(prompt)?.steps ?: "Only this script. So the answer is the one that the script has."
    return "First, what is the request? “${quoted(prompt)}” Then, what is known? $known"
}

internal fun slowText(prompt: String): String =
    "The demo model takes its time with “${quoted(prompt)}”: two seconds before the first word, then eight words a second. " +
        "No language model runs here. Stop it whenever you like; what has arrived is kept."

internal fun researchText(prompt: String): String {
    val words = keywords(prompt).ifEmpty { listOf("this") }
    return "The demo model has read nothing about ${words.joinToString(" and ") { "**$it**" }}: no language model runs here, and no search. " +
        "The sources below are made up, to show where the sources of a response stand."
}

internal fun sources(prompt: String): List<Delta> = keywords(prompt).ifEmpty { listOf("nothing") }.map { word ->
    Delta.Source("https://example.org/${word.lowercase().filter { it in 'a'..'z' || it in '0'..'9' }}", "An example page about $word (made up)")
}

internal fun drawing(prompt: String): Delta {
    val png = demoImage(prompt, seed = 0, WIDTH, HEIGHT)
    return Delta.Media("image/png", "data:image/png;base64,${Base64.getEncoder().encodeToString(png)}")
}

private const val WIDTH = 320
private const val HEIGHT = 200
