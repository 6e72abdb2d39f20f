package dev.unifiedllm.protocol.anthropic

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
import dev.unifiedllm.protocol.pages
import dev.unifiedllm.protocol.positive
import dev.unifiedllm.protocol.string
import dev.unifiedllm.protocol.to
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import java.time.Instant
import java.time.format.DateTimeParseException

/** The fields of a request that the count takes: the others are refused. */
private val COUNTED = setOf("model", "messages", "system", "tools", "tool_choice", "thinking")

/** `POST …/messages/count_tokens` ([docs.anthropic.com](https://docs.anthropic.com/en/api/messages-count-tokens), read 2026-11-26). */
internal fun anthropicCounter(codec: Codec<ChatRequest>) = TokenCounter { request, target, exchange ->
    val (encoded, body) = codec.encoded(request, target)
    counted(exchange.send(encoded.to(JsonObject(body.filterKeys { it in COUNTED })) { "$it/count_tokens" }))
}

/** `POST …/models/count-tokens:rawPredict`, where the model is a field of the body. */
internal fun anthropicVertexCounter(codec: Codec<ChatRequest>) = TokenCounter { request, target, exchange ->
    val (encoded, body) = codec.encoded(request, target)
    val counted = body.filterKeys { it in COUNTED } + ("model" to JsonPrimitive(target.name))
    counted(exchange.send(encoded.to(JsonObject(counted)) { it.substringBeforeLast("/models/") + "/models/count-tokens:rawPredict" }))
}

private fun counted(json: JsonElement) = json.number("input_tokens")?.let { CountedTokens(it) }

/** `GET …/v1/models`, a page after the other ([docs.anthropic.com](https://docs.anthropic.com/en/api/models-list), read 2026-11-26). */
internal fun anthropicModels(version: Map<String, String>) = ModelList { target, exchange ->
    val url = messagesUrl(target.baseUrl).removeSuffix("/messages") + "/models"
    pages(target, exchange, { cursor -> getJson(target, url, PAGE + listOfNotNull(cursor?.let { "after_id" to it }), version) }) { page, models ->
        page.listed(target, "data").mapNotNullTo(models, ::model)
        page.string("last_id").takeIf { ((page as? JsonObject)?.get("has_more") as? JsonPrimitive)?.booleanOrNull == true }
    }
}

private val PAGE = mapOf("limit" to "1000")

private fun model(json: JsonObject): ListedModel? = json.string("id")?.let { name ->
    val created = json.string("created_at")?.let(::seconds)
    ListedModel(name, json.string("display_name"), created, json.positive("max_input_tokens"), json.positive("max_tokens"))
}

/** Null for a day that is not known: the list has 1970 then. */
private fun seconds(time: String): Long? = try {
    Instant.parse(time).epochSecond.takeIf { it > 0 }
} catch (_: DateTimeParseException) {
    null
}
