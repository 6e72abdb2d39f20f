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
import dev.unifiedllm.protocol.floats
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray

/** `POST /api/embed`: all vectors in one JSON text (github.com/ollama/ollama, docs/api.md). */
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
        val isAnswer = json.members(ANSWER) { member ->
            when (member) {
                0 -> model = json.stringOrNull()
                1 -> json.elements { vectors += json.floats() }
                2 -> tokens = json.tokens()
                3 -> error = json.stringOrNull()
            }
        }
        if (!isAnswer) return
        json.end()
        error?.let { throw HttpErrors(target).exception(ProviderError(it)) }
        if (vectors.isEmpty()) throw malformed(target, "it has no embeddings")
        out += Delta.Start(null, target.id, model)
        vectors.forEachIndexed { index, vector -> out += Delta.Embedding(index, vector) }
        done = true
    }

    override fun finish(out: MutableList<Delta>) {
        out.addFinish(FinishReason.STOP, tokens?.let { Usage.of(it, 0) })
    }

    private companion object {
        val ANSWER = JsonNames("model", "embeddings", "prompt_eval_count", "error")
    }
}
