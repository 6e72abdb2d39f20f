package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.get
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.longOrNull

/** Anthropic's usage as its documentation defines it: `input_tokens` leaves out cache reads and writes. */
internal fun anthropicUsage(raw: JsonElement?): Usage {
    fun count(name: String, from: JsonElement? = raw) = (from[name] as? JsonPrimitive)?.longOrNull
    val read = count("cache_read_input_tokens")
    val written = count("cache_creation_input_tokens")
    return Usage.build {
        inputTokens = count("input_tokens")!! + (read ?: 0) + (written ?: 0)
        outputTokens = count("output_tokens")
        cacheReadTokens = read
        cacheWriteTokens = written
        cacheWrite5mTokens = count("ephemeral_5m_input_tokens", raw["cache_creation"])
        cacheWrite1hTokens = count("ephemeral_1h_input_tokens", raw["cache_creation"])
        reasoningTokens = count("thinking_tokens", raw["output_tokens_details"])
    }
}
