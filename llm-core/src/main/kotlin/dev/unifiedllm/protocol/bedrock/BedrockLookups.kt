package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.CountedTokens
import dev.unifiedllm.protocol.ListedModel
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.TokenCounter
import dev.unifiedllm.protocol.encoded
import dev.unifiedllm.protocol.getJson
import dev.unifiedllm.protocol.listed
import dev.unifiedllm.protocol.number
import dev.unifiedllm.protocol.string
import dev.unifiedllm.protocol.to
import kotlinx.serialization.json.JsonObject

/** The fields of a request that the count takes. */
private val COUNTED = setOf("messages", "system", "toolConfig")

/**
 * `POST /model/{id}/count-tokens`
 * ([docs.aws.amazon.com](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html), read 2026-11-26).
 */
internal fun bedrockCounter(codec: Codec<ChatRequest>) = TokenCounter { request, target, exchange ->
    val (encoded, body) = codec.encoded(request, target)
    val converse = JsonObject(mapOf("converse" to JsonObject(body.filterKeys { it in COUNTED })))
    val json = exchange.send(encoded.to(JsonObject(mapOf("input" to converse))) { it.removeSuffix("/converse") + "/count-tokens" })
    json.number("inputTokens")?.let { CountedTokens(it) }
}

/**
 * `GET /foundation-models` of the service that manages models, which has one page
 * ([docs.aws.amazon.com](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html), read 2026-11-26). It names no inference
 * profiles.
 */
internal val bedrockModels = ModelList { target, exchange ->
    val url = target.baseUrl.replace("://bedrock-runtime", "://bedrock") + "/foundation-models"
    exchange.send(getJson(target, url)).listed(target, "modelSummaries").mapNotNull { model ->
        model.string("modelId")?.let { ListedModel(it, model.string("modelName")) }
    }
}
