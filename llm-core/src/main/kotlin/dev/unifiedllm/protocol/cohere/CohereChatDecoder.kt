package dev.unifiedllm.protocol.cohere

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
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.source
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame

/**
 * Reads the events of `/v2/chat`, and its whole answers, which have the same members without the events around them.
 *
 * `message-end` is the terminal event; `[DONE]`, which may follow, says nothing more.
 */
internal class CohereChatDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val content = mutableListOf<Delta>()
    private val calls = mutableListOf<Long>()
    private val sources = mutableSetOf<String>()
    private val usage = CohereUsage()
    private var id: String? = null
    private var started = false
    private var ended = false
    private var reason: String? = null
    private var error: String? = null
    private var errorType: String? = null

    // the tool call, or the piece of one, in the event that is being read
    private var event: Long = 0
    private var callId: String? = null
    private var callName: String? = null
    private var arguments: String? = null

    override val progress: Progress get() = if (ended) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        if (frame.end - frame.start == DONE.size && DONE.indices.all { frame.bytes[frame.start + it] == DONE[it] }) return
        json.reset(frame.bytes, frame.start, frame.end)
        var type: String? = null
        var isWhole = false
        event = calls.size.toLong()
        val isEvent = json.members(EVENT) { member ->
            when (member) {
                0 -> type = json.stringOrNull()
                1 -> id = json.stringOrNull() ?: id
                2 -> json.longOrNull()?.let { event = it }
                3 -> delta()
                4 -> isWhole = messageOrError()
                5 -> reason = json.stringOrNull()
                6 -> usage.read(json)
                7 -> error = text() ?: error
                8 -> errorType = json.stringOrNull() ?: errorType
            }
        }
        if (!isEvent) return
        json.end()
        addCall()
        ended = type == "message-end" || (type == null && (isWhole || reason != null))
        if (ended || type == null || error != null) {
            failure()?.let { failed ->
                deliver(out)
                throw failed
            }
        }
        if (type == "message-start" || ended || content.isNotEmpty()) deliver(out)
    }

    private fun deliver(out: MutableList<Delta>) {
        if (!started && (content.isNotEmpty() || error == null)) {
            started = true
            out += Delta.Start(id, target.id)
        }
        out += content
        content.clear()
    }

    private fun failure(): RuntimeException? {
        val code = reason?.takeIf { it.startsWith("ERROR") || it == "TIMEOUT" }
        if (error == null && code == null) return null
        val type = if (code == "ERROR_TOXIC") "content_filter" else errorType
        return HttpErrors(target).exception(ProviderError(error ?: "the answer ended with $code", type, code))
    }

    private fun text(): String? = if (json.kind() == JsonKind.STRING) json.string() else json.raw().takeUnless { it == "null" }

    /** `message` is the whole answer, or what went wrong. */
    private fun messageOrError(): Boolean {
        if (json.kind() == JsonKind.STRING) {
            error = json.string()
            return false
        }
        message()
        return true
    }

    private fun delta() {
        json.members(DELTA) { member ->
            when (member) {
                0 -> message()
                1 -> reason = json.stringOrNull()
                2 -> usage.read(json)
                3 -> error = text() ?: error
                4 -> errorType = json.stringOrNull() ?: errorType
            }
        }
    }

    private fun message() {
        json.members(MESSAGE) { member ->
            when (member) {
                0 -> each { block() }
                1 -> content.addReasoning(json.stringOrNull())
                2 -> toolCalls()
                3 -> each { citation() }
            }
        }
    }

    /** Events carry one object where whole answers carry a list. */
    private inline fun each(read: () -> Unit) {
        if (json.kind() != JsonKind.ARRAY) return read()
        json.beginArray()
        while (json.nextElement()) read()
    }

    private fun block() {
        if (json.kind() == JsonKind.STRING) return content.addText(json.string())
        json.members(BLOCK) { member ->
            when (member) {
                0 -> content.addText(json.stringOrNull())
                1 -> content.addReasoning(json.stringOrNull())
            }
        }
    }

    /** One, or a piece of one, whose index may stand after it; or all of them. */
    private fun toolCalls() {
        if (json.kind() != JsonKind.ARRAY) return toolCall()
        json.beginArray()
        while (json.nextElement()) {
            toolCall()
            event = calls.size.toLong()
            addCall()
        }
    }

    private fun toolCall() {
        json.members(CALL) { member ->
            when (member) {
                0 -> callId = json.stringOrNull()?.ifEmpty { null }
                1 -> function()
            }
        }
    }

    private fun function() {
        json.members(FUNCTION) { member ->
            when (member) {
                0 -> callName = json.stringOrNull()?.ifEmpty { null }
                1 -> arguments = json.arguments()
            }
        }
    }

    private fun addCall() {
        val fragment = arguments
        if (callId == null && callName == null && fragment == null) return
        val known = calls.lastIndexOf(event)
        if (callId == null && callName == null && known >= 0) {
            if (!fragment.isNullOrEmpty()) content += Delta.ToolCallDelta(known, null, null, fragment)
        } else {
            calls += event
            val number = calls.lastIndex
            content += Delta.ToolCallDelta(number, callId ?: "call_$number", callName, fragment.orEmpty())
        }
        callId = null
        callName = null
        arguments = null
    }

    private fun citation() {
        json.members(CITATION) { each { source() } }
    }

    /** A document or a tool's result; known by its own URL, else by the id that the request gave it. Named once, however often it is cited. */
    private fun source() {
        var id: String? = null
        var url: String? = null
        var title: String? = null
        json.members(SOURCE) { member ->
            when (member) {
                0 -> id = json.stringOrNull()
                1 -> json.members(DOCUMENT) { field -> if (field == 0) url = json.stringOrNull() else title = json.stringOrNull() }
            }
        }
        val name = url ?: id ?: return
        if (sources.add(name)) content += Delta.Source(name, title)
    }

    override fun finish(out: MutableList<Delta>) {
        val kind = when (reason) {
            "COMPLETE", "STOP_SEQUENCE" -> Kind.STOP
            "MAX_TOKENS" -> Kind.LENGTH
            "TOOL_CALL" -> Kind.TOOL_CALLS
            null -> Kind.UNKNOWN
            else -> Kind.OTHER
        }
        out.addFinish(FinishReason(kind, reason), usage.usage())
    }

    private companion object {
        val DONE = "[DONE]".encodeToByteArray()
        val EVENT = JsonNames("type", "id", "index", "delta", "message", "finish_reason", "usage", "error", "error_type")
        val DELTA = JsonNames("message", "finish_reason", "usage", "error", "error_type")
        val MESSAGE = JsonNames("content", "tool_plan", "tool_calls", "citations")
        val BLOCK = JsonNames("text", "thinking")
        val CALL = JsonNames("id", "function")
        val FUNCTION = JsonNames("name", "arguments")
        val CITATION = JsonNames("sources")
        val SOURCE = JsonNames("id", "document")
        val DOCUMENT = JsonNames("url", "title")
    }
}
