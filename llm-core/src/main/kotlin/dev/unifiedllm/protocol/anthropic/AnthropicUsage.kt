package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.protocol.CachedUsage
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

/** Reads Anthropic's `usage` object. True if it has output tokens. */
internal fun CachedUsage.readAnthropic(json: JsonCursor): Boolean {
    var hasOutput = false
    json.members(AnthropicUsage) { member ->
        when (member) {
            AnthropicUsage.INPUT_TOKENS -> input = json.tokens(input)
            AnthropicUsage.OUTPUT_TOKENS -> json.tokens()?.let {
                hasOutput = true
                if (it != 0L || output == null) output = it
            }
            AnthropicUsage.CACHE_READ_INPUT_TOKENS -> read = json.tokens(read)
            AnthropicUsage.CACHE_CREATION_INPUT_TOKENS -> written = json.tokens(written)
            AnthropicUsage.CACHE_CREATION, AnthropicUsage.OUTPUT_TOKENS_DETAILS -> details(json)
            AnthropicUsage.SERVER_TOOL_USE -> serverTools(json)
            AnthropicUsage.SERVICE_TIER -> serviceTier = json.stringOrNull() ?: serviceTier
            AnthropicUsage.ITERATIONS -> iterations(json)
            AnthropicUsage.SPEED, AnthropicUsage.INFERENCE_GEO -> json.stringOrNull()?.lowercase()?.let { if (it !in USUAL) conditions += it }
        }
    }
    return hasOutput
}

private fun CachedUsage.details(json: JsonCursor) {
    json.members(AnthropicUsageDetails) { member ->
        when (member) {
            AnthropicUsageDetails.EPHEMERAL_5M_INPUT_TOKENS -> written5m = json.tokens(written5m)
            AnthropicUsageDetails.EPHEMERAL_1H_INPUT_TOKENS -> written1h = json.tokens(written1h)
            AnthropicUsageDetails.THINKING_TOKENS -> reasoning = json.tokens(reasoning)
        }
    }
}

/**
 * Reads the requests that the server made for a response, which it bills one by one
 * ([platform.claude.com](https://platform.claude.com/docs/en/build-with-claude/compaction), read 2026-11-27). An adviser may be another model.
 */
private fun CachedUsage.iterations(json: JsonCursor) {
    val found = mutableListOf<CachedUsage.Step>()
    json.elements {
        val step = CachedUsage()
        var type: String? = null
        var model: String? = null
        json.members(Iteration) { member ->
            when (member) {
                Iteration.TYPE -> type = json.stringOrNull()
                Iteration.MODEL -> model = json.stringOrNull()?.ifEmpty { null }
                Iteration.INPUT_TOKENS -> step.input = json.tokens()
                Iteration.OUTPUT_TOKENS -> step.output = json.tokens()
                Iteration.CACHE_READ_INPUT_TOKENS -> step.read = json.tokens()
                Iteration.CACHE_CREATION_INPUT_TOKENS -> step.written = json.tokens()
                Iteration.CACHE_CREATION -> step.details(json)
            }
        }
        if (type !in STEPS) unpriced = unpriced ?: "the totals leave out a step of the server (\"$type\"), which may be billed"
        if (type == ADVISOR && model == null) unpriced = unpriced ?: "the provider did not report the model of the adviser"
        found += CachedUsage.Step(type, model.takeIf { type == ADVISOR }, step.usage())
    }
    if (found.isNotEmpty()) steps = found
}

private const val ADVISOR = "advisor_message"
private val STEPS = setOf(null, "message", "compaction", ADVISOR)

/** Reads how often each tool ran at the server. Fetched pages and searches for tools have no fee. */
private fun CachedUsage.serverTools(json: JsonCursor) {
    if (!json.enterObject()) return
    while (true) {
        when (json.next(ServerToolUse)) {
            ServerToolUse.WEB_SEARCH_REQUESTS -> webSearches = json.tokens(webSearches)
            ServerToolUse.CODE_EXECUTION_REQUESTS -> if ((json.tokens() ?: 0) > 0) unpriced = NO_PRICE_FOR_CODE
            ServerToolUse.WEB_FETCH_REQUESTS, ServerToolUse.TOOL_SEARCH_REQUESTS -> json.skip()
            JsonNames.END -> return
            else -> if ((json.tokens() ?: 0) > 0) unpriced = unpriced ?: "no price is known for the tools that the provider ran"
        }
    }
}

/** Why a response with code that the server ran has no price: it is billed by the time that the container is used. */
internal const val NO_PRICE_FOR_CODE: String = "no price is known for the execution of code"

/** Speeds and places without a price of their own. */
private val USUAL = setOf("", "standard", "global", "not_available")

private object AnthropicUsage : JsonNames(
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
    "speed",
    "inference_geo",
    "iterations",
) {
    const val INPUT_TOKENS = 0
    const val OUTPUT_TOKENS = 1
    const val CACHE_READ_INPUT_TOKENS = 2
    const val CACHE_CREATION_INPUT_TOKENS = 3
    const val CACHE_CREATION = 4
    const val OUTPUT_TOKENS_DETAILS = 5
    const val SERVER_TOOL_USE = 6
    const val SERVICE_TIER = 7
    const val SPEED = 8
    const val INFERENCE_GEO = 9
    const val ITERATIONS = 10
}

private object Iteration : JsonNames(
    "type",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
) {
    const val TYPE = 0
    const val MODEL = 1
    const val INPUT_TOKENS = 2
    const val OUTPUT_TOKENS = 3
    const val CACHE_READ_INPUT_TOKENS = 4
    const val CACHE_CREATION_INPUT_TOKENS = 5
    const val CACHE_CREATION = 6
}

private object AnthropicUsageDetails :
    JsonNames("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "thinking_tokens") {
    const val EPHEMERAL_5M_INPUT_TOKENS = 0
    const val EPHEMERAL_1H_INPUT_TOKENS = 1
    const val THINKING_TOKENS = 2
}

private object ServerToolUse : JsonNames("web_search_requests", "web_fetch_requests", "code_execution_requests", "tool_search_requests") {
    const val WEB_SEARCH_REQUESTS = 0
    const val WEB_FETCH_REQUESTS = 1
    const val CODE_EXECUTION_REQUESTS = 2
    const val TOOL_SEARCH_REQUESTS = 3
}
