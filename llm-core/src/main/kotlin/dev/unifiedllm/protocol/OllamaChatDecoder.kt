package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.Frame
import dev.unifiedllm.transport.HttpErrors
import dev.unifiedllm.transport.ProviderError

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
        if (!json.enterObject()) return
        while (true) {
            when (json.next(LINE)) {
                0 -> json.stringOrNull()?.let { model = it }
                1 -> message()
                2 -> json.stringOrNull()?.let { if (it.isNotEmpty()) content += Delta.Text(it) }
                3 -> json.stringOrNull()?.let { if (it.isNotEmpty()) content += Delta.Reasoning(it) }
                4 -> done = json.booleanOrNull() == true
                5 -> reason = json.stringOrNull()
                6 -> promptTokens = json.longOrNull()?.takeIf { it >= 0 }
                7 -> answerTokens = json.longOrNull()?.takeIf { it >= 0 }
                8 -> error = json.stringOrNull()
                JsonNames.END -> break
                else -> json.skip()
            }
        }
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
        if (!json.enterObject()) return
        while (true) {
            when (json.next(MESSAGE)) {
                0 -> json.stringOrNull()?.let { if (it.isNotEmpty()) content += Delta.Text(it) }
                1 -> json.stringOrNull()?.let { if (it.isNotEmpty()) content += Delta.Reasoning(it) }
                2 -> if (json.enterArray()) while (json.nextElement()) toolCall()
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    /** Whole at once: the arguments are an object. */
    private fun toolCall() {
        if (!json.enterObject()) return
        var id: String? = null
        var name: String? = null
        var arguments = ""
        while (true) {
            when (json.next(CALL)) {
                0 -> id = json.stringOrNull()
                1 -> if (json.enterObject()) {
                    while (true) {
                        when (json.next(FUNCTION)) {
                            0 -> name = json.stringOrNull()
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
        content += Delta.ToolCallDelta(calls, id?.ifEmpty { null } ?: "call_$calls", name, arguments)
        calls++
    }

    override fun finish(out: MutableList<Delta>) {
        val usage = if (promptTokens == null && answerTokens == null) {
            out += Delta.Warning("the server did not report the tokens used")
            null
        } else {
            Usage.build {
                inputTokens = promptTokens
                outputTokens = answerTokens
            }
        }
        val kind = when {
            calls > 0 -> Kind.TOOL_CALLS
            reason == "stop" -> Kind.STOP
            reason == "length" -> Kind.LENGTH
            reason == null -> Kind.UNKNOWN
            else -> Kind.OTHER
        }
        out += Delta.Finish(FinishReason(kind, reason), usage)
    }

    private companion object {
        val LINE = JsonNames("model", "message", "response", "thinking", "done", "done_reason", "prompt_eval_count", "eval_count", "error")
        val MESSAGE = JsonNames("content", "thinking", "tool_calls")
        val CALL = JsonNames("id", "function")
        val FUNCTION = JsonNames("name", "arguments")
    }
}
