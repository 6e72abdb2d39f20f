package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.EmbeddingEncoding
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.imageRequest
import dev.unifiedllm.protocol.Explained
import dev.unifiedllm.protocol.SameForm
import dev.unifiedllm.protocol.WireEquivalence
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.isLeftOut
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.intOrNull

internal val openAiEmbeddingsEquivalence = WireEquivalence(
    name = "openai-chat's embeddings",
    belongs = { it.path.endsWith("/embeddings") && it.body?.get("input").isText },
    target = { recording, body -> recordedTarget(recording, body, OpenAiChat, emptyMap(), "/embeddings") },
    encode = { _, body, target ->
        val inputs = (body["input"] as? JsonArray ?: listOf(body.getValue("input"))).map { it.text!! }
        val request = EmbeddingRequest.build(target.id) {
            inputs(inputs)
            dimensions = body.int("dimensions") ?: body.int("output_dimension")
            encoding = EmbeddingEncoding.entries.firstOrNull { it.name.equals(body.string("encoding_format"), ignoreCase = true) }
            body.string("user")?.let { user -> providerOptions { put("user", user) } }
        }
        OpenAiEmbeddings.encode(request, target, mutableListOf())
    },
    sameForms = listOf(
        SameForm("one text is a list with one element") { body ->
            body["input"]?.let { if (it is JsonArray) body else JsonObject(body + ("input" to JsonArray(listOf(it)))) } ?: body
        },
    ),
    explained = listOf(
        Explained("the recorded base URL had a slash at its end", "url") { it.recorded.text!!.replace("com//", "com/") == it.ours.text },
    ),
)

internal val openAiImagesEquivalence = WireEquivalence(
    name = "openai-chat's images",
    belongs = { it.path.endsWith("/images/generations") },
    target = { recording, body -> recordedTarget(recording, body, OpenAiChat, emptyMap(), "/images/generations") },
    encode = { _, body, target ->
        val request = imageRequest(target.id, body.string("prompt")!!, body.string("size"), body.string("quality"), body.int("n"))
        OpenAiImages.encode(request, target, mutableListOf())
    },
    explained = listOf(
        Explained("the model refuses it, as the recorded response says, or it cannot be set", "*") {
            it.isLeftOut && (it.path == "quality" || it.path in withoutSetting)
        },
    ),
)

private val withoutSetting = setOf("background", "moderation", "output_compression", "output_format", "response_format", "style", "user")

/** One text or several. Some clients send token ids instead. */
private val JsonElement?.isText: Boolean get() = if (this is JsonArray) all { it.isText } else (this as? JsonPrimitive)?.isString == true

private fun JsonObject.int(name: String): Int? = (this[name] as? JsonPrimitive)?.intOrNull
