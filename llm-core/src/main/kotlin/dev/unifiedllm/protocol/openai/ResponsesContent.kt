package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.isMedia
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/** A result with images or files is a list of parts. */
internal fun resultOutput(result: Part.ToolResult, warnings: MutableList<String>): JsonElement {
    if (result.content.none { it.isMedia }) return JsonPrimitive(result.text)
    return JsonArray(result.content.filter { isContentPart(it, warnings) }.map(::contentPart))
}

/** True for a part that the wire carries. Adds a warning for a file that it does not. */
internal fun isContentPart(part: Part, warnings: MutableList<String>): Boolean {
    val type = (part as? Part.File)?.mediaType.orEmpty()
    if (!type.startsWith("audio/") && !type.startsWith("video/")) return part is Part.Text || part.isMedia
    warnings += "a file of type $type was left out: the Responses wire carries texts, images and documents only"
    return false
}

/** A text, an image or a document as a part of an input message, or of the output of a tool. */
internal fun contentPart(part: Part): JsonObject = buildJsonObject {
    when {
        part is Part.Image -> {
            put("type", "input_image")
            put("image_url", part.url)
            part.detail?.let { put("detail", it.name.lowercase()) }
        }
        part is Part.File && part.mediaType.startsWith("image/") -> {
            put("type", "input_image")
            put("image_url", part.url)
        }
        part is Part.File -> {
            put("type", "input_file")
            if (part.url.startsWith("data:")) {
                put("filename", part.name ?: ("document." + part.mediaType.substringAfterLast('/')))
                put("file_data", part.url)
            } else {
                put("file_url", part.url)
            }
        }
        else -> {
            put("type", "input_text")
            put("text", (part as Part.Text).text)
        }
    }
}
