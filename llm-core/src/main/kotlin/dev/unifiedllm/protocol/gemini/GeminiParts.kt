package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.source

/** One part of a chunk, as it is read before it is known which answer it belongs to. */
internal class GeminiPart {
    var text: String? = null
    var isThought = false
    var seal: String? = null
    var call: GeminiCall? = null
    var media: Delta.Media? = null

    /** True where something unknown stands in it: with nothing beside it, it is neither text nor a call, such as code that the provider ran. */
    var isOther = false

    fun read(json: JsonCursor) {
        while (true) {
            when (json.next(PART)) {
                0 -> text = json.stringOrNull()
                1 -> isThought = json.booleanOrNull() == true
                2, 3 -> seal = json.stringOrNull()?.ifEmpty { null }
                4 -> if (json.kind() == JsonKind.OBJECT) call = GeminiCall().also { it.read(json) } else json.skip()
                5 -> media = media(json, "data") { type, data -> "data:$type;base64,$data" }
                6 -> media = media(json, "fileUri") { _, url -> url }
                JsonNames.END -> return
                else -> {
                    isOther = true
                    json.skip()
                }
            }
        }
    }

    private fun media(json: JsonCursor, field: String, url: (String, String) -> String): Delta.Media? {
        val names = JsonNames("mimeType", field)
        var type: String? = null
        var value: String? = null
        json.members(names) { member ->
            when (member) {
                0 -> type = json.stringOrNull()
                1 -> value = json.stringOrNull()
            }
        }
        val mediaType = type ?: "application/octet-stream"
        return value?.let { Delta.Media(mediaType, url(mediaType, it)) }
    }

    private companion object {
        val PART = JsonNames("text", "thought", "thoughtSignature", "thought_signature", "functionCall", "inlineData", "fileData")
    }
}

/** A call, or a piece of one: pieces after the first have no name. */
internal class GeminiCall {
    var name: String? = null
    var id: String? = null
    var arguments: String? = null
    var willContinue = false

    /** The text of `partialArgs`, whose call may have begun in a chunk before; null where there are none. */
    var leaves: String? = null

    fun read(json: JsonCursor) {
        json.members(CALL) { member ->
            when (member) {
                0 -> name = json.stringOrNull()?.ifEmpty { null }
                1 -> id = json.stringOrNull()?.ifEmpty { null }
                2 -> arguments = if (json.kind() == JsonKind.OBJECT) json.raw() else null.also { json.skip() }
                3 -> leaves = json.raw()
                4 -> willContinue = json.booleanOrNull() == true
            }
        }
    }

    private companion object {
        val CALL = JsonNames("name", "id", "args", "partialArgs", "willContinue")
    }
}

/** One of the answers, as it grows. */
internal class GeminiChoice(private val index: Int) {
    var finish: String? = null
    var message: String? = null
    val hasCalls: Boolean get() = calls > 0
    private var calls = 0

    /** The arguments of the call that is still to be continued. */
    private var open: GeminiArguments? = null

    fun add(part: GeminiPart, out: MutableList<Delta>) {
        val call = part.call
        val text = part.text
        when {
            call != null -> call(call, part.seal, out)
            part.isOther && text == null && part.media == null -> Unit
            part.media != null -> if (!part.isThought) out += part.media!!
            part.isThought -> if (!text.isNullOrEmpty() || part.seal != null) out += Delta.Reasoning(text.orEmpty(), part.seal, index)
            else -> {
                // A seal over a text is a thought that the provider hides; it stands before what it seals.
                part.seal?.let { out += Delta.Reasoning("", it, index, isRedacted = true) }
                if (!text.isNullOrEmpty()) out += Delta.Text(text, index)
            }
        }
    }

    private fun call(call: GeminiCall, seal: String?, out: MutableList<Delta>) {
        if (call.name != null) {
            close(out)
            val whole = if (call.willContinue || call.leaves != null) "" else call.arguments ?: "{}"
            out += Delta.ToolCallDelta(calls, call.id ?: GeminiContent.madeCallId(calls), call.name, whole, index, seal)
            calls++
            if (whole.isNotEmpty()) return
            open = GeminiArguments()
        }
        val arguments = open ?: return
        call.leaves?.let { arguments.read(it) }
        if (!call.willContinue) close(out)
    }

    /** Hands over the arguments that came leaf by leaf. */
    fun close(out: MutableList<Delta>) {
        val arguments = open ?: return
        open = null
        out += Delta.ToolCallDelta(calls - 1, null, null, arguments.json(), index)
    }
}

/** What the answer rests on: each address once, in the order in which it came. */
internal class GeminiSources {
    private val byUrl = linkedMapOf<String, Delta.Source>()

    val found: Collection<Delta.Source> get() = byUrl.values

    fun readGrounding(json: JsonCursor) {
        json.members(GROUNDING) { json.elements { json.members(CHUNK) { source(json) } } }
    }

    fun readCitations(json: JsonCursor) {
        json.members(CITATIONS) { json.elements { source(json) } }
    }

    private fun source(json: JsonCursor) {
        var url: String? = null
        var title: String? = null
        json.members(SOURCE) { member -> if (member == 0) url = json.stringOrNull() else title = json.stringOrNull()?.ifEmpty { null } }
        url?.ifEmpty { null }?.let { if (byUrl[it]?.title == null) byUrl[it] = Delta.Source(it, title) }
    }

    private companion object {
        val GROUNDING = JsonNames("groundingChunks")
        val CHUNK = JsonNames("web", "retrievedContext", "maps")
        val CITATIONS = JsonNames("citationSources", "citations")
        val SOURCE = JsonNames("uri", "title")
    }
}
