package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.InputType
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.EmbeddingDecoder
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * Embeddings of the Gemini API: `POST …/models/{model}:batchEmbedContents`, one request for each text
 * ([ai.google.dev](https://ai.google.dev/api/embeddings), read 2026-11-26). Provider options go to each of them.
 *
 * Since gemini-embedding-2 the type of the inputs is an instruction in the text itself, as Google documents it; earlier models have a field for it.
 *
 * @param url of the model
 */
internal class GeminiEmbed(private val url: (Target) -> String) : Codec<EmbeddingRequest> {
    override fun encode(request: EmbeddingRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val model = target.name.let { if (it.startsWith("models/") || it.startsWith("tunedModels/")) it else "models/$it" }
        val body = buildJsonObject {
            putJsonArray("requests") {
                for (text in request.inputs) {
                    addJsonObject {
                        put("model", model)
                        content(text, request.inputType, target.name)
                        settings(request, target.name)
                        for ((option, value) in request.providerOptions) put(option, value)
                    }
                }
            }
        }
        warnUnsupported("the Gemini API", request, warnings, "dimensions", "inputType")
        val call = withQuery(url(target) + ":batchEmbedContents", target.query)
        return TransportRequest(call, headers(target, "application/json"), body.toString().encodeToByteArray())
    }

    override fun decoder(target: Target): Decoder = GeminiEmbedDecoder(target)

    companion object {
        /**
         * One request takes 100 texts: the API says "at most 100 requests can be in one batch"
         * ([an issue](https://github.com/langchain-ai/langchainjs/issues/4491), read 2026-11-26). An empty one is refused.
         */
        val LIMITS: EmbeddingLimits = EmbeddingLimits(maxInputs = 100, refusesEmpty = true)
    }
}

/** Adds [text], with the instruction for [type] if the [model] takes one. */
internal fun JsonObjectBuilder.content(text: String, type: InputType?, model: String) {
    val instruction = if (type != null && takesInstructions(model)) type.instruction else ""
    putJsonObject("content") { putJsonArray("parts") { addJsonObject { put("text", instruction + text) } } }
}

internal fun JsonObjectBuilder.settings(request: EmbeddingRequest, model: String) {
    request.inputType?.takeUnless { takesInstructions(model) }?.let { put("taskType", it.taskType) }
    request.dimensions?.let { put("outputDimensionality", it) }
}

/** True for gemini-embedding-2 and later, which have no field for the task type. */
private fun takesInstructions(model: String): Boolean = INSTRUCTED.containsMatchIn(model)

private val INSTRUCTED = Regex("gemini-embedding-[1-9]")

/**
 * What stands before the text. From Google's page about gemini-embedding-2
 * (docs.cloud.google.com/gemini-enterprise-agent-platform/models/embeddings, a copy read 2026-11-26).
 */
private val InputType.instruction: String
    get() = when (this) {
        InputType.QUERY -> "task: search result | query: "
        InputType.DOCUMENT -> "title: none | text: "
        InputType.CLASSIFICATION -> "task: classification | query: "
        InputType.CLUSTERING -> "task: clustering | query: "
        InputType.SIMILARITY -> "task: sentence similarity | query: "
    }

internal val InputType.taskType: String
    get() = when (this) {
        InputType.QUERY -> "RETRIEVAL_QUERY"
        InputType.DOCUMENT -> "RETRIEVAL_DOCUMENT"
        InputType.CLASSIFICATION -> "CLASSIFICATION"
        InputType.CLUSTERING -> "CLUSTERING"
        InputType.SIMILARITY -> "SEMANTIC_SIMILARITY"
    }

/** Decodes `embeddings`, the vectors of a batch, or `embedding`, a single one. */
internal class GeminiEmbedDecoder(target: Target) : EmbeddingDecoder(target) {
    override fun read(): Boolean {
        var isTruncated = false
        val isObject = json.members(Response) { member ->
            when (member) {
                Response.EMBEDDINGS -> json.elements { embedding() }
                Response.EMBEDDING -> embedding()
                Response.USAGE_METADATA -> usage()
                Response.TRUNCATED -> isTruncated = json.booleanOrNull() == true
                Response.ERROR -> error = json.raw()
            }
        }
        if (isTruncated) warnTruncated()
        return isObject
    }

    private fun embedding() {
        json.members(VALUES) { vector() }
    }

    private fun usage() {
        json.members(TOKEN_COUNT) { tokens = json.tokens(tokens) }
    }

    private object Response : JsonNames("embeddings", "embedding", "usageMetadata", "truncated", "error") {
        const val EMBEDDINGS = 0
        const val EMBEDDING = 1
        const val USAGE_METADATA = 2
        const val TRUNCATED = 3
        const val ERROR = 4
    }

    private companion object {
        val VALUES = JsonNames("values")
        val TOKEN_COUNT = JsonNames("promptTokenCount")
    }
}
