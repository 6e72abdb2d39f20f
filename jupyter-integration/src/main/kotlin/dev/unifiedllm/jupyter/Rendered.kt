package dev.unifiedllm.jupyter

/** The output of a cell: HTML for notebook front ends, plain text for others. */
internal class Rendered(val html: String, val text: String) {
    companion object {
        /** A cell with this value shows no output for it. */
        val NOTHING = Rendered("", "")
    }
}
