package dev.unifiedllm.protocol

import dev.unifiedllm.chat.EmbeddingEncoding
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.InputType
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray

/** Adds a warning for each setting of [request] that is not in [has] and that [api] has no field for. Numbers are what every wire sends. */
internal fun warnUnsupported(api: String, request: EmbeddingRequest, warnings: MutableList<String>, vararg has: String) {
    warnUnsupported(
        api,
        warnings,
        "dimensions" to (request.dimensions != null && "dimensions" !in has),
        "inputType" to (request.inputType != null && "inputType" !in has),
        "encoding BASE64" to (request.encoding == EmbeddingEncoding.BASE64 && "encoding" !in has),
    )
}

/**
 * The settings of Cohere's Embed API, which Cohere and Amazon Bedrock serve ([docs.cohere.com](https://docs.cohere.com/v2/reference/embed), read
 * 2026-11-26). An input type is required; a text to be found is what most texts are.
 */
internal fun JsonObjectBuilder.cohereSettings(request: EmbeddingRequest, warnings: MutableList<String>) {
    putJsonArray("texts") { request.inputs.forEach { add(it) } }
    val type = when (request.inputType) {
        null, InputType.DOCUMENT -> "search_document"
        InputType.QUERY -> "search_query"
        InputType.CLASSIFICATION -> "classification"
        InputType.CLUSTERING -> "clustering"
        InputType.SIMILARITY -> {
            warnings += "inputType SIMILARITY was sent as clustering: Cohere has no other type for texts that are compared with their kind"
            "clustering"
        }
    }
    put("input_type", type)
    putJsonArray("embedding_types") { add(JsonPrimitive(if (request.encoding == EmbeddingEncoding.BASE64) "base64" else "float")) }
    request.dimensions?.let { put("output_dimension", it) }
}

/** Reads Cohere's vectors, a list of them or an object with a list for each type: [read] reads each vector of the first list that has any. */
internal inline fun JsonCursor.cohereVectors(read: () -> Unit) {
    if (kind() == JsonKind.ARRAY) {
        beginArray()
        while (nextElement()) read()
        return
    }
    if (!enterObject()) return
    var isRead = false
    while (next(ANY_TYPE) != JsonNames.END) {
        if (isRead || kind() != JsonKind.ARRAY) {
            skip()
            continue
        }
        beginArray()
        while (nextElement()) {
            isRead = true
            read()
        }
    }
}

/** Matches no name: each type counts. */
internal val ANY_TYPE = JsonNames()
