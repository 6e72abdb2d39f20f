package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members

/** A source as an annotation names it; null where it names no address. */
internal fun JsonCursor.source(): Delta.Source? {
    var url: String? = null
    var title: String? = null
    members(SOURCE) { member ->
        when (member) {
            0 -> url = stringOrNull()
            1 -> title = stringOrNull()
        }
    }
    return url?.let { Delta.Source(it, title) }
}

private val SOURCE = JsonNames("url", "title")
