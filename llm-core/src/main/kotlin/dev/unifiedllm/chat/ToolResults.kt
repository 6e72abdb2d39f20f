package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.JsonWriter
import kotlinx.serialization.json.JsonElement

/**
 * What a tool returned, as parts of its result: parts as they are, texts as texts, everything else as JSON.
 *
 * @param type how to write it; null if only its class is known
 */
@OptIn(InternalLlmApi::class)
internal fun resultParts(value: Any?, type: JsonType<*>? = null): List<Part> = when (value) {
    is Part -> listOf(checkedResult(value))
    is Unit -> listOf(Part.Text("done"))
    is CharSequence -> listOf(Part.Text(value.toString()))
    is ChatResponse -> listOf(Part.Text(value.text))
    is JsonElement -> listOf(Part.Text(value.toString()))
    is Iterable<*> if value.any { it is Part } -> value.map { checkedResult(it as? Part ?: Part.Text(it.toString())) }
    else -> listOf(Part.Text(json(value, type).toString()))
}

@OptIn(InternalLlmApi::class)
private fun json(value: Any?, type: JsonType<*>?): JsonElement {
    @Suppress("UNCHECKED_CAST") // the type of the function that returned the value
    return (type as JsonType<Any?>?)?.encode(value) ?: JsonWriter.write(value)
}

private fun checkedResult(part: Part): Part {
    require(part is Part.Text || part is Part.Image || part is Part.File) {
        "a tool's result is made of texts, images and files, not of a ${part.javaClass.simpleName}"
    }
    return part
}
