package dev.unifiedllm.protocol.ollama

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.RepeatedText
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.checkFinish
import dev.unifiedllm.protocol.errorOf
import dev.unifiedllm.protocol.finishKind
import dev.unifiedllm.protocol.imageTypeOf
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.plainUsage
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.framing.Frame

/** Decodes the lines of `/api/chat`, and those of `/api/generate`, which have their text in another field. */
internal class OllamaChatDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val content = mutableListOf<Delta>()
    private var model: String? = null
    private var started = false
    private var done = false
    private var reason: String? = null
    private var calls = 0
    private var promptTokens: Long? = null
    private var outputTokens: Long? = null

    override val progress: Progress get() = if (done) Progress.DONE else Progress.OPEN

    override val endsWithoutReason: Boolean get() = done && reason == null && calls == 0

    private val repeated = RepeatedText()

    override val repeats: TextTemplate? get() = repeated.template

    override fun repeat(text: String): Delta = repeated.delta(text)

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        var error: String? = null
        repeated.begin()
        json.reset(frame.bytes, frame.start, frame.end)
        val isLine = json.members(Line) { member ->
            if (member !in REPEATED) repeated.unlessNull(json)
            when (member) {
                Line.MODEL -> json.stringOrNull()?.let { model = it }
                Line.MESSAGE -> message()
                Line.RESPONSE -> text()
                Line.THINKING -> thinking()
                Line.DONE -> done = json.booleanOrNull() == true
                Line.DONE_REASON -> json.stringOrNull()?.let { if (it.isNotEmpty()) reason = it }
                Line.PROMPT_EVAL_COUNT -> promptTokens = json.tokens(promptTokens)
                Line.EVAL_COUNT -> outputTokens = json.tokens(outputTokens)
                Line.IMAGE -> image()
                Line.ERROR -> error = json.raw().takeUnless(::isNoError)
            }
        }
        if (!isLine) return
        json.end()
        if (error == null || content.isNotEmpty()) start(out)
        if (error == null && !done) repeated.learn(json, frame, content)
        out += content
        content.clear()
        error?.let { throw HttpErrors(target).exception(errorOf(it, frame)) }
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(null, target.id, model)
    }

    private fun message() {
        json.members(Message) { member ->
            if (member != Message.CONTENT && member != Message.THINKING) repeated.unlessNull(json)
            when (member) {
                Message.CONTENT -> text()
                Message.THINKING -> thinking()
                Message.TOOL_CALLS -> json.elements { toolCall() }
                Message.IMAGES -> json.elements { image() }
                Message.IMAGE -> image()
            }
        }
    }

    private fun text() {
        val text = json.stringOrNull()
        if (text.isNullOrEmpty()) return
        content += Delta.Text(text)
        repeated.textRead(json)
    }

    private fun thinking() {
        val text = json.stringOrNull()
        if (text.isNullOrEmpty()) return
        content += Delta.Reasoning(text)
        repeated.textRead(json)
    }

    /** Reads an image, in Base64. The wire does not name its type: its first bytes tell. */
    private fun image() {
        val base64 = json.stringOrNull()?.ifEmpty { null } ?: return
        val type = imageTypeOf(base64) ?: "image/png"
        content += Delta.Media(type, "data:$type;base64,$base64")
    }

    /** A tool call is always whole: its arguments are an object. */
    private fun toolCall() {
        var id: String? = null
        var name: String? = null
        var arguments = ""
        val isCall = json.members(ToolCall) { member ->
            when (member) {
                ToolCall.ID -> id = json.stringOrNull()
                ToolCall.FUNCTION -> json.members(CallFunction) { field ->
                    when (field) {
                        CallFunction.NAME -> name = json.stringOrNull()
                        CallFunction.ARGUMENTS -> arguments = json.arguments()
                    }
                }
            }
        }
        if (!isCall) return
        content += Delta.ToolCallDelta(calls, id?.ifEmpty { null } ?: "call_$calls", name, arguments)
        calls++
    }

    override fun finish(out: MutableList<Delta>) {
        checkFinish(reason, target)
        val kind = when {
            calls > 0 -> Kind.TOOL_CALLS
            else -> reason?.let(::finishKind) ?: Kind.UNKNOWN
        }
        out.addFinish(FinishReason(kind, reason), plainUsage(promptTokens, outputTokens))
    }

    private object Line :
        JsonNames("model", "message", "response", "thinking", "done", "done_reason", "prompt_eval_count", "eval_count", "error", "image") {
        const val MODEL = 0
        const val MESSAGE = 1
        const val RESPONSE = 2
        const val THINKING = 3
        const val DONE = 4
        const val DONE_REASON = 5
        const val PROMPT_EVAL_COUNT = 6
        const val EVAL_COUNT = 7
        const val ERROR = 8
        const val IMAGE = 9
    }

    private object Message : JsonNames("content", "thinking", "tool_calls", "images", "image") {
        const val CONTENT = 0
        const val THINKING = 1
        const val TOOL_CALLS = 2
        const val IMAGES = 3
        const val IMAGE = 4
    }

    private companion object {
        /** The members of a line that is repeated. */
        val REPEATED = intArrayOf(Line.MODEL, Line.MESSAGE, Line.RESPONSE, Line.THINKING, Line.DONE)
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
