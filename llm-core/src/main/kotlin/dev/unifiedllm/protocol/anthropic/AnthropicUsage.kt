package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.protocol.CachedUsage
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

/** Reads Anthropic's `usage` object. */
internal fun CachedUsage.readAnthropic(json: JsonCursor) {
    json.members(AnthropicUsage) { member ->
        when (member) {
            AnthropicUsage.INPUT_TOKENS -> input = json.tokens() ?: input
            AnthropicUsage.OUTPUT_TOKENS -> output = json.tokens() ?: output
            AnthropicUsage.CACHE_READ_INPUT_TOKENS -> read = json.tokens() ?: read
            AnthropicUsage.CACHE_CREATION_INPUT_TOKENS -> written = json.tokens() ?: written
            AnthropicUsage.CACHE_CREATION, AnthropicUsage.OUTPUT_TOKENS_DETAILS -> details(json)
        }
    }
}

private fun CachedUsage.details(json: JsonCursor) {
    json.members(AnthropicUsageDetails) { member ->
        when (member) {
            AnthropicUsageDetails.EPHEMERAL_5M_INPUT_TOKENS -> written5m = json.tokens() ?: written5m
            AnthropicUsageDetails.EPHEMERAL_1H_INPUT_TOKENS -> written1h = json.tokens() ?: written1h
            AnthropicUsageDetails.THINKING_TOKENS -> reasoning = json.tokens() ?: reasoning
        }
    }
}

private object AnthropicUsage : JsonNames(
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens_details",
) {
    const val INPUT_TOKENS = 0
    const val OUTPUT_TOKENS = 1
    const val CACHE_READ_INPUT_TOKENS = 2
    const val CACHE_CREATION_INPUT_TOKENS = 3
    const val CACHE_CREATION = 4
    const val OUTPUT_TOKENS_DETAILS = 5
}

private object AnthropicUsageDetails : JsonNames("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "thinking_tokens") {
    const val EPHEMERAL_5M_INPUT_TOKENS = 0
    const val EPHEMERAL_1H_INPUT_TOKENS = 1
    const val THINKING_TOKENS = 2
}
