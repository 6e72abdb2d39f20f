package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.CountedTokens
import dev.unifiedllm.protocol.ListedModel
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.TokenCounter
import dev.unifiedllm.protocol.encoded
import dev.unifiedllm.protocol.getJson
import dev.unifiedllm.protocol.number
import dev.unifiedllm.protocol.objects
import dev.unifiedllm.protocol.pages
import dev.unifiedllm.protocol.positive
import dev.unifiedllm.protocol.string
import dev.unifiedllm.protocol.to
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** The fields that Vertex AI counts. */
private val COUNTED = setOf("contents", "systemInstruction", "tools", "generationConfig")

/** `POST …/models/{model}:countTokens` ([ai.google.dev](https://ai.google.dev/api/tokens), read 2026-11-26): the whole request is a field of the body. */
internal fun geminiCounter(codec: Codec<ChatRequest>) = TokenCounter { request, target, exchange ->
    val (encoded, body) = codec.encoded(request, target)
    val name = target.name.removePrefix("models/").let { if (it.startsWith("tunedModels/")) it else "models/$it" }
    val counted = JsonObject(mapOf("generateContentRequest" to JsonObject(mapOf("model" to JsonPrimitive(name)) + body)))
    counted(exchange.send(encoded.to(counted, ::countUrl)))
}

/** `POST …:countTokens` of Vertex AI, which takes the fields of the request themselves. */
internal fun vertexCounter(codec: Codec<ChatRequest>) = TokenCounter { request, target, exchange ->
    val (encoded, body) = codec.encoded(request, target)
    counted(exchange.send(encoded.to(JsonObject(body.filterKeys { it in COUNTED }), ::countUrl)))
}

private fun countUrl(url: String) = url.removeSuffix(":generateContent") + ":countTokens"

private fun counted(json: JsonElement) = json.number("totalTokens")?.let { CountedTokens(it) }

/** `GET …/models`, a page after the other ([ai.google.dev](https://ai.google.dev/api/models), read 2026-11-26). @param url of the list at a target */
internal fun geminiModels(url: (Target) -> String) = ModelList { target, exchange ->
    pages(target, exchange, { cursor -> getJson(target, url(target), PAGE + listOfNotNull(cursor?.let { "pageToken" to it })) }) { page, models ->
        page.objects("models")?.mapNotNullTo(models) { model ->
            model.string("name")?.removePrefix("models/")?.let {
                ListedModel(it, model.string("displayName"), null, model.positive("inputTokenLimit"), model.positive("outputTokenLimit"))
            }
        }
        page.string("nextPageToken")
    }
}

private val PAGE = mapOf("pageSize" to "1000")
