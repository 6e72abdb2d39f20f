package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.CachedUsage
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.checkFinish
import dev.unifiedllm.protocol.finishKind
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.lateError
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.AwsEventStreamDecoder
import dev.unifiedllm.transport.framing.Frame

/** Decodes the events of `converse-stream` and the body of `converse`, which have the same content blocks. */
internal class BedrockConverseDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = CachedUsage()
    private val content = mutableListOf<Delta>()
    private val sources = mutableSetOf<String>()
    private var hasRole = false
    private var started = false
    private var stopReason: String? = null
    private var stopped = false
    private var hasUsage = false

    /** The index of the tool call, by the index of its block. */
    private val calls = mutableMapOf<Long, Int>()
    private var callCount = 0

    // the start or the fragment of a tool call in the current event; its block is known only at the end of the event
    private var opened: Call? = null
    private var fragment: String? = null

    /** The media of the current event or block, whose index is known only at the end of the event. */
    private var media: BedrockMedia? = null

    /** The media that is not complete, by the index of its block. */
    private val openMedia = sortedMapOf<Long, BedrockMedia>()

    /** The start of a block of a tool that runs at the server, or such a block as a whole, in the current event; as JSON. */
    private var opensRaw: String? = null

    /** More content of such a block. */
    private var results: String? = null

    /** The blocks of such tools that are not complete, by index. */
    private val openRaw = mutableMapOf<Long, BedrockRawBlock>()

    private class Call(val id: String?, val name: String?, val arguments: String)

    override val progress: Progress
        get() = when {
            !stopped -> Progress.OPEN
            hasUsage -> Progress.DONE
            else -> Progress.COMPLETE
        }

    override val endsWithoutReason: Boolean get() = stopped && stopReason == null

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        val event = frame.event
        if (event.startsWith(AwsEventStreamDecoder.EXCEPTION) || event.startsWith(AwsEventStreamDecoder.ERROR)) return fail(frame, out)
        val isWhole = event == Frame.MESSAGE
        if (!isWhole && event !in EVENTS) return
        if (frame.end > frame.start) {
            json.reset(frame.bytes, frame.start, frame.end)
            event(event)
            json.end()
        }
        if (event == STOP) addOpenMedia()
        stopped = stopped || event == STOP || (isWhole && stopReason != null)
        hasUsage = hasUsage || event == METADATA || isWhole
        if (hasRole || stopped || content.isNotEmpty()) start(out)
        out += content
        content.clear()
    }

    override fun finish(out: MutableList<Delta>) {
        checkFinish(stopReason, target)
        out.addFinish(FinishReason(stopReason?.let(::finishKind) ?: Kind.UNKNOWN, stopReason), usage.usage())
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(null, target.id)
    }

    /** Throws the error of [frame]. After the end of the output, adds it as a warning instead. */
    private fun fail(frame: Frame, out: MutableList<Delta>) {
        val error = ProviderError.of(frame.text())
        if (!stopped) throw HttpErrors(target).exception(error.copy(type = frame.event.substringAfter(':')))
        out += lateError(error, target)
    }

    private fun event(type: String) {
        var block = 0L
        json.members(BedrockEvent) { member ->
            when (member) {
                BedrockEvent.CONTENT_BLOCK_INDEX -> block = json.longOrNull() ?: 0
                BedrockEvent.DELTA, BedrockEvent.START -> block()
                BedrockEvent.ROLE -> hasRole = json.stringOrNull() != null
                BedrockEvent.STOP_REASON -> stopReason = json.stringOrNull()
                BedrockEvent.USAGE -> usage.readConverse(json)
                BedrockEvent.SERVICE_TIER -> json.members(TYPE) { usage.serviceTier = json.stringOrNull() }
                BedrockEvent.PERFORMANCE_CONFIG -> json.members(LATENCY) { json.stringOrNull()?.let { if (it != "standard") usage.conditions += it } }
                BedrockEvent.OUTPUT -> json.members(OUTPUT) { message() }
            }
        }
        opened?.let { open(block, it) }
        fragment?.let { text -> calls[block]?.let { if (text.isNotEmpty()) content += Delta.ToolCallDelta(it, null, null, text) } }
        media?.let { openMedia.getOrPut(block) { BedrockMedia(it.kind) }.add(it) }
        opensRaw?.let { openRaw[block] = BedrockRawBlock(it) }
        fragment?.let { openRaw[block]?.addInput(it) }
        results?.let { openRaw[block]?.addContent(it) }
        if (type == BLOCK_STOP) {
            openMedia.remove(block)?.let(::add)
            openRaw.remove(block)?.delta()?.let { content += it }
        }
        opened = null
        fragment = null
        media = null
        opensRaw = null
        results = null
    }

    private fun addOpenMedia() {
        openMedia.values.forEach(::add)
        openMedia.clear()
    }

    /** Adds media that is complete. Converse has no count for its tokens, so that the response has no price. */
    private fun add(complete: BedrockMedia) {
        content += complete.delta() ?: return
        usage.unpriced = "the provider did not count the tokens of the ${complete.kind.counted}"
    }

    private fun open(block: Long, call: Call) {
        calls[block] = callCount
        content += Delta.ToolCallDelta(callCount, call.id?.ifEmpty { null } ?: "call_$callCount", call.name, call.arguments)
        callCount++
    }

    private fun message() {
        json.members(BedrockOutputMessage) { member ->
            when (member) {
                BedrockOutputMessage.ROLE -> hasRole = json.stringOrNull() != null
                BedrockOutputMessage.CONTENT -> json.elements {
                    block()
                    opened?.let { open(calls.size.toLong(), it) }
                    media?.let(::add)
                    opensRaw?.let(::BedrockRawBlock)?.delta()?.let { content += it }
                    opened = null
                    media = null
                    opensRaw = null
                }
            }
        }
    }

    /** Reads the start of a block, a delta of a block, or a whole block: the three have the same members. */
    private fun block() {
        val start = json.position()
        var isRaw = false
        json.members(BedrockBlock) { member ->
            when (member) {
                BedrockBlock.TEXT -> content.addText(json.stringOrNull())
                BedrockBlock.TOOL_USE -> isRaw = toolUse() || isRaw
                BedrockBlock.TOOL_RESULT -> if (json.kind() == JsonKind.ARRAY) {
                    results = json.raw()
                } else {
                    isRaw = isRaw || json.kind() == JsonKind.OBJECT
                    json.skip()
                }
                BedrockBlock.REASONING_CONTENT -> reasoning()
                BedrockBlock.CITATION -> citation()
                BedrockBlock.CITATIONS_CONTENT -> citedContent()
                BedrockBlock.IMAGE -> media(BedrockMedia.Kind.IMAGE)
                BedrockBlock.AUDIO -> media(BedrockMedia.Kind.AUDIO)
                BedrockBlock.VIDEO -> media(BedrockMedia.Kind.VIDEO)
            }
        }
        if (isRaw) opensRaw = json.textFrom(start)
    }

    private fun media(kind: BedrockMedia.Kind) {
        media = BedrockMedia(kind).also { it.read(json) }
    }

    /** `input` is a fragment of text in a stream, and an object in a whole body. True if the tool runs at the server. */
    private fun toolUse(): Boolean {
        var id: String? = null
        var name: String? = null
        var input: String? = null
        var type: String? = null
        json.members(BedrockToolUse) { member ->
            when (member) {
                BedrockToolUse.TOOL_USE_ID -> id = json.stringOrNull()
                BedrockToolUse.NAME -> name = json.stringOrNull()
                BedrockToolUse.INPUT -> input = json.arguments()
                BedrockToolUse.TYPE -> type = json.stringOrNull()
            }
        }
        when {
            // The provider runs it, and its result follows: it is no call for the caller.
            type == SERVER_TOOL -> usage.unpriced = usage.unpriced ?: "no price is known for the tool \"$name\" of the provider"
            name != null || id != null -> opened = Call(id, name, input.orEmpty())
            else -> fragment = input
        }
        return type == SERVER_TOOL
    }

    /** In a whole body, text and signature are one object deeper, in `reasoningText`. */
    private fun reasoning() {
        var text: String? = null
        var signature: String? = null
        json.members(BedrockReasoningContent) { member ->
            when (member) {
                BedrockReasoningContent.REASONING_TEXT -> reasoning()
                BedrockReasoningContent.TEXT -> text = json.stringOrNull()
                BedrockReasoningContent.SIGNATURE -> signature = json.stringOrNull()?.ifEmpty { null }
                BedrockReasoningContent.REDACTED_CONTENT ->
                    json.stringOrNull()?.let { if (it.isNotEmpty()) content += Delta.Reasoning("", it, isRedacted = true) }
            }
        }
        content.addReasoning(text, signature)
    }

    private fun citedContent() {
        json.members(BedrockCitationsContent) { member ->
            when (member) {
                BedrockCitationsContent.CONTENT -> json.elements { block() }
                BedrockCitationsContent.CITATIONS -> json.elements { citation() }
            }
        }
    }

    /** Adds the source of a citation. Only web pages have a URL; documents in the request are not reported. */
    private fun citation() {
        var title: String? = null
        var url: String? = null
        json.members(BedrockCitation) { member ->
            when (member) {
                BedrockCitation.TITLE -> title = json.stringOrNull()
                BedrockCitation.LOCATION -> url = webUrl()
            }
        }
        url?.let { if (sources.add(it)) content += Delta.Source(it, title) }
    }

    private fun webUrl(): String? {
        var url: String? = null
        json.members(BedrockLocation) { member ->
            when (member) {
                BedrockLocation.WEB -> webUrl()?.let { url = it }
                BedrockLocation.URL -> url = json.stringOrNull()
            }
        }
        return url
    }

    private companion object {
        const val STOP = "messageStop"
        const val METADATA = "metadata"
        const val BLOCK_STOP = "contentBlockStop"
        val EVENTS = setOf("messageStart", "contentBlockStart", "contentBlockDelta", BLOCK_STOP, STOP, METADATA)
        val OUTPUT = JsonNames("message")
        val TYPE = JsonNames("type")
        const val SERVER_TOOL = "server_tool_use"
        val LATENCY = JsonNames("latency")
    }
}
