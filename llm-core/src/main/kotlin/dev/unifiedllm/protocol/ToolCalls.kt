package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta

/** What is known of one of the answers so far. */
internal class ChoiceState {
    var finish: String? = null

    /** True once a piece of it has come; what a later chunk says in full is then known. */
    var isStreamed = false

    /** True when it came in full. */
    var isWhole = false
    val isComplete: Boolean get() = finish != null || isWhole
    val calls = mutableListOf<OpenCall>()
}

/** A tool call whose first fragment has come. */
internal class OpenCall(val wireIndex: Int?, val id: String?)

/** The `tool_calls` of one chunk, read before it is known which answer they belong to. */
internal class CallFragments {
    private class Fragment(val index: Int?, val id: String?, val name: String?, val arguments: String)

    private var fragments: MutableList<Fragment>? = null

    fun read(json: JsonCursor) {
        json.elements { readOne(json) }
    }

    private fun readOne(json: JsonCursor) {
        var index: Int? = null
        var id: String? = null
        var function = NO_FUNCTION
        val isCall = json.members(CALL) { member ->
            when (member) {
                0 -> index = json.longOrNull()?.toInt()
                1 -> id = json.stringOrNull()?.ifEmpty { null }
                2 -> function = function(json)
            }
        }
        if (isCall) add(Fragment(index, id, function.first, function.second))
    }

    /** The one call of `function_call`, which came before there were `tool_calls`: without an id, and empty where there is none. */
    fun readLegacy(json: JsonCursor) {
        val (name, arguments) = function(json)
        if (name != null || arguments.isNotEmpty()) add(Fragment(null, null, name, arguments))
    }

    val isEmpty: Boolean get() = fragments == null

    private fun function(json: JsonCursor): Pair<String?, String> {
        var name: String? = null
        var arguments = ""
        json.members(FUNCTION) { member -> if (member == 0) name = json.stringOrNull()?.ifEmpty { null } else arguments = json.arguments() }
        return name to arguments
    }

    private fun add(fragment: Fragment) {
        val read = fragments ?: mutableListOf<Fragment>().also { fragments = it }
        read += fragment
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
                val index = state.calls.lastIndex
                out += Delta.ToolCallDelta(index, fragment.id ?: "call_$index", fragment.name, fragment.arguments, choice)
            }
        }
    }

    private companion object {
        val CALL = JsonNames("index", "id", "function")
        val FUNCTION = JsonNames("name", "arguments")
        val NO_FUNCTION: Pair<String?, String> = null to ""
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
