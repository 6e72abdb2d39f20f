package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.BracketCount
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.isOpenObject
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.protocol.json.members
import kotlinx.serialization.json.JsonObject

/** The state of one choice of a response. */
internal class ChoiceState {
    var finish: String? = null

    /** True once a delta of it has come. A complete message in a later chunk then repeats what is known. */
    var isStreamed = false

    /** True if it came as a complete message. */
    var isWhole = false

    /** True if content came after a finish reason: this server's finish reasons do not tell the end. */
    var hasEarlyFinish = false
        private set

    /** True if the finish reason came with content. Some servers send one with every piece of content, so that more may follow. */
    var isFinishDoubtful = false
        private set

    val isComplete: Boolean get() = isWhole || (finish != null && !hasEarlyFinish)
    val calls = mutableListOf<OpenCall>()

    /** The last value of the finish reason, also one that does not end the response; null if there was none. */
    var lastWord: String? = null
        private set

    /** True once content of it has come. */
    var hasContent = false
        private set

    /** Notes a chunk. @param word its finish reason; null if it has none. @param isFinish false if the word does not end the response */
    fun read(hasContent: Boolean, word: String?, isFinish: Boolean) {
        if (hasContent) this.hasContent = true
        if (hasContent && this.finish != null) hasEarlyFinish = true
        lastWord = word ?: lastWord
        val finish = word?.takeIf { isFinish } ?: return
        if (this.finish == null || hasEarlyFinish || isFinishDoubtful) this.finish = finish
        isFinishDoubtful = hasContent
        if (!hasContent) hasEarlyFinish = false
    }
}

/** A tool call of which at least one fragment has come. */
internal class OpenCall(val wireIndex: Int?, val id: String?, var name: String?) {
    private val arguments = StringBuilder()
    private val brackets = BracketCount()

    /** True if the arguments so far are the beginning of an object: more must follow. */
    val isCut: Boolean get() = isOpenObject(arguments)

    fun add(fragment: String) {
        arguments.append(fragment)
    }

    /**
     * True if a fragment at the same place belongs to this call.
     *
     * A new id begins a new call, unless the fragment has an index and no name: some servers give each fragment an id of its own. Without ids a new
     * name begins a new call, and so does the same name once the arguments are complete.
     */
    fun continues(id: String?, name: String?, isIndexed: Boolean): Boolean = when {
        id != null && this.id != null -> id == this.id || (isIndexed && name == null)
        id != null || this.id != null || name == null || this.name == null -> true
        else -> name == this.name && !isComplete()
    }

    /** The name with [fragment] of it, before the arguments have begun: some servers send it in pieces, others repeat it. Null if it stays as it is. */
    fun nameWith(fragment: String?): String? {
        val name = name ?: return fragment
        return if (fragment == null || fragment == name || arguments.isNotEmpty()) null else name + fragment
    }

    private fun isComplete(): Boolean {
        brackets.readOn(arguments)
        return arguments.endsWith('}') && !brackets.isOpen && jsonElementOrNull(arguments.toString()) is JsonObject
    }
}

/**
 * The `tool_calls` of one chunk. They are read before the choice is known to which they belong.
 *
 * @param signature the signature in a field of a call, given the name of the field and its JSON text; null if there is none in it
 */
internal class CallFragments(private val signature: (String, String) -> String? = { _, _ -> null }) {
    private class Fragment(val index: Int?, val id: String?, val name: String?, val arguments: String, val signature: String? = null)

    private var fragments: MutableList<Fragment>? = null
    private var legacy: Fragment? = null

    fun read(json: JsonCursor) {
        json.elements { readOne(json) }
    }

    private fun readOne(json: JsonCursor) {
        var index: Int? = null
        var id: String? = null
        var function = NO_FUNCTION
        var signature: String? = null
        val isCall = json.members(CallMember) { member ->
            when (member) {
                CallMember.INDEX -> index = json.longOrNull()?.toInt()
                CallMember.ID -> id = json.stringOrNull()?.ifEmpty { null }
                CallMember.FUNCTION -> function = function(json)
                CallMember.EXTRA_CONTENT, CallMember.PROVIDER_SPECIFIC_FIELDS -> signature = signature(CallMember.names[member], json.raw()) ?: signature
            }
        }
        if (isCall) add(Fragment(index, id, function.first, function.second, signature))
    }

    /** Reads `function_call`, the older form of `tool_calls`: one call without an id. It is empty if there is no call. Some servers send both forms. */
    fun readLegacy(json: JsonCursor) {
        val (name, arguments) = function(json)
        if (name != null || arguments.isNotEmpty()) legacy = Fragment(null, null, name, arguments)
    }

    val isEmpty: Boolean get() = fragments == null && legacy == null

    private fun function(json: JsonCursor): Pair<String?, String> {
        var name: String? = null
        var arguments = ""
        json.members(FunctionMember) { member ->
            when (member) {
                FunctionMember.NAME -> name = json.stringOrNull()?.ifEmpty { null }
                FunctionMember.ARGUMENTS -> arguments = json.arguments()
            }
        }
        return name to arguments
    }

    private fun add(fragment: Fragment) {
        val list = fragments ?: mutableListOf<Fragment>().also { fragments = it }
        list += fragment
    }

    /** Adds the fragments as deltas. A fragment belongs to the last call with its index or, if it has none, with its id, unless it begins a new call. */
    fun addTo(out: MutableList<Delta>, state: ChoiceState, choice: Int) {
        for (fragment in fragments ?: listOf(legacy ?: return)) {
            val known = state.calls.indexOfLast { call ->
                if (fragment.index != null) call.wireIndex == fragment.index else fragment.id == null || call.id == fragment.id
            }
            val call = state.calls.getOrNull(known)
            if (call?.continues(fragment.id, fragment.name, fragment.index != null) == true) {
                val name = call.nameWith(fragment.name)
                call.name = name ?: call.name
                call.add(fragment.arguments)
                if (fragment.arguments.isNotEmpty() || name != null || fragment.signature != null) {
                    out += Delta.ToolCallDelta(known, null, name, fragment.arguments, choice, fragment.signature)
                }
            } else {
                state.calls += OpenCall(fragment.index, fragment.id, fragment.name).apply { add(fragment.arguments) }
                val index = state.calls.lastIndex
                out += Delta.ToolCallDelta(index, fragment.id ?: "call_$index", fragment.name, fragment.arguments, choice, fragment.signature)
            }
        }
    }

    private companion object {
        val NO_FUNCTION: Pair<String?, String> = null to ""
    }

    private object CallMember : JsonNames("index", "id", "function", "extra_content", "provider_specific_fields") {
        const val INDEX = 0
        const val ID = 1
        const val FUNCTION = 2
        const val EXTRA_CONTENT = 3
        const val PROVIDER_SPECIFIC_FIELDS = 4
    }

    private object FunctionMember : JsonNames("name", "arguments") {
        const val NAME = 0
        const val ARGUMENTS = 1
    }
}

/** Reads the arguments of a tool call as text. Some servers send them as an object. */
internal fun JsonCursor.arguments(): String = when (kind()) {
    JsonKind.STRING -> string()
    JsonKind.NULL -> {
        skip()
        ""
    }
    else -> raw()
}
