package dev.unifiedllm.protocol.ollama

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
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
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
            for ((option, value) in request.providerOptions) put(option, value)
        }
        warnUnsupported("the Ollama API", request, warnings, "dimensions")
        return TransportRequest(ollamaUrl(target.baseUrl) + "/api/embed", headers(target, "application/json"), body.toString().encodeToByteArray())
    }

    override fun decoder(target: Target): Decoder = OllamaEmbedDecoder(target)
}

private class OllamaEmbedDecoder(target: Target) : EmbeddingDecoder(target) {
    override fun read(): Boolean = json.members(Response) { member ->
        when (member) {
            Response.MODEL -> model = json.stringOrNull()
            Response.EMBEDDINGS -> json.elements { vector() }
            Response.PROMPT_EVAL_COUNT -> tokens = json.tokens()
            Response.ERROR -> error = json.raw()
        }
    }

    private object Response : JsonNames("model", "embeddings", "prompt_eval_count", "error") {
        const val MODEL = 0
        const val EMBEDDINGS = 1
        const val PROMPT_EVAL_COUNT = 2
        const val ERROR = 3
    }
}
