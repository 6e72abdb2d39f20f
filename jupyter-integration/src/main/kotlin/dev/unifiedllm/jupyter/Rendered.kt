package dev.unifiedllm.jupyter

/** What a cell shows: HTML for front ends, plain text for everything else. */
internal class Rendered(val html: String, val text: String)

/** The look of our outputs. It goes with each of them: a saved cell stands alone. */
internal val style: String by lazy {
    val css = checkNotNull(Rendered::class.java.getResourceAsStream("/dev/unifiedllm/jupyter/card.css")) { "the jar lacks card.css" }
        .use { it.readBytes().decodeToString() }
    "<style>" + css.lineSequence().joinToString("") { it.trim() } + "</style>"
}
