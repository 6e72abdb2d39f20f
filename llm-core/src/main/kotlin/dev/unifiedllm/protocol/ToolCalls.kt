package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject

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
internal class OpenCall(val wireIndex: Int?, val id: String?, var name: String?) {
    /** What has come of them, kept where no id tells this call from the next. */
    private val arguments = if (id == null) StringBuilder() else null

    fun add(fragment: String) {
        arguments?.append(fragment)
    }

    /**
     * True if a fragment at its place belongs to it. Another id begins a new call; without a name it is only a server's that makes one for each
     * fragment. Where neither has an id another name begins a new call, and so does the same once the arguments are whole.
     */
    fun continues(id: String?, name: String?, isIndexed: Boolean): Boolean = when {
        id != null && this.id != null -> id == this.id || (isIndexed && name == null)
        id != null || arguments == null || name == null || this.name == null -> true
        else -> name == this.name && !isWhole(arguments)
    }

    private fun isWhole(text: CharSequence): Boolean {
        if (!text.endsWith('}')) return false
        return try {
            Json.parseToJsonElement(text.toString()) is JsonObject
        } catch (_: SerializationException) {
            false
        }
    }
}

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

    /** Adds the fragments as deltas: a fragment belongs to the last call with its index, else with its id, unless it begins another. */
    fun addTo(out: MutableList<Delta>, state: ChoiceState, choice: Int) {
        for (fragment in fragments ?: return) {
            val known = state.calls.indexOfLast { call ->
                if (fragment.index != null) call.wireIndex == fragment.index else fragment.id == null || call.id == fragment.id
            }
            val call = state.calls.getOrNull(known)
            if (call?.continues(fragment.id, fragment.name, fragment.index != null) == true) {
                val name = fragment.name.takeIf { call.name == null }
                call.name = call.name ?: name
                call.add(fragment.arguments)
                if (fragment.arguments.isNotEmpty() || name != null) out += Delta.ToolCallDelta(known, null, name, fragment.arguments, choice)
            } else {
                state.calls += OpenCall(fragment.index, fragment.id, fragment.name).apply { add(fragment.arguments) }
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
