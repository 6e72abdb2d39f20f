package dev.unifiedllm.protocol.ollama

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.plainUsage
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame

/** Reads the lines of `/api/chat`; the text of `/api/generate` as well, whose lines differ in one field. */
internal class OllamaChatDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val content = mutableListOf<Delta>()
    private var model: String? = null
    private var started = false
    private var done = false
    private var reason: String? = null
    private var calls = 0
    private var promptTokens: Long? = null
    private var answerTokens: Long? = null

    override val progress: Progress get() = if (done) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        var error: String? = null
        json.reset(frame.bytes, frame.start, frame.end)
        val isLine = json.members(LINE) { member ->
            when (member) {
                0 -> json.stringOrNull()?.let { model = it }
                1 -> message()
                2 -> content.addText(json.stringOrNull())
                3 -> content.addReasoning(json.stringOrNull())
                4 -> done = json.booleanOrNull() == true
                5 -> reason = json.stringOrNull()
                6 -> promptTokens = json.tokens()
                7 -> answerTokens = json.tokens()
                8 -> error = json.stringOrNull()
            }
        }
        if (!isLine) return
        json.end()
        error?.let { throw HttpErrors(target).exception(ProviderError(it)) }
        if (!started) {
            started = true
            out += Delta.Start(null, target.id, model)
        }
        out += content
        content.clear()
    }

    private fun message() {
        json.members(MESSAGE) { member ->
            when (member) {
                0 -> content.addText(json.stringOrNull())
                1 -> content.addReasoning(json.stringOrNull())
                2 -> json.elements { toolCall() }
            }
        }
    }

    /** Whole at once: the arguments are an object. */
    private fun toolCall() {
        var id: String? = null
        var name: String? = null
        var arguments = ""
        val isCall = json.members(CALL) { member ->
            when (member) {
                0 -> id = json.stringOrNull()
                1 -> json.members(FUNCTION) { field -> if (field == 0) name = json.stringOrNull() else arguments = json.arguments() }
            }
        }
        if (!isCall) return
        content += Delta.ToolCallDelta(calls, id?.ifEmpty { null } ?: "call_$calls", name, arguments)
        calls++
    }

    override fun finish(out: MutableList<Delta>) {
        val kind = when {
            calls > 0 -> Kind.TOOL_CALLS
            reason == "stop" -> Kind.STOP
            reason == "length" -> Kind.LENGTH
            reason == null -> Kind.UNKNOWN
            else -> Kind.OTHER
        }
        out.addFinish(FinishReason(kind, reason), plainUsage(promptTokens, answerTokens))
    }

    private companion object {
        val LINE = JsonNames("model", "message", "response", "thinking", "done", "done_reason", "prompt_eval_count", "eval_count", "error")
        val MESSAGE = JsonNames("content", "thinking", "tool_calls")
        val CALL = JsonNames("id", "function")
        val FUNCTION = JsonNames("name", "arguments")
    }
}
