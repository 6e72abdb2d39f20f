package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta

/** What is known of one of the answers so far. */
internal class ChoiceState {
    var finish: String? = null
    val calls = mutableListOf<OpenCall>()
}

/** A tool call whose first fragment has come. */
internal class OpenCall(val wireIndex: Int?, val id: String?)

/** The `tool_calls` of one chunk, read before it is known which answer they belong to. */
internal class CallFragments {
    private class Fragment(val index: Int?, val id: String?, val name: String?, val arguments: String)

    private var fragments: MutableList<Fragment>? = null

    fun read(json: JsonCursor) {
        if (!json.enterArray()) return
        while (json.nextElement()) if (json.enterObject()) readOne(json)
    }

    private fun readOne(json: JsonCursor) {
        var index: Int? = null
        var id: String? = null
        var name: String? = null
        var arguments = ""
        while (true) {
            when (json.next(CALL)) {
                0 -> index = json.longOrNull()?.toInt()
                1 -> id = json.stringOrNull()?.ifEmpty { null }
                2 -> if (json.enterObject()) {
                    while (true) {
                        when (json.next(FUNCTION)) {
                            0 -> name = json.stringOrNull()?.ifEmpty { null }
                            1 -> arguments = json.arguments()
                            JsonNames.END -> break
                            else -> json.skip()
                        }
                    }
                }
                JsonNames.END -> break
                else -> json.skip()
            }
        }
        val read = fragments ?: mutableListOf<Fragment>().also { fragments = it }
        read += Fragment(index, id, name, arguments)
    }

    /** Adds the fragments as deltas: a fragment belongs to the call with its index, unless it brings another id, which begins a new call. */
    fun addTo(out: MutableList<Delta>, state: ChoiceState, choice: Int) {
        for (fragment in fragments ?: return) {
            val known = state.calls.indexOfLast { call ->
                if (fragment.index != null) call.wireIndex == fragment.index else fragment.id == null || call.id == fragment.id
            }
            val continues = known >= 0 && (fragment.id == null || state.calls[known].id == null || fragment.id == state.calls[known].id)
            if (continues) {
                if (fragment.arguments.isNotEmpty()) out += Delta.ToolCallDelta(known, null, null, fragment.arguments, choice)
            } else {
                state.calls += OpenCall(fragment.index, fragment.id)
                out += Delta.ToolCallDelta(state.calls.lastIndex, fragment.id, fragment.name, fragment.arguments, choice)
            }
        }
    }

    private companion object {
        val CALL = JsonNames("index", "id", "function")
        val FUNCTION = JsonNames("name", "arguments")
    }
}

/** Arguments as text, also where a server sends them as an object. */
internal fun JsonCursor.arguments(): String = when (kind()) {
    JsonKind.STRING -> string()
    JsonKind.NULL -> {
        skip()
        ""
    }
    else -> raw()
}
