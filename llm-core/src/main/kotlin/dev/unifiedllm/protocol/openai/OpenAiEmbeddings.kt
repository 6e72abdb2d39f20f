package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.floats
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.littleEndianFloats
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.protocol.withoutRefused
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import java.util.Base64

/**
 * `POST …/embeddings`, as OpenAI documents it (platform.openai.com/docs/api-reference/embeddings, read 2026-11-21) and most providers serve it.
 *
 * `encoding_format` is not sent: floats are the default, and many servers refuse the field. Floats and base64 are read.
 */
internal object OpenAiEmbeddings : Codec<EmbeddingRequest> {
    const val PATH: String = "/embeddings"

    override fun encode(request: EmbeddingRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val quirks = target.provider.quirks.embeddings
        val body = buildJsonObject {
            put("model", target.name)
            putJsonArray("input") { request.inputs.forEach { add(it) } }
            request.dimensions?.let { put(quirks.dimensionsField, it) }
        }
        val path = if (target.baseUrl.endsWith("/v1")) quirks.path.removePrefix("/v1") else quirks.path
        return post(target, path, withoutRefused(body, target, warnings))
    }

    override fun decoder(target: Target): Decoder = OpenAiEmbeddingsDecoder(target)
}

private class OpenAiEmbeddingsDecoder(target: Target) : OpenAiListDecoder(target) {
    private val areBytes = target.provider.quirks.embeddings.int8
    private val vectors = mutableListOf<Delta.Embedding>()

    override fun element(position: Int) {
        var index = position
        var vector: FloatArray? = null
        json.members(Element) { member ->
            when (member) {
                Element.INDEX -> json.longOrNull()?.let { index = if (it in 0..Int.MAX_VALUE) it.toInt() else throw malformed("a vector has the index $it") }
                Element.EMBEDDING -> vector = vector(position)
            }
        }
        vectors += Delta.Embedding(index, vector ?: throw malformed("element $position of its list has no vector"))
    }

    private fun vector(position: Int): FloatArray? {
        if (json.kind() != JsonKind.STRING) {
            val numbers = json.floats()
            if (numbers.any { it.isNaN() }) throw malformed("vector $position has elements that are not numbers")
            return numbers.takeIf { it.isNotEmpty() }
        }
        val bytes = try {
            Base64.getDecoder().decode(json.string())
        } catch (wrong: IllegalArgumentException) {
            throw malformed("vector $position is not base64", wrong)
        }
        if (areBytes) return FloatArray(bytes.size) { bytes[it].toFloat() }
        return bytes.littleEndianFloats() ?: throw malformed("vector $position has ${bytes.size} bytes, which is not a whole number of floats")
    }

    /** Sorts the vectors in the order of the inputs. Some servers give every vector the index 0; then the order of the list counts. */
    override fun content(format: String?): List<Delta> {
        val hasIndexes = vectors.distinctBy { it.index }.size == vectors.size
        if (!hasIndexes) return vectors.mapIndexed { position, it -> Delta.Embedding(position, it.vector) }
        vectors.firstOrNull { it.index >= vectors.size }?.let { throw malformed("it has ${vectors.size} vectors, and one of them has the index ${it.index}") }
        return vectors.sortedBy { it.index }
    }

    /** Only input tokens are billed. */
    override fun usage(reported: OpenAiUsage, out: MutableList<Delta>): Usage? {
        val inputTokens = reported.usage()?.inputTokens
        if (inputTokens == null) out += Delta.Warning("the provider did not report the tokens used")
        return inputTokens?.let { Usage.of(it, 0) }
    }

    private object Element : JsonNames("index", "embedding") {
        const val INDEX = 0
        const val EMBEDDING = 1
    }
}
