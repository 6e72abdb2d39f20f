package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.protocol.CachedUsage
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

/** Reads Converse's `usage`, whose totalTokens shows that the input leaves out the cache. */
internal fun CachedUsage.readConverse(json: JsonCursor) {
    json.members(USAGE) { member ->
        when (member) {
            0 -> input = json.tokens() ?: input
            1 -> output = json.tokens() ?: output
            2 -> read = json.tokens() ?: read
            3 -> written = json.tokens() ?: written
            4 -> json.elements { detail(json) }
        }
    }
}

private fun CachedUsage.detail(json: JsonCursor) {
    var ttl: String? = null
    var tokens: Long? = null
    json.members(DETAIL) { member -> if (member == 0) ttl = json.stringOrNull() else tokens = json.tokens() }
    if (ttl == "5m") written5m = tokens
    if (ttl == "1h") written1h = tokens
}

private val USAGE = JsonNames("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "cacheDetails")
private val DETAIL = JsonNames("ttl", "inputTokens")
