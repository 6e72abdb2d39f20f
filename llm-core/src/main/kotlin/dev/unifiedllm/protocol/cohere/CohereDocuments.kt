package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.DataUrl
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** The title and the text of [file]; null if it has no text. */
internal fun document(file: Part.File, warnings: MutableList<String>): Pair<String?, String>? {
    val text = if (isText(file.mediaType)) DataUrl.parse(file.url)?.text() else null
    if (text == null) {
        warnings += "${file.name ?: "a document"} of type ${file.mediaType} was left out: Cohere takes documents as text only (send it as text/plain)"
    }
    return text?.let { file.name to it }
}

/** True for the types of documents that are sent as texts. */
internal fun isText(mediaType: String): Boolean = mediaType.startsWith("text/") || mediaType == "application/json"

/** Documents as the API takes them, each with an id. */
internal fun numbered(documents: List<Pair<String?, String>>) = buildJsonArray {
    documents.forEachIndexed { index, (title, text) ->
        addJsonObject {
            put("id", "doc:$index")
            putJsonObject("data") {
                title?.let { put("title", it) }
                put("text", text)
            }
        }
    }
}
