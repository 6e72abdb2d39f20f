package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members

/** Reads the next value, an annotation, as a source: by its URL, else by the id of the cited file. Null if it has neither. */
internal fun JsonCursor.source(): Delta.Source? {
    var url: String? = null
    var title: String? = null
    var fileId: String? = null
    var filename: String? = null
    members(SourceNames) { member ->
        when (member) {
            SourceNames.URL -> url = stringOrNull()
            SourceNames.TITLE -> title = stringOrNull()
            SourceNames.FILE_ID -> fileId = stringOrNull()
            SourceNames.FILENAME -> filename = stringOrNull()
        }
    }
    return (url ?: fileId)?.let { Delta.Source(it, title ?: filename) }
}

private object SourceNames : JsonNames("url", "title", "file_id", "filename") {
    const val URL = 0
    const val TITLE = 1
    const val FILE_ID = 2
    const val FILENAME = 3
}
