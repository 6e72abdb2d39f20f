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
 * Reads the events of `converse-stream`, and the one body of `converse`: their fields have names of their own. What a tool that runs at the
 * server returned is no part of the answer.
 */
internal class BedrockConverseDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = CachedUsage()
    private val content = mutableListOf<Delta>()
    private val sources = mutableSetOf<String>()
    private var hasBegun = false
    private var isAnnounced = false
    private var reason: String? = null
    private var isStopped = false
    private var hasFigures = false

    /** The number of the tool call in each block that is one. */
    private val calls = mutableMapOf<Long, Int>()
    private var callCount = 0

    // what one event says of a tool call, until the block is known that it is about
    private var opened: Call? = null
    private var fragment: String? = null

    private class Call(val id: String?, val name: String?, val arguments: String)

    override val progress: Progress
        get() = when {
            !isStopped -> Progress.OPEN
            hasFigures -> Progress.DONE
            else -> Progress.COMPLETE
        }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        val event = frame.event
        if (event.startsWith(AwsEventStreamDecoder.EXCEPTION) || event.startsWith(AwsEventStreamDecoder.ERROR)) return failed(frame, out)
        val isWhole = event == Frame.MESSAGE
        if (!isWhole && event !in EVENTS) return
        json.reset(frame.bytes, frame.start, frame.end)
        read()
        json.end()
        isStopped = isStopped || event == STOP || (isWhole && reason != null)
        hasFigures = hasFigures || event == USAGE_WAIT || isWhole
        if (hasBegun || isStopped || content.isNotEmpty()) announce(out)
        out += content
        content.clear()
    }

    override fun finish(out: MutableList<Delta>) {
        out.addFinish(FinishReason(reason?.let { KINDS[it] ?: Kind.OTHER } ?: Kind.UNKNOWN, reason), usage.usage())
    }

    private fun announce(out: MutableList<Delta>) {
        if (isAnnounced) return
        isAnnounced = true
        out += Delta.Start(null, target.id)
    }

    /** An error ends the answer, unless that was complete before it. */
    private fun failed(frame: Frame, out: MutableList<Delta>) {
        val said = ProviderError.of(frame.text())
        if (!isStopped) throw HttpErrors(target).exception(ProviderError(said.message, frame.event.substringAfter(':'), said.code, said.param))
        out += lateError(said, target)
    }

    private fun read() {
        var block = 0L
        json.members(EVENT) { member ->
            when (member) {
                0 -> block = json.longOrNull() ?: 0
                1, 2 -> block()
                3 -> hasBegun = json.stringOrNull() != null
                4 -> reason = json.stringOrNull()
                5 -> usage.readConverse(json)
                6 -> output()
            }
        }
        opened?.let { begin(block, it) }
        fragment?.let { text -> calls[block]?.let { if (text.isNotEmpty()) content += Delta.ToolCallDelta(it, null, null, text) } }
        opened = null
        fragment = null
    }

    private fun begin(block: Long, call: Call) {
        calls[block] = callCount
        content += Delta.ToolCallDelta(callCount, call.id?.ifEmpty { null } ?: "call_$callCount", call.name, call.arguments)
        callCount++
    }

    private fun output() {
        json.members(OUTPUT) { message() }
    }

    private fun message() {
        json.members(MESSAGE) { member ->
            when (member) {
                0 -> hasBegun = json.stringOrNull() != null
                1 -> json.elements {
                    block()
                    opened?.let { begin(calls.size.toLong(), it) }
                    opened = null
                }
            }
        }
    }

    /** A block's beginning, a piece of it, or all of it. */
    private fun block() {
        json.members(BLOCK) { member ->
            when (member) {
                0 -> content.addText(json.stringOrNull())
                1 -> toolUse()
                2 -> reasoning()
                3 -> citation()
                4 -> citedContent()
            }
        }
    }

    /** `input` is a text in pieces, and an object where it comes whole. */
    private fun toolUse() {
        var id: String? = null
        var name: String? = null
        var input: String? = null
        json.members(TOOL_USE) { member ->
            when (member) {
                0 -> id = json.stringOrNull()
                1 -> name = json.stringOrNull()
                2 -> input = json.arguments()
            }
        }
        if (name != null || id != null) opened = Call(id, name, input.orEmpty()) else fragment = input
    }

    /** A piece of a thought; all of it stands one object deeper. */
    private fun reasoning() {
        var text: String? = null
        var seal: String? = null
        json.members(REASONING) { member ->
            when (member) {
                0 -> reasoning()
                1 -> text = json.stringOrNull()
                2 -> seal = json.stringOrNull()?.ifEmpty { null }
                3 -> json.stringOrNull()?.let { if (it.isNotEmpty()) content += Delta.Reasoning("", it, isRedacted = true) }
            }
        }
        content.addReasoning(text, seal)
    }

    /** Text with what it rests on beside it. */
    private fun citedContent() {
        json.members(CITED) { member ->
            when (member) {
                0 -> json.elements { block() }
                1 -> json.elements { citation() }
            }
        }
    }

    /** Only what stands in the web has a URL to show. */
    private fun citation() {
        var title: String? = null
        var url: String? = null
        json.members(CITATION) { member ->
            when (member) {
                0 -> title = json.stringOrNull()
                1 -> url = webUrl()
            }
        }
        url?.let { if (sources.add(it)) content += Delta.Source(it, title) }
    }

    private fun webUrl(): String? {
        var url: String? = null
        json.members(LOCATION) { member ->
            when (member) {
                0 -> webUrl()?.let { url = it }
                1 -> url = json.stringOrNull()
            }
        }
        return url
    }

    private companion object {
        const val STOP = "messageStop"
        const val USAGE_WAIT = "metadata"
        val EVENTS = setOf("messageStart", "contentBlockStart", "contentBlockDelta", STOP, USAGE_WAIT)
        val EVENT = JsonNames("contentBlockIndex", "delta", "start", "role", "stopReason", "usage", "output")
        val OUTPUT = JsonNames("message")
        val MESSAGE = JsonNames("role", "content")
        val BLOCK = JsonNames("text", "toolUse", "reasoningContent", "citation", "citationsContent")
        val TOOL_USE = JsonNames("toolUseId", "name", "input")
        val REASONING = JsonNames("reasoningText", "text", "signature", "redactedContent")
        val CITED = JsonNames("content", "citations")
        val CITATION = JsonNames("title", "location")
        val LOCATION = JsonNames("web", "url")
        val KINDS = mapOf(
            "end_turn" to Kind.STOP,
            "stop_sequence" to Kind.STOP,
            "max_tokens" to Kind.LENGTH,
            "model_context_window_exceeded" to Kind.LENGTH,
            "tool_use" to Kind.TOOL_CALLS,
            "guardrail_intervened" to Kind.CONTENT_FILTER,
            "content_filtered" to Kind.CONTENT_FILTER,
            "malformed_model_output" to Kind.ERROR,
            "malformed_tool_use" to Kind.ERROR,
        )
    }
}
