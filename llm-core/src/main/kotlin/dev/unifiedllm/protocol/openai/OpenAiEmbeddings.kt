package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingEncoding
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.errorOf
import dev.unifiedllm.protocol.flatError
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.protocol.vector
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutRefused
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.Quirks
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray

/**
 * `POST …/embeddings`, as OpenAI documents it (platform.openai.com/docs/api-reference/embeddings, read 2026-11-21) and most providers serve it.
 *
 * The encoding is not sent unless it is set: floats are the default, and many servers refuse the field. Floats and base64 are read, whatever was asked for.
 */
internal object OpenAiEmbeddings : Codec<EmbeddingRequest> {
    const val PATH: String = "/embeddings"

    /** OpenAI's, unless the row of another provider says something else. */
    val LIMITS: EmbeddingLimits = EmbeddingLimits(maxInputs = 2048)

    override fun encode(request: EmbeddingRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val quirks = target.provider.quirks.embeddings
        val body = buildJsonObject {
            put("model", target.name)
            putJsonArray("input") { request.inputs.forEach { add(it) } }
            request.dimensions?.let { put(quirks.dimensionsField, it) }
            encoding(request, quirks, warnings)
            inputType(request, quirks, target, warnings)
            for ((option, value) in request.providerOptions) put(option, value)
        }
        val path = if (target.baseUrl.endsWith("/v1")) quirks.path.removePrefix("/v1") else quirks.path
        val bytes = withoutRefused(body, target, warnings).toString().encodeToByteArray()
        return TransportRequest(withQuery(target.baseUrl + path, target.query), headers(target, "application/json"), bytes)
    }

    private fun JsonObjectBuilder.encoding(request: EmbeddingRequest, quirks: Quirks.Embeddings, warnings: MutableList<String>) {
        val encoding = request.encoding ?: return
        if (!quirks.int8) {
            put(quirks.encodingField, encoding.name.lowercase())
        } else if (encoding == EmbeddingEncoding.FLOAT) {
            warnings += "encoding FLOAT was left out: the provider sends base64 only"
        }
    }

    private fun JsonObjectBuilder.inputType(request: EmbeddingRequest, quirks: Quirks.Embeddings, target: Target, warnings: MutableList<String>) {
        val type = request.inputType ?: return
        val word = quirks.inputTypes[type.name.lowercase()]
        val field = quirks.inputTypeField
        if (field != null && word != null) {
            put(field, word)
        } else {
            warnings += "inputType $type was left out: ${target.provider.id} has no ${if (field == null) "field" else "word"} for it"
        }
    }

    override fun decoder(target: Target): Decoder = OpenAiEmbeddingsDecoder(target)
}

/** Decodes the list `data`, with the model, the usage and the cost beside it; or an error. */
private class OpenAiEmbeddingsDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val reported = OpenAiUsage(target)
    private val areBytes = target.provider.quirks.embeddings.int8
    private val vectors = mutableListOf<Delta.Embedding>()
    private var done = false

    override val progress: Progress get() = if (done) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        var id: String? = null
        var model: String? = null
        var error: String? = null
        val isObject = json.members(ResponseMember) { member ->
            when (member) {
                ResponseMember.DATA -> list()
                ResponseMember.ID -> id = json.stringOrNull()
                ResponseMember.MODEL -> model = json.stringOrNull()
                ResponseMember.USAGE -> reported.read(json)
                ResponseMember.ERROR -> error = json.raw().takeUnless(::isNoError)
            }
        }
        json.end()
        error?.let { throw HttpErrors(target).exception(errorOf(it, frame)) }
        if (vectors.isEmpty()) throw flatError(target, frame).takeIf { isObject } ?: malformed(target, "its list is empty or missing")
        out += Delta.Start(id?.ifEmpty { null }, target.id, model?.ifEmpty { null })
        out += inOrder()
        done = true
    }

    private fun list() {
        var position = 0
        json.elements { element(position++) }
    }

    private fun element(position: Int) {
        var index = position
        var vector: FloatArray? = null
        json.members(Element) { member ->
            when (member) {
                Element.INDEX -> json.longOrNull()?.let {
                    index = if (it in 0..Int.MAX_VALUE) it.toInt() else throw malformed(target, "a vector has the index $it")
                }
                Element.EMBEDDING -> vector = json.vector(target, position, areBytes)
            }
        }
        vectors += Delta.Embedding(index, vector ?: throw malformed(target, "element $position of its list has no vector"))
    }

    /** The vectors in the order of the inputs. Some servers give every vector the index 0; then the order of the list counts. */
    private fun inOrder(): List<Delta> {
        val indexes = vectors.distinctBy { it.index }.size
        if (indexes == 1 && vectors.size > 1) return vectors.mapIndexed { position, it -> Delta.Embedding(position, it.vector) }
        if (indexes < vectors.size) throw malformed(target, "it has ${vectors.size} vectors with $indexes indexes: their order is not known")
        vectors.firstOrNull { it.index >= vectors.size }
            ?.let { throw malformed(target, "it has ${vectors.size} vectors, and one of them has the index ${it.index}") }
        return vectors.sortedBy { it.index }
    }

    /** Only input tokens are billed. */
    override fun finish(out: MutableList<Delta>) {
        val inputTokens = reported.usage()?.inputTokens
        if (inputTokens == null) out += Delta.Warning("the provider did not report the tokens used")
        out += Delta.Finish(FinishReason.STOP, inputTokens?.let { Usage.of(it, 0) }, reported.cost(target))
    }

    private object ResponseMember : JsonNames("data", "id", "model", "usage", "error") {
        const val DATA = 0
        const val ID = 1
        const val MODEL = 2
        const val USAGE = 3
        const val ERROR = 4
    }

    private object Element : JsonNames("index", "embedding") {
        const val INDEX = 0
        const val EMBEDDING = 1
    }
}
