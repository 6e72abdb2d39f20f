package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.finishKind
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame

/**
 * Decodes the events of `/v2/chat`, and its whole bodies, which have the same members without events around them.
 *
 * `message-end` is the terminal event. A `[DONE]` after it is skipped.
 */
internal class CohereChatDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val content = mutableListOf<Delta>()
    private val calls = CohereToolCalls()
    private val sources = mutableSetOf<String>()
    private val usage = CohereUsage()
    private var id: String? = null
    private var started = false
    private var ended = false
    private var reason: String? = null
    private var error: String? = null
    private var errorType: String? = null

    /** What an event without a type says: an error, if no finish reason follows. */
    private var said: ProviderError? = null

    override val progress: Progress get() = if (ended) Progress.DONE else Progress.OPEN

    override val endsWithoutReason: Boolean get() = ended && reason == null

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        if (frame.end - frame.start == DONE.size && DONE.indices.all { frame.bytes[frame.start + it] == DONE[it] }) return
        json.reset(frame.bytes, frame.start, frame.end)
        var type: String? = null
        var isWhole = false
        calls.startEvent()
        val isEvent = json.members(Event) { member ->
            when (member) {
                Event.TYPE -> type = json.stringOrNull()
                Event.ID -> id = json.stringOrNull() ?: id
                Event.INDEX -> json.longOrNull()?.let { calls.index = it }
                Event.DELTA -> delta()
                Event.MESSAGE -> isWhole = messageOrError()
                Event.FINISH_REASON -> finishReason()
                Event.USAGE -> usage.read(json)
                Event.ERROR -> error = errorText() ?: error
                Event.ERROR_TYPE -> errorType = json.stringOrNull() ?: errorType
            }
        }
        if (!isEvent) return
        json.end()
        calls.addTo(content, type)
        if (error == null) readWords(type, isWhole, frame)
        if (type == "message-end" && !started && reason == null && error == null && said == null) {
            throw malformed(target, "it ends with message-end and has no message")
        }
        ended = type == "message-end" || (type == null && (isWhole || reason != null))
        if (ended || type == null || error != null) {
            (failure() ?: saidError())?.let { failure ->
                deliver(out)
                throw failure
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

    /** Throws an error that has neither of the members of errors, and keeps what may be one. */
    private fun readWords(type: String?, isWhole: Boolean, frame: Frame) {
        if (type.equals("error", ignoreCase = true)) throw HttpErrors(target).exception(ProviderError.of(frame.text()))
        if (type != null || isWhole || reason != null || content.isNotEmpty()) return
        ProviderError.of(frame.text()).let { if (it.message != null && !it.isSuccess) said = it }
    }

    private fun saidError(): RuntimeException? = said?.takeIf { endsWithoutReason }?.let { HttpErrors(target).exception(it) }

    private fun failure(): RuntimeException? {
        val code = reason?.takeIf { it.startsWith("ERROR", ignoreCase = true) || it.equals("TIMEOUT", ignoreCase = true) }
        if (error == null && code == null) return null
        error?.takeIf { it.startsWith('{') }?.let { return HttpErrors(target).exception(ProviderError.of("{\"error\":$it}")) }
        val type = if (code.equals("ERROR_TOXIC", ignoreCase = true)) "content_filter" else errorType
        return HttpErrors(target).exception(ProviderError(error ?: "the response ended with finish_reason $code", type, code))
    }

    private fun finishReason() {
        json.stringOrNull()?.let { if (it !in NO_REASON) reason = it }
    }

    private fun errorText(): String? = if (json.kind() == JsonKind.STRING) json.string().ifEmpty { null } else json.raw().takeUnless(::isNoError)

    /** Reads the top-level `message`: the message of a whole body (true), or the text of an error. */
    private fun messageOrError(): Boolean {
        if (json.kind() == JsonKind.STRING) {
            error = json.string().ifEmpty { null } ?: error
            return false
        }
        val isMessage = json.kind() == JsonKind.OBJECT
        message()
        return isMessage
    }

    private fun delta() {
        json.members(EventDelta) { member ->
            when (member) {
                EventDelta.MESSAGE -> message()
                EventDelta.FINISH_REASON -> finishReason()
                EventDelta.USAGE -> usage.read(json)
                EventDelta.ERROR -> error = errorText() ?: error
                EventDelta.ERROR_TYPE -> errorType = json.stringOrNull() ?: errorType
            }
        }
    }

    private fun message() {
        json.members(Message) { member ->
            when (member) {
                Message.CONTENT -> each { block() }
                Message.TOOL_PLAN -> content.addReasoning(json.stringOrNull())
                Message.TOOL_CALLS -> calls.read(json, content)
                Message.CITATIONS -> each { citation() }
            }
        }
    }

    /** Events have one object where whole bodies have a list. */
    private inline fun each(read: () -> Unit) {
        if (json.kind() != JsonKind.ARRAY) return read()
        json.beginArray()
        while (json.nextElement()) read()
    }

    private fun block() {
        if (json.kind() == JsonKind.STRING) return content.addText(json.string())
        json.members(Block) { member ->
            when (member) {
                Block.TEXT -> content.addText(json.stringOrNull())
                Block.THINKING -> content.addReasoning(json.stringOrNull())
            }
        }
    }

    private fun citation() {
        json.members(CITATION) { each { source() } }
    }

    /** Adds a cited document or tool result by its URL, else by its id in the request. Each is reported once. */
    private fun source() {
        var id: String? = null
        var url: String? = null
        var title: String? = null
        json.members(Source) { member ->
            when (member) {
                Source.ID -> id = json.stringOrNull()
                Source.DOCUMENT -> json.members(Document) { field ->
                    when (field) {
                        Document.URL -> url = json.stringOrNull()
                        Document.TITLE -> title = json.stringOrNull()
                    }
                }
            }
        }
        val name = url ?: id ?: return
        if (sources.add(name)) content += Delta.Source(name, title)
    }

    override fun finish(out: MutableList<Delta>) {
        val kind = reason?.let(::finishKind) ?: Kind.UNKNOWN
        out.addFinish(FinishReason(kind, reason), usage.usage())
    }

    /** The members of events, and of a whole body. */
    private object Event : JsonNames("type", "id", "index", "delta", "message", "finish_reason", "usage", "error", "error_type") {
        const val TYPE = 0
        const val ID = 1
        const val INDEX = 2
        const val DELTA = 3
        const val MESSAGE = 4
        const val FINISH_REASON = 5
        const val USAGE = 6
        const val ERROR = 7
        const val ERROR_TYPE = 8
    }

    private object EventDelta : JsonNames("message", "finish_reason", "usage", "error", "error_type") {
        const val MESSAGE = 0
        const val FINISH_REASON = 1
        const val USAGE = 2
        const val ERROR = 3
        const val ERROR_TYPE = 4
    }

    private object Message : JsonNames("content", "tool_plan", "tool_calls", "citations") {
        const val CONTENT = 0
        const val TOOL_PLAN = 1
        const val TOOL_CALLS = 2
        const val CITATIONS = 3
    }

    private object Block : JsonNames("text", "thinking") {
        const val TEXT = 0
        const val THINKING = 1
    }

    private object Source : JsonNames("id", "document") {
        const val ID = 0
        const val DOCUMENT = 1
    }

    private object Document : JsonNames("url", "title") {
        const val URL = 0
        const val TITLE = 1
    }

    private companion object {
        val DONE = "[DONE]".encodeToByteArray()
        val CITATION = JsonNames("sources")

        /** Values of `finish_reason` that are no reason. */
        val NO_REASON = setOf("", "null", "None")
    }
}
