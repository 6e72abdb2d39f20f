package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.CachedUsage
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.RepeatedText
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.checkFinish
import dev.unifiedllm.protocol.errorOf
import dev.unifiedllm.protocol.finishKind
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.jsonCursor
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.lateError
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame

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
    private val serverTools = AnthropicServerTools()
    private var calls = 0

    /** The index of the block that was opened last: some servers leave the index out. */
    private var last = WHOLE

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

    override val endsWithoutReason: Boolean get() = ended && stopReason == null

    private val repeated = RepeatedText()

    override val repeats: TextTemplate? get() = repeated.template

    override fun repeat(text: String): Delta = repeated.delta(text)

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        repeated.begin()
        json.reset(frame.bytes, frame.start, frame.end)
        if (json.kind() != JsonKind.OBJECT) return json.skip()
        val type = event(frame)
        json.end()
        if (type == "message_start" || content.isNotEmpty()) start(out)
        if (type == "content_block_delta" && stopReason == null) repeated.learn(json, frame, content)
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
        // A block that was not closed may be cut, if the response was.
        val isCut = stopReason?.let(::finishKind) == Kind.LENGTH
        for (block in blocks.values) if (!isCut || block.raw == null) close(block)
        out += content
        checkFinish(stopReason, target)
        if (!isOutputFinal) usage.output = null
        serverTools.addTo(usage)
        out.addFinish(FinishReason(stopReason?.let(::finishKind) ?: Kind.UNKNOWN, stopReason), usage.usage())
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id, target.id, model)
    }

    /** Reads an event or a whole message, and returns its type. */
    private fun event(frame: Frame): String? {
        val wasComplete = progress != Progress.OPEN
        var type: String? = null
        var index: Int? = null
        var opened: AnthropicBlock? = null
        var error: String? = null
        var requestId: String? = null
        var eventUsage: String? = null
        words = null
        wholeText = null
        hasOutput = false
        json.members(AnthropicEvent) { member ->
            if (member != AnthropicEvent.TYPE && member != AnthropicEvent.INDEX && member != AnthropicEvent.DELTA) repeated.unlessNull(json)
            when (member) {
                AnthropicEvent.TYPE -> type = json.stringOrNull()
                AnthropicEvent.INDEX -> index = json.longOrNull()?.toInt()
                AnthropicEvent.DELTA -> delta()
                AnthropicEvent.CONTENT_BLOCK -> opened = AnthropicBlock.read(json, sources, content)
                AnthropicEvent.MESSAGE -> if (json.kind() == JsonKind.STRING) words = json.string() else message()
                AnthropicEvent.ERROR -> error = json.raw().takeUnless(::isNoError)
                AnthropicEvent.REQUEST_ID -> requestId = json.stringOrNull()
                AnthropicEvent.USAGE -> eventUsage = json.raw()
                else -> messageMember(member)
            }
        }
        error?.let { fail(errorOf(it, frame), wasComplete, requestId) }
        if (error == null) readWords(type, frame, wasComplete)
        if (type in WITH_USAGE) eventUsage?.let { hasOutput = usage.readAnthropic(jsonCursor(it)) || hasOutput }
        if (hasOutput && (type != "message_start" || stopReason != null)) isOutputFinal = true
        if (type in WITH_CONTENT) content.addText(wholeText)
        opened?.let {
            last = index ?: (last + 1)
            open(last, it)
        }
        val place = index ?: last
        if (type == "content_block_delta") blocks[place]?.raw?.add(input, frame)
        addTo(place, blocks[place])
        if (type == "content_block_stop") {
            addSignature()
            blocks.remove(place)?.let(::close)
        }
        return type
    }

    /** Throws an error that has no member `error`, and keeps what may be one. */
    private fun readWords(type: String?, frame: Frame, wasComplete: Boolean) {
        val isError = type.equals("error", ignoreCase = true) || type.orEmpty().endsWith("_error", ignoreCase = true)
        if (isError) fail(ProviderError.of(frame.text()), wasComplete)
        if (type == null && !words.isNullOrBlank()) ProviderError.of(frame.text()).let { if (!it.isSuccess) said = it }
    }

    /** Throws an error that came before the response was complete; a later one becomes a warning. */
    private fun fail(error: ProviderError, wasComplete: Boolean, requestId: String? = null) {
        if (!wasComplete) throw HttpErrors(target).exception(error, requestId = requestId)
        content += lateError(error, target)
    }

    private fun message() {
        json.members(AnthropicEvent) { messageMember(it) }
    }

    /** Reads a member of a message, and skips a member that only events have. */
    private fun messageMember(member: Int) {
        when (member) {
            AnthropicEvent.ID -> json.stringOrNull()?.let { if (id == null && it.isNotEmpty()) id = it }
            AnthropicEvent.MODEL -> json.stringOrNull()?.let { if (model == null && it.isNotEmpty()) model = it }
            AnthropicEvent.CONTENT -> if (json.kind() == JsonKind.STRING) wholeText = json.string() else contentBlocks()
            AnthropicEvent.STOP_REASON -> stopReason = stopReasonOrNull() ?: stopReason
            AnthropicEvent.USAGE -> hasOutput = usage.readAnthropic(json) || hasOutput
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
        json.members(AnthropicEventDelta) { member ->
            if (member != AnthropicEventDelta.TEXT && member != AnthropicEventDelta.THINKING) repeated.unlessNull(json)
            when (member) {
                AnthropicEventDelta.TEXT -> text = textOrNull()
                AnthropicEventDelta.THINKING -> reasoning = textOrNull()
                AnthropicEventDelta.SIGNATURE -> signature = json.stringOrNull()
                AnthropicEventDelta.PARTIAL_JSON -> input = if (json.kind() == JsonKind.OBJECT) json.raw() else json.stringOrNull()
                AnthropicEventDelta.CITATION -> sources.read(json, content)
                AnthropicEventDelta.STOP_REASON -> stopReason = stopReasonOrNull() ?: stopReason
            }
        }
    }

    private fun textOrNull(): String? = json.stringOrNull()?.also { if (it.isNotEmpty()) repeated.textRead(json) }

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

    /** Adds the content that [block] starts with. A block that is open at its place ends: some servers do not say so. */
    private fun open(index: Int, block: AnthropicBlock) {
        addSignature()
        blocks.put(index, block)?.let(::close)
        when (block.kind) {
            AnthropicBlock.Kind.TEXT -> content.addText(block.text)
            AnthropicBlock.Kind.REASONING -> content.addReasoning(block.text, block.signature)
            AnthropicBlock.Kind.REDACTED_REASONING -> if (block.signature != null) content += Delta.Reasoning("", block.signature, isRedacted = true)
            AnthropicBlock.Kind.TOOL_CALL -> {
                block.call = calls++
                content += Delta.ToolCallDelta(block.call, block.id ?: "call_${block.call}", block.name, "")
            }
            AnthropicBlock.Kind.OTHER -> serverTools.note(block)
        }
    }

    /** Adds the arguments that a tool call started with, if no fragment followed; or a block that is kept as it came. */
    private fun close(block: AnthropicBlock) {
        block.raw?.delta()?.let { content += it }
        if (block.kind != AnthropicBlock.Kind.TOOL_CALL) return
        block.input?.let { content += Delta.ToolCallDelta(block.call, null, null, it) }
        block.input = null
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
