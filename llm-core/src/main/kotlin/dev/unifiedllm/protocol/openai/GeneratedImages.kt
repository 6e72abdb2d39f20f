package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members

/** Reads `image_url`: an object with the URL, or the URL itself. Null if there is none. */
internal fun JsonCursor.imageUrl(): String? {
    if (kind() == JsonKind.STRING) return string().ifEmpty { null }
    var url: String? = null
    members(URL) { url = stringOrNull()?.ifEmpty { null } }
    return url
}

/** An image in the response of a chat. Only a `data:` URL states its type. */
internal fun generatedImage(url: String): Delta.Media = Delta.Media(DataUrl.parse(url)?.mediaType ?: "image/*", url)

private val URL = JsonNames("url")
