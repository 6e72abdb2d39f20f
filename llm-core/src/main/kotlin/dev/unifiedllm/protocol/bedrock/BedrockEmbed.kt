package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.InputType
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.EmbeddingDecoder
import dev.unifiedllm.protocol.cohereSettings
import dev.unifiedllm.protocol.cohereVectors
import dev.unifiedllm.protocol.encode
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
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/**
 * Embeddings of Amazon Bedrock: `POST /model/{id}/invoke`, in the form of the model's maker. Titan
 * (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html), Cohere (…/model-parameters-embed.html) and Nova
 * (docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html). Cohere's and Nova's were read 2026-11-26.
 */
internal object BedrockEmbed : Codec<EmbeddingRequest> {
    override fun encode(request: EmbeddingRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = when (Form.of(target.name)) {
            Form.TITAN_IMAGE, Form.TITAN_2, Form.TITAN_1 -> titan(request, Form.of(target.name), warnings)
            Form.COHERE -> buildJsonObject { cohereSettings(request, warnings) }
            Form.NOVA -> nova(request, warnings)
            null -> throw LlmException.InvalidRequest(
                "${target.id} cannot serve embeddings: on Bedrock they are of amazon.titan-embed…, amazon.nova-2-multimodal-embeddings… and " +
                    "cohere.embed… models. Use one of these.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(target.id),
            )
        }
        val url = withQuery("${target.baseUrl}/model/${encode(target.name)}/invoke", target.query)
        return TransportRequest(url, headers(target, "application/json"), withOptions(body, request.providerOptions, MERGED).toString().encodeToByteArray())
    }

    /** A request of one text: the limits of the model allow no more. */
    private fun titan(request: EmbeddingRequest, form: Form?, warnings: MutableList<String>): JsonObject = buildJsonObject {
        put("inputText", request.inputs.single())
        val dimensions = request.dimensions
        when (form) {
            Form.TITAN_2 -> dimensions?.let { put("dimensions", it) }
            Form.TITAN_IMAGE -> dimensions?.let { putJsonObject("embeddingConfig") { put("outputEmbeddingLength", it) } }
            else -> Unit
        }
        warnUnsupported("Amazon Titan", request, warnings, *(if (form == Form.TITAN_1) emptyArray() else arrayOf("dimensions")))
    }

    /** A request of one text. A text that is too long is cut at its end, and the response says so. */
    private fun nova(request: EmbeddingRequest, warnings: MutableList<String>): JsonObject = buildJsonObject {
        put("taskType", "SINGLE_EMBEDDING")
        putJsonObject("singleEmbeddingParams") {
            put("embeddingPurpose", purpose(request.inputType, warnings))
            put("embeddingDimension", request.dimensions ?: NOVA_DIMENSIONS)
            putJsonObject("text") {
                put("truncationMode", "END")
                put("value", request.inputs.single())
            }
        }
        warnUnsupported("Amazon Nova", request, warnings, "dimensions", "inputType")
    }

    private fun purpose(type: InputType?, warnings: MutableList<String>): String = when (type) {
        null, InputType.DOCUMENT -> "GENERIC_INDEX"
        InputType.QUERY -> "TEXT_RETRIEVAL"
        InputType.CLASSIFICATION -> "CLASSIFICATION"
        InputType.CLUSTERING -> "CLUSTERING"
        InputType.SIMILARITY -> {
            warnings += "inputType SIMILARITY was sent as CLUSTERING: Amazon Nova has no other purpose for texts that are compared with their kind"
            "CLUSTERING"
        }
    }

    override fun decoder(target: Target): Decoder = when (Form.of(target.name)) {
        Form.COHERE -> BedrockCohereDecoder(target)
        Form.NOVA -> NovaDecoder(target)
        else -> TitanDecoder(target)
    }

    /** Titan and Nova take one text, Cohere 96. Titan refuses an empty one; the documents of Cohere's models allow it, those of Nova do not say. */
    fun limits(model: String): EmbeddingLimits = when (Form.of(model)) {
        Form.COHERE -> EmbeddingLimits(maxInputs = 96)
        Form.NOVA -> EmbeddingLimits(maxInputs = 1)
        else -> EmbeddingLimits(maxInputs = 1, refusesEmpty = true)
    }

    /** The length of vectors if none is set: the greatest, which LiteLLM sends as well. */
    private const val NOVA_DIMENSIONS = 3072
    private val MERGED = setOf("embeddingConfig", "singleEmbeddingParams")

    private enum class Form(val mark: String) {
        NOVA("multimodal-embeddings"),
        TITAN_IMAGE("amazon.titan-embed-image"),
        TITAN_2("amazon.titan-embed-text-v2"),
        TITAN_1("amazon.titan-embed"),
        COHERE("cohere.embed"),
        ;

        companion object {
            fun of(model: String): Form? = entries.firstOrNull { it.mark in model.lowercase() }
        }
    }
}

private class TitanDecoder(target: Target) : EmbeddingDecoder(target) {
    override fun read(): Boolean = json.members(Response) { member ->
        when (member) {
            Response.EMBEDDING -> vector()
            Response.INPUT_TEXT_TOKEN_COUNT -> tokens = json.tokens()
        }
    }

    private object Response : JsonNames("embedding", "inputTextTokenCount") {
        const val EMBEDDING = 0
        const val INPUT_TEXT_TOKEN_COUNT = 1
    }
}

/** The tokens stand in a header of the response. */
private class NovaDecoder(target: Target) : EmbeddingDecoder(target) {
    override fun read(): Boolean = json.members(EMBEDDINGS) { json.elements { embedding() } }

    private fun embedding() {
        var isCut = false
        json.members(Embedding) { member ->
            when (member) {
                Embedding.EMBEDDING -> vector()
                Embedding.TRUNCATED_CHAR_LENGTH -> isCut = json.longOrNull() != null
            }
        }
        if (isCut) warnTruncated()
    }

    override fun finish(out: MutableList<Delta>) {
        out += Delta.Finish(FinishReason.STOP, null)
    }

    private object Embedding : JsonNames("embedding", "truncatedCharLength") {
        const val EMBEDDING = 0
        const val TRUNCATED_CHAR_LENGTH = 1
    }

    private companion object {
        val EMBEDDINGS = JsonNames("embeddings")
    }
}

/** The tokens stand in a header of the response. */
private class BedrockCohereDecoder(target: Target) : EmbeddingDecoder(target) {
    override fun read(): Boolean = json.members(Response) { member ->
        when (member) {
            Response.ID -> id = json.stringOrNull()
            Response.EMBEDDINGS -> json.cohereVectors { vector() }
        }
    }

    override fun finish(out: MutableList<Delta>) {
        out += Delta.Finish(FinishReason.STOP, null)
    }

    private object Response : JsonNames("id", "embeddings") {
        const val ID = 0
        const val EMBEDDINGS = 1
    }
}
