package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.source
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame

/**
 * Decodes the events of a streamed response, and responses that are not streamed.
 *
 * The `type` in an event's JSON decides, since some servers send no `event:` lines. The content of an item is taken from its deltas; what they lack,
 * from the events that end it.
 */
internal class OpenAiResponsesDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = OpenAiUsage(target)
    private val items = ResponseItems(target)
    private val pending = mutableListOf<String>()
    private var id: String? = null
    private var model: String? = null
    private var status: String? = null
    private var incomplete: String? = null
    private var errorText: String? = null
    private var started = false

    override var progress: Progress = Progress.OPEN
        private set

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        if (json.kind() != JsonKind.OBJECT) return // some servers send [DONE] after the terminal event
        val event = ResponsesEvent()
        read(event)
        json.end()
        if (event.type == null && frame.event != Frame.MESSAGE) event.type = ResponsesEventType.indexOf(frame.event)
        when {
            event.type == null -> if (started) errorText?.let { failed("{\"error\":$it}") } else whole(event, out)
            event.type == ResponsesEventType.ERROR || event.type == ResponsesEventType.RESPONSE_ERROR -> failed(frame.text())
            else -> event(event, out)
        }
        if (event.type == JsonNames.OTHER) toolEvent(frame, event)
    }

    /** Reads an event such as `response.web_search_call.searching`: it tells of a run of the tool even if no item does. */
    private fun toolEvent(frame: Frame, event: ResponsesEvent) {
        var type = frame.event
        json.reset(frame.bytes, frame.start, frame.end)
        json.members(TYPE) { type = json.stringOrNull() ?: type }
        val itemType = type.removePrefix("response.").substringBeforeLast('.')
        if (ServerTools.isBilled(itemType)) items.ran(itemType, event)
    }

    private fun read(event: ResponsesEvent) {
        json.members(ResponsesEventMember) { member ->
            when (member) {
                ResponsesEventMember.TYPE -> event.type = json.stringIndex(ResponsesEventType)
                ResponsesEventMember.DELTA -> delta(event)
                ResponsesEventMember.OUTPUT_INDEX -> json.longOrNull()?.let { event.index = it }
                ResponsesEventMember.ITEM_ID -> event.itemId = json.stringOrNull()?.ifEmpty { null }
                ResponsesEventMember.CONTENT_INDEX, ResponsesEventMember.SUMMARY_INDEX -> json.longOrNull()?.let { event.part = it }
                ResponsesEventMember.CALL_ID -> event.callId = json.stringOrNull()?.ifEmpty { null }
                ResponsesEventMember.NAME -> event.name = json.stringOrNull()?.ifEmpty { null }
                ResponsesEventMember.TEXT, ResponsesEventMember.REFUSAL -> event.full = json.stringOrNull() ?: event.full
                ResponsesEventMember.ARGUMENTS, ResponsesEventMember.INPUT ->
                    if (json.kind() == JsonKind.NULL) json.skip() else event.full = json.arguments()
                ResponsesEventMember.PART -> part(event)
                ResponsesEventMember.ITEM -> event.item = if (json.kind() == JsonKind.OBJECT) json.raw() else null.also { json.skip() }
                ResponsesEventMember.ANNOTATION -> event.annotation = json.source()
                ResponsesEventMember.RESPONSE -> response()
                ResponsesEventMember.ID -> json.stringOrNull()?.let { id = id ?: it }
                ResponsesEventMember.MODEL -> json.stringOrNull()?.let { model = model ?: it }
                ResponsesEventMember.STATUS -> event.status = json.stringOrNull()
                ResponsesEventMember.OUTPUT -> output()
                ResponsesEventMember.USAGE -> usage.read(json)
                ResponsesEventMember.INCOMPLETE_DETAILS -> incompleteDetails()
                ResponsesEventMember.ERROR -> error()
                ResponsesEventMember.SERVICE_TIER -> usage.readServiceTier(json)
            }
        }
    }

    private fun delta(event: ResponsesEvent) {
        if (json.kind() == JsonKind.OBJECT) {
            event.rawDelta = json.raw()
        } else {
            event.text = json.stringOrNull()
        }
    }

    private fun part(event: ResponsesEvent) {
        json.members(PartMember) { member ->
            when (member) {
                PartMember.TYPE -> event.partType = json.stringOrNull()
                PartMember.TEXT, PartMember.REFUSAL -> event.full = json.stringOrNull() ?: event.full
            }
        }
    }

    private fun response() {
        json.members(ResponseMember) { member ->
            when (member) {
                ResponseMember.ID -> json.stringOrNull()?.let { id = id ?: it }
                ResponseMember.MODEL -> json.stringOrNull()?.let { model = model ?: it.ifEmpty { null } }
                ResponseMember.STATUS -> json.stringOrNull()?.let { status = it }
                ResponseMember.OUTPUT -> output()
                ResponseMember.USAGE -> usage.read(json)
                ResponseMember.INCOMPLETE_DETAILS -> incompleteDetails()
                ResponseMember.ERROR -> error()
                ResponseMember.SERVICE_TIER -> usage.readServiceTier(json)
            }
        }
    }

    private fun output() {
        pending.clear()
        json.elements { pending += json.raw() }
    }

    private fun incompleteDetails() {
        json.members(REASON) { incomplete = json.stringOrNull() }
    }

    private fun error() {
        json.raw().let { if (!isNoError(it)) errorText = it }
    }

    private fun event(event: ResponsesEvent, out: MutableList<Delta>) {
        if (event.type == ResponsesEventType.RESPONSE_COMPLETED) return terminal("completed", out)
        if (event.type == ResponsesEventType.RESPONSE_INCOMPLETE) return terminal("incomplete", out)
        if (event.type == ResponsesEventType.RESPONSE_FAILED) failed(errorText?.let { "{\"error\":$it}" } ?: "{}")
        if (id != null || event.type != JsonNames.OTHER) start(out) // events of unknown types may come before the response begins
        when (event.type) {
            ResponsesEventType.RESPONSE_OUTPUT_TEXT_DELTA -> items.text(event, isRefusal = false, out)
            ResponsesEventType.RESPONSE_REFUSAL_DELTA -> items.text(event, isRefusal = true, out)
            ResponsesEventType.RESPONSE_REASONING_SUMMARY_TEXT_DELTA -> items.reasoning(event, isSummary = true, out)
            ResponsesEventType.RESPONSE_REASONING_TEXT_DELTA -> items.reasoning(event, isSummary = false, out)
            ResponsesEventType.RESPONSE_FUNCTION_CALL_ARGUMENTS_DELTA, ResponsesEventType.RESPONSE_CUSTOM_TOOL_CALL_INPUT_DELTA ->
                items.arguments(event, out)
            ResponsesEventType.RESPONSE_OUTPUT_ITEM_ADDED -> event.item?.let { items.added(event.index, it, out) }
            ResponsesEventType.RESPONSE_OUTPUT_ITEM_DONE -> event.item?.let { items.done(event.index, it, out) }
            ResponsesEventType.RESPONSE_OUTPUT_TEXT_ANNOTATION_ADDED -> event.annotation?.let { items.source(it, out) }
            ResponsesEventType.RESPONSE_OUTPUT_TEXT_DONE -> items.textDone(event, isRefusal = false, out)
            ResponsesEventType.RESPONSE_REFUSAL_DONE -> items.textDone(event, isRefusal = true, out)
            ResponsesEventType.RESPONSE_REASONING_SUMMARY_TEXT_DONE -> items.reasoningDone(event, isSummary = true, out)
            ResponsesEventType.RESPONSE_REASONING_TEXT_DONE -> items.reasoningDone(event, isSummary = false, out)
            ResponsesEventType.RESPONSE_FUNCTION_CALL_ARGUMENTS_DONE, ResponsesEventType.RESPONSE_CUSTOM_TOOL_CALL_INPUT_DONE ->
                items.argumentsDone(event, out)
            ResponsesEventType.RESPONSE_CONTENT_PART_DONE,
            ResponsesEventType.RESPONSE_REASONING_PART_DONE,
            ResponsesEventType.RESPONSE_REASONING_SUMMARY_PART_DONE,
            -> partDone(event, out)
        }
    }

    private fun partDone(event: ResponsesEvent, out: MutableList<Delta>) {
        when (event.partType) {
            "output_text", "text" -> items.textDone(event, isRefusal = false, out)
            "refusal" -> items.textDone(event, isRefusal = true, out)
            "reasoning_text" -> items.reasoningDone(event, isSummary = false, out)
            "summary_text" -> items.reasoningDone(event, isSummary = true, out)
        }
    }

    /** The last event repeats the response. */
    private fun terminal(eventStatus: String, out: MutableList<Delta>) {
        status = status?.takeUnless { it in UNFINISHED } ?: eventStatus
        checkStatus()
        start(out)
        items.complete(pending, status == "completed", out)
        progress = Progress.DONE
    }

    /** @throws LlmException if the response says that it has no answer */
    private fun checkStatus() {
        when (status) {
            "failed" -> failed(errorText?.let { "{\"error\":$it}" } ?: "{}")
            "cancelled", in UNFINISHED -> failed("{\"error\":{\"message\":\"The response is not complete: its status is $status\"}}")
            else -> errorText?.let { failed("{\"error\":$it}") }
        }
    }

    private fun whole(event: ResponsesEvent, out: MutableList<Delta>) {
        if (event.status == null && pending.isEmpty() && errorText == null) return
        status = event.status
        checkStatus()
        start(out)
        items.complete(pending, status == "completed", out)
        progress = Progress.DONE
    }

    private fun failed(text: String): Nothing = throw HttpErrors(target).exception(ProviderError.of(text).withoutEventType())

    /** `"type":"error"` is the type of the event, not of the error. */
    private fun ProviderError.withoutEventType() = if (type == "error") copy(type = null) else this

    override fun finish(out: MutableList<Delta>) {
        start(out)
        out.addFinish(FinishReason(kind(), status), usage.usage(items.tools), usage.cost(target))
    }

    private fun kind(): Kind = when (status) {
        null -> Kind.UNKNOWN
        "completed" -> if (items.isRefused) {
            Kind.REFUSAL
        } else if (items.hasCalls) {
            Kind.TOOL_CALLS
        } else {
            Kind.STOP
        }
        "incomplete" -> when (incomplete) {
            "max_output_tokens", "max_tokens" -> Kind.LENGTH
            "content_filter" -> Kind.CONTENT_FILTER
            else -> Kind.OTHER
        }
        else -> Kind.OTHER
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id?.ifEmpty { null }, target.id, model)
    }

    private companion object {
        val REASON = JsonNames("reason")
        val TYPE = JsonNames("type")
        val UNFINISHED = setOf("in_progress", "queued")
    }

    private object PartMember : JsonNames("type", "text", "refusal") {
        const val TYPE = 0
        const val TEXT = 1
        const val REFUSAL = 2
    }
}
