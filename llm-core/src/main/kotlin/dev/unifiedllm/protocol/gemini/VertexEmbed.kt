package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.EmbeddingDecoder
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * Embeddings at Vertex AI: `POST …/models/{model}:predict` ([docs.cloud.google.com](
 * https://docs.cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings), read 2026-11-26), and `:embedContent` for the Gemini
 * models after gemini-embedding-001, as LiteLLM 1.109.1 has it too.
 *
 * @param url of the model
 */
internal class VertexEmbed(private val url: (Target) -> String) : Codec<EmbeddingRequest> {
    override fun encode(request: EmbeddingRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val takesContent = takesContent(target.name)
        val body = if (takesContent) content(request, target.name) else instances(request)
        warnUnsupported("Vertex AI", request, warnings, "dimensions", "inputType")
        val call = withQuery(url(target) + if (takesContent) ":embedContent" else ":predict", target.query)
        return TransportRequest(call, headers(target, "application/json"), withOptions(body, request.providerOptions, MERGED).toString().encodeToByteArray())
    }

    private fun instances(request: EmbeddingRequest): JsonObject = buildJsonObject {
        putJsonArray("instances") {
            for (text in request.inputs) {
                addJsonObject {
                    put("content", text)
                    request.inputType?.let { put("task_type", it.taskType) }
                }
            }
        }
        request.dimensions?.let { putJsonObject("parameters") { put("outputDimensionality", it) } }
    }

    /** A request of one text: the limits of the model allow no more. */
    private fun content(request: EmbeddingRequest, model: String): JsonObject = buildJsonObject {
        content(request.inputs.single(), request.inputType, model)
        settings(request, model)
    }

    override fun decoder(target: Target): Decoder = if (takesContent(target.name)) GeminiEmbedDecoder(target) else VertexEmbedDecoder(target)

    companion object {
        private val MERGED = setOf("parameters")

        /** Gemini models take one text, the others 250 of 20,000 tokens together (the page above). An empty one is refused. */
        fun limits(model: String): EmbeddingLimits {
            if ("gemini" in model) return EmbeddingLimits(maxInputs = 1, refusesEmpty = true)
            return EmbeddingLimits(maxInputs = 250, maxTokens = 20_000, refusesEmpty = true)
        }

        private fun takesContent(model: String) = "gemini" in model && "gemini-embedding-001" !in model
    }
}

private class VertexEmbedDecoder(target: Target) : EmbeddingDecoder(target) {
    override fun read(): Boolean = json.members(Response) { member ->
        when (member) {
            Response.PREDICTIONS -> json.elements { json.members(EMBEDDINGS) { embeddings() } }
            Response.ERROR -> error = json.raw()
        }
    }

    private fun embeddings() {
        var isTruncated = false
        json.members(Embeddings) { member ->
            when (member) {
                Embeddings.VALUES -> vector()
                Embeddings.STATISTICS -> json.members(Statistics) { of ->
                    when (of) {
                        Statistics.TOKEN_COUNT -> json.tokens()?.let { tokens = (tokens ?: 0) + it }
                        Statistics.TRUNCATED -> isTruncated = json.booleanOrNull() == true
                    }
                }
            }
        }
        if (isTruncated) warnTruncated()
    }

    private object Response : JsonNames("predictions", "error") {
        const val PREDICTIONS = 0
        const val ERROR = 1
    }

    private object Embeddings : JsonNames("values", "statistics") {
        const val VALUES = 0
        const val STATISTICS = 1
    }

    private object Statistics : JsonNames("token_count", "truncated") {
        const val TOKEN_COUNT = 0
        const val TRUNCATED = 1
    }

    private companion object {
        val EMBEDDINGS = JsonNames("embeddings")
    }
}
