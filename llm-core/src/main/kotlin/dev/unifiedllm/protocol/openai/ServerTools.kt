package dev.unifiedllm.protocol.openai

/** What the provider ran for a response beside the model, and bills apart from the tokens. */
internal class ServerTools {
    /** The web searches; null if there were none. Opening a page and searching in it cost nothing. */
    var webSearches: Long? = null
        private set

    /** What has no price in a table, such as `file searches`; null if nothing has. */
    var unpriced: String? = null
        private set

    /**
     * Counts a run of the tool with items of [type]. A run that failed counts too: the provider does not say that it is free.
     *
     * @param action what a web search did; null if it does not say, which counts as a search
     */
    fun add(type: String?, action: String?) {
        if (type == null) return
        if (type == WEB_SEARCH) {
            if (action == null || action == "search") webSearches = (webSearches ?: 0) + 1
        } else {
            unpriced = unpriced ?: BILLED_APART[type]
        }
    }

    /** Notes that two events may tell of one web search or of two. */
    fun countIsUnclear() {
        if (webSearches != null) unpriced = unpriced ?: "web searches whose number is not clear"
    }

    companion object {
        const val WEB_SEARCH: String = "web_search_call"

        private val BILLED_APART = mapOf(
            "file_search_call" to "file searches",
            "code_interpreter_call" to "the code interpreter",
            "image_generation_call" to "images of another model",
        )

        /** True if a tool whose items have this [type] is billed apart. */
        fun isBilled(type: String): Boolean = type == WEB_SEARCH || type in BILLED_APART
    }
}
