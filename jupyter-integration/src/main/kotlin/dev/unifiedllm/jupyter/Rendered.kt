package dev.unifiedllm.jupyter

/** The output of a cell: HTML for notebook front ends, plain text for others. */
internal class Rendered(val html: String, val text: String)

/** The style sheet. Every output has it, because a saved notebook may keep only some of the outputs. */
internal val style: String by lazy {
    val css = checkNotNull(Rendered::class.java.getResourceAsStream("/dev/unifiedllm/jupyter/card.css")) { "the jar lacks card.css" }
        .use { it.readBytes().decodeToString() }
    "<style>" + css.lineSequence().joinToString("") { it.trim() } + "</style>"
}
