package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.ChoiceState
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.provider.Target

/** One part of a candidate in a chunk. It is read before the index of its candidate is known. */
internal class GeminiPart {
    var text: String? = null
    var isReasoning = false
    var signature: String? = null
    var call: GeminiCall? = null
    var media: Delta.Media? = null

    /** The name of its first unknown member. */
    private var unknown: String? = null

    /** The part, if it has an unknown member and none that is known: code that the provider ran, its output, or content of another kind. */
    private var raw: Delta.Raw? = null

    fun read(json: JsonCursor) {
        val start = json.position()
        if (!json.enterObject()) return
        readMembers(json)
        val type = unknown
        if (type != null && text == null && media == null && call == null) raw = Delta.Raw(type, json.textFrom(start), GeminiGenerate.name)
    }

    /** The delta of a part that is not read but kept; null for a part of a known kind. */
    fun raw(choice: Int): Delta.Raw? = raw?.copy(choice = choice)

    private fun readMembers(json: JsonCursor) {
        while (true) {
            when (json.next(Part)) {
                Part.TEXT -> text = json.stringOrNull()
                Part.THOUGHT -> isReasoning = json.booleanOrNull() == true
                Part.THOUGHT_SIGNATURE, Part.THOUGHT_SIGNATURE_SNAKE -> signature = json.stringOrNull()?.ifEmpty { null }
                Part.FUNCTION_CALL -> if (json.kind() == JsonKind.OBJECT) call = GeminiCall().also { it.read(json) } else json.skip()
                Part.INLINE_DATA, Part.FILE_DATA, Part.INLINE_DATA_SNAKE, Part.FILE_DATA_SNAKE -> media = media(json)
                JsonNames.END -> return
                else -> {
                    if (unknown == null) unknown = json.name()
                    json.skip()
                }
            }
        }
    }

    /** Reads `inlineData`, which has `data`, or `fileData`, which has `fileUri`. */
    private fun media(json: JsonCursor): Delta.Media? {
        var mediaType = "application/octet-stream"
        var data: String? = null
        var url: String? = null
        json.members(Media) { member ->
            when (member) {
                Media.MIME_TYPE, Media.MIME_TYPE_SNAKE -> json.stringOrNull()?.let { mediaType = it }
                Media.DATA -> data = json.stringOrNull()
                Media.FILE_URI, Media.FILE_URI_SNAKE -> url = json.stringOrNull()
            }
        }
        return (data?.let { "data:$mediaType;base64,$it" } ?: url)?.let { Delta.Media(mediaType, it) }
    }

    /** Some gateways write names in snake case. */
    private object Part : JsonNames(
        "text",
        "thought",
        "thoughtSignature",
        "thought_signature",
        "functionCall",
        "inlineData",
        "fileData",
        "inline_data",
        "file_data",
    ) {
        const val TEXT = 0
        const val THOUGHT = 1
        const val THOUGHT_SIGNATURE = 2
        const val THOUGHT_SIGNATURE_SNAKE = 3
        const val FUNCTION_CALL = 4
        const val INLINE_DATA = 5
        const val FILE_DATA = 6
        const val INLINE_DATA_SNAKE = 7
        const val FILE_DATA_SNAKE = 8
    }

    private object Media : JsonNames("mimeType", "data", "fileUri", "mime_type", "file_uri") {
        const val MIME_TYPE = 0
        const val DATA = 1
        const val FILE_URI = 2
        const val MIME_TYPE_SNAKE = 3
        const val FILE_URI_SNAKE = 4
    }
}

/** A tool call or a fragment of one. Only the first fragment has a name. */
internal class GeminiCall {
    var name: String? = null
    var id: String? = null
    var arguments: String? = null
    var willContinue = false

    /** The JSON text of `partialArgs`; null if the fragment has none. */
    var partialArguments: String? = null

    fun read(json: JsonCursor) {
        json.members(FunctionCall) { member ->
            when (member) {
                FunctionCall.NAME -> name = json.stringOrNull()?.ifEmpty { null }
                FunctionCall.ID -> id = json.stringOrNull()?.ifEmpty { null }
                FunctionCall.ARGS -> arguments = arguments(json) ?: arguments
                FunctionCall.PARTIAL_ARGS -> partialArguments = json.raw()
                FunctionCall.WILL_CONTINUE -> willContinue = json.booleanOrNull() == true
            }
        }
    }

    /** An object, or a text with its JSON, which some gateways send. */
    private fun arguments(json: JsonCursor): String? = when (json.kind()) {
        JsonKind.OBJECT -> json.raw()
        JsonKind.STRING -> json.string().takeUnless { it.isBlank() || it == "null" }
        else -> {
            json.skip()
            null
        }
    }

    private object FunctionCall : JsonNames("name", "id", "args", "partialArgs", "willContinue") {
        const val NAME = 0
        const val ID = 1
        const val ARGS = 2
        const val PARTIAL_ARGS = 3
        const val WILL_CONTINUE = 4
    }
}

/** The state of one candidate while its parts arrive. */
internal class GeminiChoice(private val index: Int, private val target: Target) {
    val state = ChoiceState()
    var finishMessage: String? = null
    val hasCalls: Boolean get() = calls > 0
    private var calls = 0

    /** The arguments of a tool call that will continue. */
    private var open: GeminiArguments? = null

    fun add(part: GeminiPart, out: MutableList<Delta>) {
        val call = part.call
        val text = part.text
        val media = part.media
        val raw = part.raw(index)
        when {
            call != null -> call(call, part.signature, out)
            raw != null -> out += raw
            media != null -> if (!part.isReasoning) out += media
            part.isReasoning -> if (!text.isNullOrEmpty() || part.signature != null) out += Delta.Reasoning(text.orEmpty(), part.signature, index)
            else -> {
                // A text has no signature of its own in our model: it becomes redacted reasoning before the text.
                part.signature?.let { out += Delta.Reasoning("", it, index, isRedacted = true) }
                if (!text.isNullOrEmpty()) out += Delta.Text(text, index)
            }
        }
    }

    private fun call(call: GeminiCall, signature: String?, out: MutableList<Delta>) {
        if (call.name != null) {
            close(out)
            val arguments = if (call.willContinue || call.partialArguments != null) "" else call.arguments ?: "{}"
            out += Delta.ToolCallDelta(calls, call.id ?: GeminiContent.generatedCallId(calls), call.name, arguments, index, signature)
            calls++
            if (arguments.isNotEmpty()) return
            open = GeminiArguments(target)
        }
        val arguments = open ?: return
        call.partialArguments?.let { arguments.read(it) }
        if (!call.willContinue) close(out)
    }

    /** Adds the arguments that arrived as `partialArgs`. */
    fun close(out: MutableList<Delta>) {
        val arguments = open ?: return
        open = null
        out += Delta.ToolCallDelta(calls - 1, null, null, arguments.json(), index)
    }
}
