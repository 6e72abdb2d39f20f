package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.source

/** The output items of one response, by their place in it: which of them have been heard of, and what they say in full. */
internal class ResponseItems {
    /** What is known of an item. */
    private class Item {
        /** Its number among the tool calls; -1 for what is none. */
        var call = -1

        /** True once a piece of it has come: then the item in full says nothing new. */
        var isStreamed = false

        /** Whether its thoughts come as a summary; null before the first. Where a server sends both, the first kind counts. */
        var isSummary: Boolean? = null
    }

    private val items = HashMap<Long, Item>()
    private val urls = HashSet<String>()
    private var calls = 0
    private var lastIndex = -1L
    private var last: Item? = null

    var isRefused: Boolean = false
        private set

    val hasCalls: Boolean get() = calls > 0

    val isEmpty: Boolean get() = items.isEmpty()

    private fun item(index: Long): Item {
        last?.let { if (index == lastIndex) return it }
        return items.getOrPut(index, ::Item).also {
            last = it
            lastIndex = index
        }
    }

    fun text(index: Long, text: String, out: MutableList<Delta>) {
        if (text.isEmpty()) return
        item(index).isStreamed = true
        out += Delta.Text(text)
    }

    fun refusal(index: Long, text: String, out: MutableList<Delta>) {
        if (text.isNotEmpty()) isRefused = true
        text(index, text, out)
    }

    fun thought(index: Long, text: String, isSummary: Boolean, out: MutableList<Delta>) {
        if (text.isEmpty()) return
        val item = item(index)
        if (item.isSummary == !isSummary) return
        item.isSummary = isSummary
        item.isStreamed = true
        out += Delta.Reasoning(text)
    }

    fun arguments(index: Long, text: String, out: MutableList<Delta>) {
        val item = item(index)
        if (item.call < 0 || text.isEmpty()) return
        item.isStreamed = true
        out += Delta.ToolCallDelta(item.call, null, null, text)
    }

    fun source(source: Delta.Source, out: MutableList<Delta>) {
        if (urls.add(source.url)) out += source
    }

    /** An item has begun: of a tool call this is the id and the name. */
    fun added(index: Long, text: String, out: MutableList<Delta>) {
        val read = ResponseItem.read(text)
        if (read.isCall) begin(item(index), read, out)
    }

    private fun begin(item: Item, read: ResponseItem, out: MutableList<Delta>) {
        if (item.call >= 0) return
        item.call = calls++
        out += Delta.ToolCallDelta(item.call, read.callId ?: "call_${item.call}", read.name, "")
    }

    /** An item in full. */
    fun done(index: Long, text: String, out: MutableList<Delta>) {
        val read = ResponseItem.read(text)
        val item = item(index)
        when (read.type) {
            "message" -> {
                if (!item.isStreamed) {
                    if (read.text.isNotEmpty()) out += Delta.Text(read.text)
                    refusal(index, read.refusal, out)
                }
                read.sources.forEach { source(it, out) }
            }
            "reasoning" -> {
                val thought = if (item.isStreamed) "" else read.summary.ifEmpty { read.text }
                if (thought.isNotEmpty() || read.isSigned) out += Delta.Reasoning(thought, text.takeIf { read.isSigned })
            }
            "image_generation_call" -> read.result?.let { out += Delta.Media(read.mediaType, "data:${read.mediaType};base64,$it") }
            else -> if (read.isCall) {
                begin(item, read, out)
                val seal = text.takeIf { read.isCustom }
                val arguments = if (item.isStreamed) "" else read.arguments
                if (arguments.isNotEmpty() || seal != null) out += Delta.ToolCallDelta(item.call, null, null, arguments, signature = seal)
            }
        }
    }
}

/** One output item. */
internal class ResponseItem private constructor(private val json: JsonCursor) {
    var type: String? = null
        private set
    var callId: String? = null
        private set
    var name: String? = null
        private set
    var arguments: String = ""
        private set
    var text: String = ""
        private set
    var refusal: String = ""
        private set
    var summary: String = ""
        private set
    var result: String? = null
        private set
    val sources: MutableList<Delta.Source> = mutableListOf()
    private var format: String? = null
    private var isEncrypted = false

    val isCustom: Boolean get() = type == "custom_tool_call"

    val isCall: Boolean get() = type == "function_call" || isCustom

    /** True if a next turn can send the item back: it is sealed, or open; one that is neither is kept by the server only. */
    val isSigned: Boolean get() = isEncrypted || text.isNotEmpty()

    val mediaType: String get() = "image/" + (format ?: "png")

    private fun read() {
        json.members(FIELDS) { member ->
            when (member) {
                0 -> type = json.stringOrNull()
                1 -> callId = json.stringOrNull()?.ifEmpty { null }
                2 -> name = json.stringOrNull()
                3, 4 -> arguments = json.arguments()
                5 -> parts { text += it }
                6 -> parts { summary += it }
                7 -> isEncrypted = json.stringOrNull()?.isNotEmpty() == true
                8 -> result = json.stringOrNull()?.ifEmpty { null }
                9 -> format = json.stringOrNull()
            }
        }
    }

    private fun parts(add: (String) -> Unit) {
        json.elements {
            json.members(PART) { member ->
                when (member) {
                    0 -> json.stringOrNull()?.let(add)
                    1 -> json.stringOrNull()?.let { refusal += it }
                    2 -> json.elements { json.source()?.let(sources::add) }
                }
            }
        }
    }

    companion object {
        private val FIELDS = JsonNames("type", "call_id", "name", "arguments", "input", "content", "summary", "encrypted_content", "result", "output_format")
        private val PART = JsonNames("text", "refusal", "annotations")

        fun read(text: String): ResponseItem {
            val bytes = text.encodeToByteArray()
            return ResponseItem(JsonCursor().reset(bytes, 0, bytes.size)).also { it.read() }
        }
    }
}
