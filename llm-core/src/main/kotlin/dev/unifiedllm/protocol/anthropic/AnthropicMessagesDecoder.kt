package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.CachedUsage
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.NO_ERROR
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.checkFinish
import dev.unifiedllm.protocol.finishKind
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.jsonCursor
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.Json

/**
 * Decodes the events of a stream, and whole bodies. The members of a message are in `message_start.message` of a stream and at the top level of a
 * whole body, so one list of names has the members of both events and messages.
 */
internal class AnthropicMessagesDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = CachedUsage()
    private val content = mutableListOf<Delta>()
    private val blocks = HashMap<Int, AnthropicBlock>()
    private val sources = AnthropicSources()
    private var calls = 0

    // the content in the current event; the block that it belongs to is known only at the end of the event
    private var text: String? = null
    private var reasoning: String? = null
    private var signature: String? = null
    private var input: String? = null
    private var hasOutput = false
    private var words: String? = null
    private var wholeText: String? = null

    // the pieces of a signature, and their block
    private val pieces = StringBuilder()
    private var signed = 0

    private var id: String? = null
    private var model: String? = null
    private var stopReason: String? = null

    /** True once `output_tokens` were reported for the whole response; a stream begins with a placeholder. */
    private var isOutputFinal = false

    /** What an event says that is an error if no stop reason follows. */
    private var said: ProviderError? = null
    private var started = false
    private var ended = false

    /** Some servers leave out `message_stop`: a stop reason completes the response. */
    override val progress: Progress
        get() = when {
            ended -> Progress.DONE
            stopReason != null && started -> Progress.COMPLETE
            else -> Progress.OPEN
        }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        if (json.kind() != JsonKind.OBJECT) return json.skip()
        val type = event(frame)
        json.end()
        if (type == "message_start" || content.isNotEmpty()) start(out)
        out += content
        content.clear()
        if (type == "message_stop" || type == "message") {
            if (stopReason == null) said?.let { throw HttpErrors(target).exception(it) }
            if (!started && type == "message_stop" && stopReason == null) throw malformed(target, "it ends with message_stop and has no message")
            start(out)
            ended = true
        }
    }

    override fun finish(out: MutableList<Delta>) {
        addSignature()
        blocks.values.forEach(::close)
        out += content
        checkFinish(stopReason, target)
        if (!isOutputFinal) usage.output = null
        out.addFinish(FinishReason(stopReason?.let(::finishKind) ?: Kind.UNKNOWN, stopReason), usage.usage())
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id, target.id, model)
    }

    /** Reads an event or a whole message, and returns its type. */
    private fun event(frame: Frame): String? {
        var type: String? = null
        var index = 0
        var opened: AnthropicBlock? = null
        var error: String? = null
        var requestId: String? = null
        var eventUsage: String? = null
        words = null
        wholeText = null
        hasOutput = false
        json.members(Event) { member ->
            when (member) {
                Event.TYPE -> type = json.stringOrNull()
                Event.INDEX -> index = json.longOrNull()?.toInt() ?: 0
                Event.DELTA -> delta()
                Event.CONTENT_BLOCK -> opened = AnthropicBlock.read(json, sources, content)
                Event.MESSAGE -> if (json.kind() == JsonKind.STRING) words = json.string() else message()
                Event.ERROR -> error = json.raw().takeUnless { it in NO_ERROR }
                Event.REQUEST_ID -> requestId = json.stringOrNull()
                Event.USAGE -> eventUsage = json.raw()
                else -> messageMember(member)
            }
        }
        error?.let { throw HttpErrors(target).exception(ProviderError.of(Json.parseToJsonElement("{\"error\":$it}")), requestId = requestId) }
        readWords(type, frame)
        if (type in WITH_USAGE) eventUsage?.let { hasOutput = usage.readAnthropic(jsonCursor(it)) || hasOutput }
        if (hasOutput && (type != "message_start" || stopReason != null)) isOutputFinal = true
        if (type in WITH_CONTENT) content.addText(wholeText)
        opened?.let { open(index, it) }
        addTo(index, blocks[index])
        if (type == "content_block_stop") {
            addSignature()
            blocks.remove(index)?.let(::close)
        }
        return type
    }

    /** Throws an error that has no member `error`, and keeps what may be one. */
    private fun readWords(type: String?, frame: Frame) {
        val isError = type.equals("error", ignoreCase = true) || type.orEmpty().endsWith("_error", ignoreCase = true)
        if (isError) throw HttpErrors(target).exception(ProviderError.of(frame.text()))
        if (type == null && !words.isNullOrBlank()) ProviderError.of(frame.text()).let { if (!it.isSuccess) said = it }
    }

    private fun message() {
        json.members(Event) { messageMember(it) }
    }

    /** Reads a member of a message, and skips a member that only events have. */
    private fun messageMember(member: Int) {
        when (member) {
            Event.ID -> json.stringOrNull()?.let { if (id == null && it.isNotEmpty()) id = it }
            Event.MODEL -> json.stringOrNull()?.let { if (model == null && it.isNotEmpty()) model = it }
            Event.CONTENT -> if (json.kind() == JsonKind.STRING) wholeText = json.string() else contentBlocks()
            Event.STOP_REASON -> stopReason = stopReasonOrNull() ?: stopReason
            Event.USAGE -> hasOutput = usage.readAnthropic(json) || hasOutput
            else -> json.skip()
        }
    }

    private fun contentBlocks() {
        json.elements {
            AnthropicBlock.read(json, sources, content)?.let {
                open(WHOLE, it)
                blocks.remove(WHOLE)?.let(::close)
            }
        }
    }

    private fun stopReasonOrNull(): String? = json.stringOrNull()?.takeUnless { it in NO_STOP_REASON }

    /** Reads the `delta` of a block, or that of `message_delta`. */
    private fun delta() {
        json.members(EventDelta) { member ->
            when (member) {
                EventDelta.TEXT -> text = json.stringOrNull()
                EventDelta.THINKING -> reasoning = json.stringOrNull()
                EventDelta.SIGNATURE -> signature = json.stringOrNull()
                EventDelta.PARTIAL_JSON -> input = if (json.kind() == JsonKind.OBJECT) json.raw() else json.stringOrNull()
                EventDelta.CITATION -> sources.read(json, content)
                EventDelta.STOP_REASON -> stopReason = stopReasonOrNull() ?: stopReason
            }
        }
    }

    /** Adds the content of the event if it has the kind of its block. A block without a `content_block_start` takes text and reasoning. */
    private fun addTo(index: Int, block: AnthropicBlock?) {
        val kind = block?.kind
        if (!text.isNullOrEmpty() || !reasoning.isNullOrEmpty() || !input.isNullOrEmpty()) addSignature()
        if (kind == null || kind == AnthropicBlock.Kind.TEXT) content.addText(text)
        if (kind == null || kind == AnthropicBlock.Kind.REASONING) {
            content.addReasoning(reasoning)
            signature?.let { sign(index, it) }
        }
        if (kind == AnthropicBlock.Kind.TOOL_CALL) {
            input?.let { if (it.isNotEmpty()) content += Delta.ToolCallDelta(block.call, null, null, it) }
            if (!input.isNullOrEmpty()) block.input = null
        }
        text = null
        reasoning = null
        signature = null
        input = null
    }

    /** Joins the pieces of a signature. It is added once, when something else follows: a reasoning part ends with its signature. */
    private fun sign(index: Int, piece: String) {
        if (index != signed) addSignature()
        signed = index
        pieces.append(piece)
    }

    private fun addSignature() {
        if (pieces.isEmpty()) return
        content.addReasoning(null, pieces.toString())
        pieces.setLength(0)
    }

    /** Adds the content that [block] starts with. */
    private fun open(index: Int, block: AnthropicBlock) {
        addSignature()
        blocks[index] = block
        when (block.kind) {
            AnthropicBlock.Kind.TEXT -> content.addText(block.text)
            AnthropicBlock.Kind.REASONING -> content.addReasoning(block.text, block.signature)
            AnthropicBlock.Kind.REDACTED_REASONING -> if (block.signature != null) content += Delta.Reasoning("", block.signature, isRedacted = true)
            AnthropicBlock.Kind.TOOL_CALL -> {
                block.call = calls++
                content += Delta.ToolCallDelta(block.call, block.id ?: "call_${block.call}", block.name, "")
            }
            AnthropicBlock.Kind.OTHER -> Unit
        }
    }

    /** Adds the arguments that a tool call started with, if no fragment followed. */
    private fun close(block: AnthropicBlock) {
        if (block.kind != AnthropicBlock.Kind.TOOL_CALL) return
        block.input?.let { content += Delta.ToolCallDelta(block.call, null, null, it) }
        block.input = null
    }

    /** The members of events, followed by those of messages. */
    private object Event : JsonNames(
        "type", "index", "delta", "content_block", "message", "error", "request_id",
        "id", "model", "content", "stop_reason", "usage",
    ) {
        const val TYPE = 0
        const val INDEX = 1
        const val DELTA = 2
        const val CONTENT_BLOCK = 3
        const val MESSAGE = 4
        const val ERROR = 5
        const val REQUEST_ID = 6
        const val ID = 7
        const val MODEL = 8
        const val CONTENT = 9
        const val STOP_REASON = 10
        const val USAGE = 11
    }

    private object EventDelta : JsonNames("text", "thinking", "signature", "partial_json", "citation", "stop_reason") {
        const val TEXT = 0
        const val THINKING = 1
        const val SIGNATURE = 2
        const val PARTIAL_JSON = 3
        const val CITATION = 4
        const val STOP_REASON = 5
    }

    private companion object {
        /** The types of events whose `usage` is that of the response; null is a whole message of a server that leaves its type out. */
        val WITH_USAGE = setOf("message_start", "message_delta", "message_stop", "message", null)

        /** The types of events that hold a message; null as in [WITH_USAGE]. */
        val WITH_CONTENT = setOf("message_start", "message", null)

        /** Values of `stop_reason` that stand in events before the end. */
        val NO_STOP_REASON = setOf("", "null", "None")

        /** The index of a block in a whole message, where blocks have none. */
        const val WHOLE = -1
    }
}
