package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.protocol.CachedUsage

/** The tools that the server ran, as the blocks of a message show them. Some servers do not count them in the usage. */
internal class AnthropicServerTools {
    private var searches = 0L
    private var results = 0L
    private var failures = 0L
    private var ranCode = false

    /** Notes a block that is no content of the response. */
    fun note(block: AnthropicBlock) {
        val tool = if (block.type == USE) block.name.orEmpty() else block.type
        when {
            tool == SEARCH -> searches++
            tool == SEARCH_RESULT -> {
                results++
                if (block.hasFailed) failures++
            }
            CODE in tool -> ranCode = true
        }
    }

    /** Adds to [usage] what it leaves out. Failed searches are not billed. */
    fun addTo(usage: CachedUsage) {
        val shown = maxOf(searches, results) - failures
        if (shown > (usage.webSearches ?: 0)) usage.webSearches = shown
        if (ranCode) usage.unpriced = NO_PRICE_FOR_CODE
    }

    private companion object {
        const val USE = "server_tool_use"
        const val SEARCH = "web_search"
        const val SEARCH_RESULT = "web_search_tool_result"

        /** In the names of all tools that run code, and in the types of their results. */
        const val CODE = "code_execution"
    }
}
