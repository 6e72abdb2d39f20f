package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.EmbeddingDecoder
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.cohereSettings
import dev.unifiedllm.protocol.cohereVectors
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/** Cohere's Embed API: `POST /v2/embed` ([docs.cohere.com](https://docs.cohere.com/v2/reference/embed), read 2026-11-26). */
internal object CohereEmbed : Codec<EmbeddingRequest> {
    /** One request takes 96 texts. */
    val LIMITS: EmbeddingLimits = EmbeddingLimits(maxInputs = 96)

    override fun encode(request: EmbeddingRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = buildJsonObject {
            put("model", target.name)
            cohereSettings(request, warnings)
            for ((option, value) in request.providerOptions) put(option, value)
        }
        val url = chatUrl(target.baseUrl.removeSuffix("/embed")).removeSuffix("/chat") + "/embed"
        return TransportRequest(withQuery(url, target.query), headers(target, "application/json"), body.toString().encodeToByteArray())
    }

    override fun decoder(target: Target): Decoder = CohereEmbedDecoder(target)
}

private class CohereEmbedDecoder(target: Target) : EmbeddingDecoder(target) {
    private val reported = CohereUsage()

    override fun read(): Boolean = json.members(Response) { member ->
        when (member) {
            Response.ID -> id = json.stringOrNull()
            Response.EMBEDDINGS -> json.cohereVectors { vector() }
            Response.META -> reported.read(json)
            Response.ERROR -> error = json.raw()
        }
    }

    override fun finish(out: MutableList<Delta>) {
        out.addFinish(FinishReason.STOP, reported.usage())
    }

    private object Response : JsonNames("id", "embeddings", "meta", "error") {
        const val ID = 0
        const val EMBEDDINGS = 1
        const val META = 2
        const val ERROR = 3
    }
}
