package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.CountedTokens
import dev.unifiedllm.protocol.TokenCounter
import dev.unifiedllm.protocol.encoded
import dev.unifiedllm.protocol.number
import dev.unifiedllm.protocol.string
import dev.unifiedllm.protocol.to
import dev.unifiedllm.provider.Provider.TokenCounts
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.isRunByUser
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/** The fields of a request that the count takes. */
private val COUNTED = setOf("model", "input", "instructions", "tools", "tool_choice", "reasoning", "text", "parallel_tool_calls")

/** OpenAI's `POST …/responses/input_tokens` (platform.openai.com/docs/api-reference/responses/input-tokens, read 2026-11-26). */
private val inputTokensCounter = TokenCounter { request, target, exchange ->
    val (encoded, body) = OpenAiResponses.encoded(request, target)
    exchange.send(encoded.to(JsonObject(body.filterKeys { it in COUNTED })) { "$it/input_tokens" }).number("input_tokens")?.let { CountedTokens(it) }
}

/**
 * LiteLLM's `POST /utils/token_counter` ([docs.litellm.ai](https://docs.litellm.ai/docs/count_tokens), read 2026-11-26). It asks the provider if that can count
 * (`tokenizer_type` then ends with `_api`), and else counts itself.
 */
private val liteLlmCounter = TokenCounter { request, target, exchange ->
    val (encoded, body) = OpenAiChat.encoded(request, target)
    val counted = encoded.to(JsonObject(body.filterKeys { it == "model" || it == "messages" || it == "tools" })) {
        root(target) + "/utils/token_counter"
    }
    val json = exchange.send(counted)
    json.number("total_tokens")?.let { CountedTokens(it, isEstimated = json.string("tokenizer_type")?.endsWith("_api") != true) }
}

/**
 * `POST /tokenize` of servers that users run. vLLM takes messages and returns a count
 * ([docs.vllm.ai](https://docs.vllm.ai/en/latest/serving/openai_compatible_server/)).
 * llama.cpp returns no count for them: it applies the template and splits the prompt, by two requests
 * ([llama.cpp](https://github.com/ggml-org/llama.cpp/tree/master/tools/server), both read 2026-11-26). For an image, llama.cpp's template and
 * vLLM up to 0.16 (github.com/vllm-project/vllm/pull/35834, read 2026-11-26) have a placeholder only, so that images are taken as not counted.
 */
private val serverCounter = TokenCounter { request, target, exchange ->
    val (encoded, body) = OpenAiChat.encoded(request, target)
    val messages = JsonObject(body.filterKeys { it == "model" || it == "messages" || it == "tools" })
    val root = root(target)
    val answer = exchange.send(encoded.to(messages) { "$root/tokenize" })
    answer.number("count")?.let { return@TokenCounter CountedTokens(it, hasMedia = false) }
    val prompt = exchange.send(encoded.to(messages) { "$root/apply-template" }).string("prompt") ?: return@TokenCounter null
    val text = buildJsonObject {
        put("content", prompt)
        put("add_special", true)
        put("parse_special", true)
    }
    val tokens = (exchange.send(encoded.to(text) { "$root/tokenize" }) as? JsonObject)?.get("tokens") as? JsonArray
    tokens?.let { CountedTokens(it.size.toLong(), hasMedia = false) }
}

private fun root(target: Target) = target.baseUrl.removeSuffix("/v1")

/** The counter at [target]; null for a host that has none. A server of the user's is tried: it may be llama.cpp or vLLM. */
internal fun openAiCounter(target: Target): TokenCounter? = when (target.provider.tokenCounts) {
    TokenCounts.RESPONSES -> inputTokensCounter
    TokenCounts.LITELLM -> liteLlmCounter
    null -> serverCounter.takeIf { target.isRunByUser }
}

/** The counter at [target] of the Responses wire, which has one of its own. */
internal fun responsesCounter(target: Target): TokenCounter =
    if (target.provider.tokenCounts == TokenCounts.LITELLM) liteLlmCounter else inputTokensCounter
