package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.protocol.CachedUsage
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

/** Reads Anthropic's `usage`. */
internal fun CachedUsage.readAnthropic(json: JsonCursor) {
    json.members(USAGE) { member ->
        when (member) {
            0 -> input = json.tokens() ?: input
            1 -> output = json.tokens() ?: output
            2 -> read = json.tokens() ?: read
            3 -> written = json.tokens() ?: written
            4, 5 -> details(json)
        }
    }
}

private fun CachedUsage.details(json: JsonCursor) {
    json.members(DETAILS) { member ->
        when (member) {
            0 -> written5m = json.tokens() ?: written5m
            1 -> written1h = json.tokens() ?: written1h
            2 -> reasoning = json.tokens() ?: reasoning
        }
    }
}

private val USAGE = JsonNames(
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens_details",
)
private val DETAILS = JsonNames("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "thinking_tokens")
