package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.tokens

/** The calls of tools that xAI ran for a response, as its usage counts them. The last counts are those of the response. */
internal class CountedTools {
    /** The calls of all tools; null if they are not counted together. */
    var all: Long? = null

    /** The web searches; null if there were none. */
    var webSearches: Long? = null
        private set

    /** The calls of remote MCP servers, of which only the tokens are billed. */
    private var free = 0L
    private var others = 0L

    /** Reads the object that has a member with a count for each tool. */
    fun readDetails(json: JsonCursor) {
        if (!json.enterObject()) return
        others = 0
        while (true) {
            val tool = json.next(Tool)
            if (tool == JsonNames.END) return
            val count = json.tokens() ?: 0
            when (tool) {
                Tool.WEB_SEARCH_CALLS -> webSearches = count.takeIf { it > 0 }
                Tool.MCP_CALLS -> free = count
                else -> others += count
            }
        }
    }

    /** True if tools beside the web search were billed. @param shownSearches the web searches that the response shows */
    fun hasOthers(shownSearches: Long?): Boolean = others > 0 || (all ?: 0) > free + (webSearches ?: shownSearches ?: 0)

    private object Tool : JsonNames("web_search_calls", "mcp_calls") {
        const val WEB_SEARCH_CALLS = 0
        const val MCP_CALLS = 1
    }
}
