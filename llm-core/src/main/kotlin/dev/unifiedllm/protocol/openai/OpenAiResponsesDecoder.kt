package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.NO_ERROR
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.arguments
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
import kotlinx.serialization.json.Json

/**
 * Decodes the events of a streamed response, and responses that are not streamed.
 *
 * The `type` in an event's JSON decides, since some servers send no `event:` lines. The content of an item is taken from its deltas; if none came,
 * from the item itself.
 */
internal class OpenAiResponsesDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = OpenAiUsage(target)
    private val items = ResponseItems()
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
        val event = Event()
        read(event)
        json.end()
        if (event.type == null && frame.event != Frame.MESSAGE) event.type = EventType.indexOf(frame.event)
        when {
            event.type == null -> if (started) errorText?.let { failed("{\"error\":$it}") } else whole(event, out)
            event.type == EventType.ERROR || event.type == EventType.RESPONSE_ERROR -> failed(frame.text())
            else -> event(event, out)
        }
    }

    /** The fields of an event, of any type. */
    private class Event {
        var type: Int? = null
        var index = -1L
        var itemId: String? = null
        var text: String? = null
        var item: String? = null
        var annotation: Delta.Source? = null
        var status: String? = null
    }

    private fun read(event: Event) {
        json.members(EventMember) { member ->
            when (member) {
                EventMember.TYPE -> event.type = json.stringIndex(EventType)
                EventMember.DELTA -> event.text = json.stringOrNull()
                EventMember.OUTPUT_INDEX -> json.longOrNull()?.let { event.index = it }
                EventMember.ITEM_ID -> event.itemId = json.stringOrNull()?.ifEmpty { null }
                EventMember.ITEM -> event.item = if (json.kind() == JsonKind.OBJECT) json.raw() else null.also { json.skip() }
                EventMember.ANNOTATION -> event.annotation = json.source()
                EventMember.RESPONSE -> response()
                EventMember.ID -> json.stringOrNull()?.let { id = id ?: it }
                EventMember.MODEL -> json.stringOrNull()?.let { model = model ?: it }
                EventMember.STATUS -> event.status = json.stringOrNull()
                EventMember.OUTPUT -> output()
                EventMember.USAGE -> usage.read(json)
                EventMember.INCOMPLETE_DETAILS -> incompleteDetails()
                EventMember.ERROR -> error()
                EventMember.SERVICE_TIER -> usage.readServiceTier(json)
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
        json.raw().let { if (it !in NO_ERROR) errorText = it }
    }

    private fun event(event: Event, out: MutableList<Delta>) {
        if (event.type == EventType.RESPONSE_COMPLETED) return terminal("completed", out)
        if (event.type == EventType.RESPONSE_INCOMPLETE) return terminal("incomplete", out)
        if (event.type == EventType.RESPONSE_FAILED) failed(errorText?.let { "{\"error\":$it}" } ?: "{}")
        if (id != null || event.type != JsonNames.OTHER) start(out) // events of unknown types may come before the response begins
        val text = event.text.orEmpty()
        when (event.type) {
            EventType.RESPONSE_OUTPUT_TEXT_DELTA -> items.text(event.index, event.itemId, text, out)
            EventType.RESPONSE_REFUSAL_DELTA -> items.refusal(event.index, event.itemId, text, out)
            EventType.RESPONSE_REASONING_SUMMARY_TEXT_DELTA -> items.reasoning(event.index, event.itemId, text, isSummary = true, out)
            EventType.RESPONSE_REASONING_TEXT_DELTA -> items.reasoning(event.index, event.itemId, text, isSummary = false, out)
            EventType.RESPONSE_FUNCTION_CALL_ARGUMENTS_DELTA, EventType.RESPONSE_CUSTOM_TOOL_CALL_INPUT_DELTA ->
                items.arguments(event.index, event.itemId, text, out)
            EventType.RESPONSE_OUTPUT_ITEM_ADDED -> event.item?.let { items.added(event.index, it, out) }
            EventType.RESPONSE_OUTPUT_ITEM_DONE -> event.item?.let { items.done(event.index, it, out) }
            EventType.RESPONSE_OUTPUT_TEXT_ANNOTATION_ADDED -> event.annotation?.let { items.source(it, out) }
        }
    }

    /** The last event repeats the response. */
    private fun terminal(eventStatus: String, out: MutableList<Delta>) {
        status = status?.takeUnless { it in UNFINISHED } ?: eventStatus
        checkStatus()
        start(out)
        items.complete(pending, out)
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

    private fun whole(event: Event, out: MutableList<Delta>) {
        if (event.status == null && pending.isEmpty() && errorText == null) return
        status = event.status
        checkStatus()
        start(out)
        pending.forEachIndexed { index, item -> items.done(index.toLong(), item, out) }
        progress = Progress.DONE
    }

    private fun failed(text: String): Nothing = throw HttpErrors(target).exception(ProviderError.of(Json.parseToJsonElement(text)).withoutEventType())

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
        val UNFINISHED = setOf("in_progress", "queued")
    }

    private object EventMember : JsonNames(
        "type",
        "delta",
        "output_index",
        "item",
        "annotation",
        "response",
        "id",
        "model",
        "status",
        "output",
        "usage",
        "incomplete_details",
        "error",
        "item_id",
        "service_tier",
    ) {
        const val TYPE = 0
        const val DELTA = 1
        const val OUTPUT_INDEX = 2
        const val ITEM = 3
        const val ANNOTATION = 4
        const val RESPONSE = 5
        const val ID = 6
        const val MODEL = 7
        const val STATUS = 8
        const val OUTPUT = 9
        const val USAGE = 10
        const val INCOMPLETE_DETAILS = 11
        const val ERROR = 12
        const val ITEM_ID = 13
        const val SERVICE_TIER = 14
    }

    private object ResponseMember :
        JsonNames("id", "model", "status", "output", "usage", "incomplete_details", "error", "service_tier") {
        const val ID = 0
        const val MODEL = 1
        const val STATUS = 2
        const val OUTPUT = 3
        const val USAGE = 4
        const val INCOMPLETE_DETAILS = 5
        const val ERROR = 6
        const val SERVICE_TIER = 7
    }

    private object EventType : JsonNames(
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.annotation.added",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
        "response.error",
    ) {
        const val RESPONSE_OUTPUT_TEXT_DELTA = 0
        const val RESPONSE_REFUSAL_DELTA = 1
        const val RESPONSE_REASONING_SUMMARY_TEXT_DELTA = 2
        const val RESPONSE_REASONING_TEXT_DELTA = 3
        const val RESPONSE_FUNCTION_CALL_ARGUMENTS_DELTA = 4
        const val RESPONSE_CUSTOM_TOOL_CALL_INPUT_DELTA = 5
        const val RESPONSE_OUTPUT_ITEM_ADDED = 6
        const val RESPONSE_OUTPUT_ITEM_DONE = 7
        const val RESPONSE_OUTPUT_TEXT_ANNOTATION_ADDED = 8
        const val RESPONSE_COMPLETED = 9
        const val RESPONSE_INCOMPLETE = 10
        const val RESPONSE_FAILED = 11
        const val ERROR = 12
        const val RESPONSE_ERROR = 13
    }
}
