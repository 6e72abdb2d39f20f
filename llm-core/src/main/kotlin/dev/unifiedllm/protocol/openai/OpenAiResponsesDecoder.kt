package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
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
 * Reads the events of a streamed response, and whole responses.
 *
 * An event is known by the `type` in its JSON: some servers send no `event:` lines. What an item says is taken from its pieces; from the item
 * itself where no piece came.
 */
internal class OpenAiResponsesDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = OpenAiUsage(target.provider.quirks)
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
        if (json.kind() != JsonKind.OBJECT) return // [DONE] of some servers is no JSON object; the terminal event has come before it
        val event = Event()
        read(event)
        json.end()
        when {
            event.type == null -> whole(out)
            event.type == ERROR -> failed(frame.text())
            else -> event(event, out)
        }
    }

    /** What an event may hold, whatever its type. */
    private class Event {
        var type: Int? = null
        var index = -1L
        var text: String? = null
        var item: String? = null
        var annotation: Delta.Source? = null
    }

    private fun read(event: Event) {
        json.members(FIELDS) { member ->
            when (member) {
                0 -> event.type = json.stringIndex(EVENTS)
                1 -> event.text = json.stringOrNull()
                2 -> json.longOrNull()?.let { event.index = it }
                3 -> event.item = if (json.kind() == JsonKind.OBJECT) json.raw() else null.also { json.skip() }
                4 -> event.annotation = json.source()
                5 -> response()
                6 -> json.stringOrNull()?.let { id = id ?: it }
                7 -> json.stringOrNull()?.let { model = model ?: it }
                8 -> json.stringOrNull()?.let { status = it }
                9 -> output()
                10 -> usage.read(json)
                11 -> incompleteDetails()
                12 -> error()
            }
        }
    }

    private fun response() {
        json.members(RESPONSE) { member ->
            when (member) {
                0 -> json.stringOrNull()?.let { id = id ?: it }
                1 -> json.stringOrNull()?.let { model = model ?: it.ifEmpty { null } }
                2 -> json.stringOrNull()?.let { status = it }
                3 -> output()
                4 -> usage.read(json)
                5 -> incompleteDetails()
                6 -> error()
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
        if (json.kind() == JsonKind.NULL) json.skip() else errorText = json.raw()
    }

    private fun event(event: Event, out: MutableList<Delta>) {
        if (event.type == COMPLETED || event.type == INCOMPLETE) return terminal(if (event.type == COMPLETED) "completed" else "incomplete", out)
        if (event.type == FAILED) failed(errorText?.let { "{\"error\":$it}" } ?: "{}")
        if (id != null || event.type != JsonNames.OTHER) start(out) // what is unknown may come before the response begins
        val text = event.text.orEmpty()
        when (event.type) {
            TEXT -> items.text(event.index, text, out)
            REFUSAL -> items.refusal(event.index, text, out)
            SUMMARY -> items.thought(event.index, text, isSummary = true, out)
            REASONING -> items.thought(event.index, text, isSummary = false, out)
            ARGUMENTS, INPUT -> items.arguments(event.index, text, out)
            ADDED -> event.item?.let { items.added(event.index, it, out) }
            ITEM_DONE -> event.item?.let { items.done(event.index, it, out) }
            ANNOTATION -> event.annotation?.let { items.source(it, out) }
        }
    }

    /** The response as the last event repeats it counts only where nothing had come before. */
    private fun terminal(event: String, out: MutableList<Delta>) {
        start(out)
        if (items.isEmpty) pending.forEachIndexed { index, item -> items.done(index.toLong(), item, out) }
        status = status?.takeUnless { it == "in_progress" } ?: event
        progress = Progress.DONE
    }

    private fun whole(out: MutableList<Delta>) {
        errorText?.let { failed("{\"error\":$it}") }
        if (status == null && pending.isEmpty()) return
        start(out)
        pending.forEachIndexed { index, item -> items.done(index.toLong(), item, out) }
        progress = Progress.DONE
    }

    private fun failed(text: String): Nothing = throw HttpErrors(target).exception(ProviderError.of(Json.parseToJsonElement(text)).withoutEventType())

    /** `"type":"error"` names the event, not the failure. */
    private fun ProviderError.withoutEventType() = if (type == "error") ProviderError(message, null, code, param) else this

    override fun finish(out: MutableList<Delta>) {
        start(out)
        out.addFinish(FinishReason(kind(), status), usage.usage(), usage.cost(target))
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
        "failed" -> Kind.ERROR
        else -> Kind.OTHER
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id?.ifEmpty { null }, target.id, model)
    }

    private companion object {
        val FIELDS = JsonNames(
            "type", "delta", "output_index", "item", "annotation", "response",
            "id", "model", "status", "output", "usage", "incomplete_details", "error",
        )
        val RESPONSE = JsonNames("id", "model", "status", "output", "usage", "incomplete_details", "error")
        val REASON = JsonNames("reason")
        val EVENTS = JsonNames(
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
        )
        const val TEXT = 0
        const val REFUSAL = 1
        const val SUMMARY = 2
        const val REASONING = 3
        const val ARGUMENTS = 4
        const val INPUT = 5
        const val ADDED = 6
        const val ITEM_DONE = 7
        const val ANNOTATION = 8
        const val COMPLETED = 9
        const val INCOMPLETE = 10
        const val FAILED = 11
        const val ERROR = 12
    }
}
