package dev.unifiedllm.protocol.openai

/** What the provider ran for a response beside the model, and bills apart from the tokens. */
internal class ServerTools {
    /** The web searches; null if there were none. Opening a page and searching in it cost nothing. */
    var webSearches: Long? = null
        private set

    /** What has no price in a table, such as `file searches`; null if nothing has. */
    var unpriced: String? = null
        private set

    fun add(item: ResponseItem) {
        val type = item.type ?: return
        if (type == "web_search_call") {
            if (item.action == null || item.action == "search") webSearches = (webSearches ?: 0) + 1
        } else {
            unpriced = unpriced ?: BILLED_APART[type]
        }
    }

    private companion object {
        val BILLED_APART = mapOf(
            "file_search_call" to "file searches",
            "code_interpreter_call" to "the code interpreter",
            "image_generation_call" to "images of another model",
        )
    }
}
