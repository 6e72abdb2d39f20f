package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members

/** The tool calls of one response. An event has one call or a fragment of one; a whole body has a list of calls. */
internal class CohereToolCalls {
    /** The index that the events give each call. The position in this list is the index of its deltas. */
    private val indices = mutableListOf<Long>()

    /** The index in the current event, which may follow the tool call in the JSON. Null if it has none. */
    var index: Long? = null

    // the tool call or fragment that was read and not yet added
    private var id: String? = null
    private var name: String? = null
    private var arguments: String? = null

    fun startEvent() {
        index = null
    }

    /** Reads `tool_calls`. The calls of a list are added to [out]; that of an event is added by [addTo], at the end of the event. */
    fun read(json: JsonCursor, out: MutableList<Delta>) {
        if (json.kind() != JsonKind.ARRAY) return readCall(json)
        json.beginArray()
        while (json.nextElement()) {
            readCall(json)
            index = indices.size.toLong()
            addTo(out)
        }
    }

    private fun readCall(json: JsonCursor) {
        json.members(ToolCall) { member ->
            when (member) {
                ToolCall.ID -> id = json.stringOrNull()?.ifEmpty { null }
                ToolCall.FUNCTION -> readFunction(json)
            }
        }
    }

    private fun readFunction(json: JsonCursor) {
        json.members(CallFunction) { member ->
            when (member) {
                CallFunction.NAME -> name = json.stringOrNull()?.ifEmpty { null }
                CallFunction.ARGUMENTS -> arguments = json.arguments()
            }
        }
    }

    /** Adds the tool call or fragment that was read, if there is one. Without an index, a start is a new call, and a fragment belongs to the last call. */
    fun addTo(out: MutableList<Delta>, event: String? = null) {
        val fragment = arguments
        if (id == null && name == null && fragment == null) return
        val given = index
        val known = if (given == null) indices.lastIndex else indices.lastIndexOf(given)
        val isFragment = when {
            given == null && event == "tool-call-start" -> false
            given == null && event == "tool-call-delta" -> true
            else -> id == null && name == null
        }
        if (isFragment && known >= 0) {
            if (!fragment.isNullOrEmpty()) out += Delta.ToolCallDelta(known, null, null, fragment)
        } else {
            indices += given ?: indices.size.toLong()
            val call = indices.lastIndex
            out += Delta.ToolCallDelta(call, id ?: "call_$call", name, fragment.orEmpty())
        }
        id = null
        name = null
        arguments = null
    }

    private object ToolCall : JsonNames("id", "function") {
        const val ID = 0
        const val FUNCTION = 1
    }

    private object CallFunction : JsonNames("name", "arguments") {
        const val NAME = 0
        const val ARGUMENTS = 1
    }
}
