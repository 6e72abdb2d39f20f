package dev.unifiedllm.protocol.ollama

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.errorOf
import dev.unifiedllm.protocol.floats
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray

/** Ollama's Embed API: `POST /api/embed`, which returns all vectors in one body ([docs/api.md](https://github.com/ollama/ollama/blob/main/docs/api.md)). */
internal object OllamaEmbed : Codec<EmbeddingRequest> {
    override fun encode(request: EmbeddingRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = buildJsonObject {
            put("model", target.name)
            putJsonArray("input") { request.inputs.forEach { add(it) } }
            request.dimensions?.let { put("dimensions", it) }
        }
        return TransportRequest(ollamaUrl(target.baseUrl) + "/api/embed", headers(target, "application/json"), body.toString().encodeToByteArray())
    }

    override fun decoder(target: Target): Decoder = OllamaEmbedDecoder(target)
}

private class OllamaEmbedDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private var done = false
    private var tokens: Long? = null

    override val progress: Progress get() = if (done) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        var model: String? = null
        var error: String? = null
        val vectors = mutableListOf<FloatArray>()
        val isObject = json.members(Response) { member ->
            when (member) {
                Response.MODEL -> model = json.stringOrNull()
                Response.EMBEDDINGS -> json.elements { vectors += json.floats() }
                Response.PROMPT_EVAL_COUNT -> tokens = json.tokens()
                Response.ERROR -> error = json.raw().takeUnless(::isNoError)
            }
        }
        if (!isObject) return
        json.end()
        error?.let { throw HttpErrors(target).exception(errorOf(it, frame)) }
        if (vectors.isEmpty()) throw malformed(target, "it has no embeddings")
        vectors.forEachIndexed { index, vector ->
            if (vector.isEmpty()) throw malformed(target, "vector $index is empty or not a list")
            if (vector.any { it.isNaN() }) throw malformed(target, "vector $index has elements that are not numbers")
        }
        out += Delta.Start(null, target.id, model)
        vectors.forEachIndexed { index, vector -> out += Delta.Embedding(index, vector) }
        done = true
    }

    override fun finish(out: MutableList<Delta>) {
        out.addFinish(FinishReason.STOP, tokens?.let { Usage.of(it, 0) })
    }

    private object Response : JsonNames("model", "embeddings", "prompt_eval_count", "error") {
        const val MODEL = 0
        const val EMBEDDINGS = 1
        const val PROMPT_EVAL_COUNT = 2
        const val ERROR = 3
    }
}
