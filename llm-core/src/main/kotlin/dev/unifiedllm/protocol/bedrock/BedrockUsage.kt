package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.protocol.CachedUsage
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

/** Reads Converse's `usage` object. Its `inputTokens` leave out the tokens of the cache, as `totalTokens` shows. */
internal fun CachedUsage.readConverse(json: JsonCursor) {
    json.members(ConverseUsage) { member ->
        when (member) {
            ConverseUsage.INPUT_TOKENS -> input = json.tokens(input)
            ConverseUsage.OUTPUT_TOKENS -> output = json.tokens(output)
            ConverseUsage.CACHE_READ_INPUT_TOKENS -> read = json.tokens(read)
            ConverseUsage.CACHE_WRITE_INPUT_TOKENS -> written = json.tokens(written)
            ConverseUsage.CACHE_DETAILS -> json.elements { cacheDetail(json) }
        }
    }
}

private fun CachedUsage.cacheDetail(json: JsonCursor) {
    var ttl: String? = null
    var tokens: Long? = null
    json.members(CacheDetail) { member ->
        when (member) {
            CacheDetail.TTL -> ttl = json.stringOrNull()
            CacheDetail.INPUT_TOKENS -> tokens = json.tokens()
        }
    }
    if (ttl == "5m" && tokens != 0L) written5m = tokens ?: written5m
    if (ttl == "1h" && tokens != 0L) written1h = tokens ?: written1h
}

private object ConverseUsage : JsonNames("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "cacheDetails") {
    const val INPUT_TOKENS = 0
    const val OUTPUT_TOKENS = 1
    const val CACHE_READ_INPUT_TOKENS = 2
    const val CACHE_WRITE_INPUT_TOKENS = 3
    const val CACHE_DETAILS = 4
}

private object CacheDetail : JsonNames("ttl", "inputTokens") {
    const val TTL = 0
    const val INPUT_TOKENS = 1
}
