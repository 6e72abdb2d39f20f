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
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.lateError
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.AwsEventStreamDecoder
import dev.unifiedllm.transport.framing.Frame

/**
 * Decodes the events of `converse-stream` and the body of `converse`, which have the same content blocks. The results of tools that run at the
 * server are not part of the output.
 */
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

    private class Call(val id: String?, val name: String?, val arguments: String)

    override val progress: Progress
        get() = when {
            !stopped -> Progress.OPEN
            hasUsage -> Progress.DONE
            else -> Progress.COMPLETE
        }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        val event = frame.event
        if (event.startsWith(AwsEventStreamDecoder.EXCEPTION) || event.startsWith(AwsEventStreamDecoder.ERROR)) return fail(frame, out)
        val isWhole = event == Frame.MESSAGE
        if (!isWhole && event !in EVENTS) return
        json.reset(frame.bytes, frame.start, frame.end)
        event()
        json.end()
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

    private fun event() {
        var block = 0L
        json.members(Event) { member ->
            when (member) {
                Event.CONTENT_BLOCK_INDEX -> block = json.longOrNull() ?: 0
                Event.DELTA, Event.START -> block()
                Event.ROLE -> hasRole = json.stringOrNull() != null
                Event.STOP_REASON -> stopReason = json.stringOrNull()
                Event.USAGE -> usage.readConverse(json)
                Event.SERVICE_TIER -> json.members(TYPE) { usage.serviceTier = json.stringOrNull() }
                Event.PERFORMANCE_CONFIG -> json.members(LATENCY) { json.stringOrNull()?.let { if (it != "standard") usage.conditions += it } }
                Event.OUTPUT -> json.members(OUTPUT) { message() }
            }
        }
        opened?.let { open(block, it) }
        fragment?.let { text -> calls[block]?.let { if (text.isNotEmpty()) content += Delta.ToolCallDelta(it, null, null, text) } }
        opened = null
        fragment = null
    }

    private fun open(block: Long, call: Call) {
        calls[block] = callCount
        content += Delta.ToolCallDelta(callCount, call.id?.ifEmpty { null } ?: "call_$callCount", call.name, call.arguments)
        callCount++
    }

    private fun message() {
        json.members(OutputMessage) { member ->
            when (member) {
                OutputMessage.ROLE -> hasRole = json.stringOrNull() != null
                OutputMessage.CONTENT -> json.elements {
                    block()
                    opened?.let { open(calls.size.toLong(), it) }
                    opened = null
                }
            }
        }
    }

    /** Reads the start of a block, a delta of a block, or a whole block: the three have the same members. */
    private fun block() {
        json.members(Block) { member ->
            when (member) {
                Block.TEXT -> content.addText(json.stringOrNull())
                Block.TOOL_USE -> toolUse()
                Block.REASONING_CONTENT -> reasoning()
                Block.CITATION -> citation()
                Block.CITATIONS_CONTENT -> citedContent()
            }
        }
    }

    /** `input` is a fragment of text in a stream, and an object in a whole body. */
    private fun toolUse() {
        var id: String? = null
        var name: String? = null
        var input: String? = null
        json.members(ToolUse) { member ->
            when (member) {
                ToolUse.TOOL_USE_ID -> id = json.stringOrNull()
                ToolUse.NAME -> name = json.stringOrNull()
                ToolUse.INPUT -> input = json.arguments()
            }
        }
        if (name != null || id != null) opened = Call(id, name, input.orEmpty()) else fragment = input
    }

    /** In a whole body, text and signature are one object deeper, in `reasoningText`. */
    private fun reasoning() {
        var text: String? = null
        var signature: String? = null
        json.members(ReasoningContent) { member ->
            when (member) {
                ReasoningContent.REASONING_TEXT -> reasoning()
                ReasoningContent.TEXT -> text = json.stringOrNull()
                ReasoningContent.SIGNATURE -> signature = json.stringOrNull()?.ifEmpty { null }
                ReasoningContent.REDACTED_CONTENT ->
                    json.stringOrNull()?.let { if (it.isNotEmpty()) content += Delta.Reasoning("", it, isRedacted = true) }
            }
        }
        content.addReasoning(text, signature)
    }

    private fun citedContent() {
        json.members(CitationsContent) { member ->
            when (member) {
                CitationsContent.CONTENT -> json.elements { block() }
                CitationsContent.CITATIONS -> json.elements { citation() }
            }
        }
    }

    /** Adds the source of a citation. Only web pages have a URL; documents in the request are not reported. */
    private fun citation() {
        var title: String? = null
        var url: String? = null
        json.members(Citation) { member ->
            when (member) {
                Citation.TITLE -> title = json.stringOrNull()
                Citation.LOCATION -> url = webUrl()
            }
        }
        url?.let { if (sources.add(it)) content += Delta.Source(it, title) }
    }

    private fun webUrl(): String? {
        var url: String? = null
        json.members(Location) { member ->
            when (member) {
                Location.WEB -> webUrl()?.let { url = it }
                Location.URL -> url = json.stringOrNull()
            }
        }
        return url
    }

    /** The members of all events, and of a whole body. */
    private object Event :
        JsonNames("contentBlockIndex", "delta", "start", "role", "stopReason", "usage", "output", "serviceTier", "performanceConfig") {
        const val CONTENT_BLOCK_INDEX = 0
        const val DELTA = 1
        const val START = 2
        const val ROLE = 3
        const val STOP_REASON = 4
        const val USAGE = 5
        const val OUTPUT = 6
        const val SERVICE_TIER = 7
        const val PERFORMANCE_CONFIG = 8
    }

    private object OutputMessage : JsonNames("role", "content") {
        const val ROLE = 0
        const val CONTENT = 1
    }

    private object Block : JsonNames("text", "toolUse", "reasoningContent", "citation", "citationsContent") {
        const val TEXT = 0
        const val TOOL_USE = 1
        const val REASONING_CONTENT = 2
        const val CITATION = 3
        const val CITATIONS_CONTENT = 4
    }

    private object ToolUse : JsonNames("toolUseId", "name", "input") {
        const val TOOL_USE_ID = 0
        const val NAME = 1
        const val INPUT = 2
    }

    private object ReasoningContent : JsonNames("reasoningText", "text", "signature", "redactedContent") {
        const val REASONING_TEXT = 0
        const val TEXT = 1
        const val SIGNATURE = 2
        const val REDACTED_CONTENT = 3
    }

    private object CitationsContent : JsonNames("content", "citations") {
        const val CONTENT = 0
        const val CITATIONS = 1
    }

    private object Citation : JsonNames("title", "location") {
        const val TITLE = 0
        const val LOCATION = 1
    }

    private object Location : JsonNames("web", "url") {
        const val WEB = 0
        const val URL = 1
    }

    private companion object {
        const val STOP = "messageStop"
        const val METADATA = "metadata"
        val EVENTS = setOf("messageStart", "contentBlockStart", "contentBlockDelta", STOP, METADATA)
        val OUTPUT = JsonNames("message")
        val TYPE = JsonNames("type")
        val LATENCY = JsonNames("latency")
    }
}
