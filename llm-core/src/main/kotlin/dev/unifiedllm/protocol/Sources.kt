package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members

/** Reads the next value, an annotation, as a source; null if it has no URL. */
internal fun JsonCursor.source(): Delta.Source? {
    var url: String? = null
    var title: String? = null
    members(SourceNames) { member ->
        when (member) {
            SourceNames.URL -> url = stringOrNull()
            SourceNames.TITLE -> title = stringOrNull()
        }
    }
    return url?.let { Delta.Source(it, title) }
}

private object SourceNames : JsonNames("url", "title") {
    const val URL = 0
    const val TITLE = 1
}
