package dev.unifiedllm.protocol.anthropic

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
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.Json

/** Reads events and whole messages alike: `message_start` holds a message, and a whole answer is one. */
internal class AnthropicMessagesDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = CachedUsage()
    private val content = mutableListOf<Delta>()
    private val blocks = HashMap<Int, Block>()
    private val sources = hashSetOf<String>()
    private var calls = 0

    // the piece in the event that is being read
    private var text: String? = null
    private var thought: String? = null
    private var signature: String? = null
    private var input: String? = null

    private var id: String? = null
    private var model: String? = null
    private var stopReason: String? = null
    private var started = false
    private var ended = false

    override val progress: Progress get() = if (ended) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        if (json.kind() != JsonKind.OBJECT) return json.skip()
        val type = event()
        json.end()
        if (type == "message_start" || content.isNotEmpty()) start(out)
        out += content
        content.clear()
        if (type == "message_stop" || type == "message") {
            start(out)
            ended = true
        }
    }

    override fun finish(out: MutableList<Delta>) {
        blocks.values.forEach(::close)
        out += content
        out.addFinish(FinishReason(stopReason?.let { KINDS[it] ?: Kind.OTHER } ?: Kind.UNKNOWN, stopReason), usage.usage())
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id, target.id, model)
    }

    /** Reads an event, or a whole message, whose fields stand at the same level. Answers with its type. */
    private fun event(): String? {
        var type: String? = null
        var index = 0
        var opened: Block? = null
        var error: String? = null
        var requestId: String? = null
        json.members(EVENT) { member ->
            when (member) {
                0 -> type = json.stringOrNull()
                1 -> index = json.longOrNull()?.toInt() ?: 0
                2 -> delta()
                3 -> opened = json.block()
                4 -> message()
                5 -> if (json.kind() == JsonKind.NULL) json.skip() else error = json.raw()
                6 -> requestId = json.stringOrNull()
                else -> messageField(member)
            }
        }
        error?.let { throw HttpErrors(target).exception(ProviderError.of(Json.parseToJsonElement("{\"error\":$it}")), requestId = requestId) }
        opened?.let { open(index, it) }
        addTo(blocks[index])
        if (type == "content_block_stop") blocks.remove(index)?.let(::close)
        return type
    }

    private fun message() {
        json.members(EVENT) { member -> if (member in MESSAGE_FIELDS) messageField(member) else json.skip() }
    }

    private fun messageField(name: Int) {
        when (name) {
            7 -> json.stringOrNull()?.let { if (id == null && it.isNotEmpty()) id = it }
            8 -> json.stringOrNull()?.let { if (model == null && it.isNotEmpty()) model = it }
            9 -> json.elements {
                json.block()?.let {
                    open(WHOLE, it)
                    blocks.remove(WHOLE)?.let(::close)
                }
            }
            10 -> stopReason = json.stringOrNull() ?: stopReason
            11 -> usage.readAnthropic(json)
        }
    }

    /** Reads a piece of a block, or what `message_delta` says of the message: of which block is only known when the event is read. */
    private fun delta() {
        json.members(DELTA) { member ->
            when (member) {
                0 -> text = json.stringOrNull()
                1 -> thought = json.stringOrNull()
                2 -> signature = json.stringOrNull()
                3 -> input = json.stringOrNull()
                4 -> json.citation()
                5 -> stopReason = json.stringOrNull() ?: stopReason
            }
        }
    }

    /** Adds the piece that was read, if it says something and is of the kind of its block; a block that was not opened may be of any. */
    private fun addTo(block: Block?) {
        val kind = block?.kind
        if (kind == null || kind == Block.Kind.TEXT) content.addText(text)
        if (kind == null || kind == Block.Kind.THOUGHT) {
            content.addReasoning(thought)
            content.addReasoning(null, signature?.ifEmpty { null })
        }
        if (kind == Block.Kind.CALL) {
            input?.let { if (it.isNotEmpty()) content += Delta.ToolCallDelta(block.call, null, null, it) }
            if (!input.isNullOrEmpty()) block.input = null
        }
        text = null
        thought = null
        signature = null
        input = null
    }

    /** Adds what [block] holds to begin with. */
    private fun open(index: Int, block: Block) {
        blocks[index] = block
        when (block.kind) {
            Block.Kind.TEXT -> content.addText(block.text)
            Block.Kind.THOUGHT -> content.addReasoning(block.text, block.signature)
            Block.Kind.HIDDEN_THOUGHT -> if (block.signature != null) content += Delta.Reasoning("", block.signature, isRedacted = true)
            Block.Kind.CALL -> {
                block.call = calls++
                content += Delta.ToolCallDelta(block.call, block.id ?: "call_${block.call}", block.name, "")
            }
            Block.Kind.OTHER -> Unit
        }
    }

    /** A call without a fragment has the arguments that it began with. */
    private fun close(block: Block) {
        if (block.kind != Block.Kind.CALL) return
        block.input?.let { content += Delta.ToolCallDelta(block.call, null, null, it) }
        block.input = null
    }

    private class Block(val kind: Kind, val text: String, val signature: String?, val id: String?, val name: String?, var input: String?) {
        /** OTHER are the server's own tools and their results, and what is not known. */
        enum class Kind { TEXT, THOUGHT, HIDDEN_THOUGHT, CALL, OTHER }

        var call = 0
    }

    private fun JsonCursor.block(): Block? {
        var type: String? = null
        var text = ""
        var signature: String? = null
        var id: String? = null
        var name: String? = null
        var input: String? = null
        val isBlock = members(BLOCK) { member ->
            when (member) {
                0 -> type = stringOrNull()
                1, 2 -> text = stringOrNull().orEmpty()
                3, 4 -> signature = stringOrNull()?.ifEmpty { null }
                5 -> id = stringOrNull()?.ifEmpty { null }
                6 -> name = stringOrNull()
                7 -> input = if (kind() == JsonKind.OBJECT) raw() else arguments()
                8 -> elements { citation() }
            }
        }
        return if (!isBlock) null else Block(KINDS_OF_BLOCKS[type] ?: Block.Kind.OTHER, text, signature, id, name, input)
    }

    private fun JsonCursor.citation() {
        var url: String? = null
        var title: String? = null
        members(CITATION) { member ->
            when (member) {
                0, 1 -> url = stringOrNull() ?: url
                2 -> title = stringOrNull()
            }
        }
        url?.let { if (sources.add(it)) content += Delta.Source(it, title) }
    }

    private companion object {
        /** The place of a whole block, which has no index. */
        const val WHOLE = -1
        val EVENT = JsonNames(
            "type", "index", "delta", "content_block", "message", "error", "request_id",
            "id", "model", "content", "stop_reason", "usage",
        )
        val MESSAGE_FIELDS = 7..11
        val DELTA = JsonNames("text", "thinking", "signature", "partial_json", "citation", "stop_reason")
        val BLOCK = JsonNames("type", "text", "thinking", "signature", "data", "id", "name", "input", "citations")
        val CITATION = JsonNames("url", "source", "title")
        val KINDS_OF_BLOCKS = mapOf(
            "text" to Block.Kind.TEXT,
            "thinking" to Block.Kind.THOUGHT,
            "redacted_thinking" to Block.Kind.HIDDEN_THOUGHT,
            "tool_use" to Block.Kind.CALL,
        )
        val KINDS = mapOf(
            "end_turn" to Kind.STOP,
            "stop_sequence" to Kind.STOP,
            "max_tokens" to Kind.LENGTH,
            "model_context_window_exceeded" to Kind.LENGTH,
            "tool_use" to Kind.TOOL_CALLS,
            "refusal" to Kind.REFUSAL,
        )
    }
}
