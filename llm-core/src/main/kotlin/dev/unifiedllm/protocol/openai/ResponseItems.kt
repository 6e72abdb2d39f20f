package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.source

/**
 * Turns the output items of one response into deltas, from their deltas or from the complete items.
 *
 * An item is known by its id or, if the server sends none or another one in each event, by its index. Some servers repeat an index or leave it out.
 */
internal class ResponseItems {
    /** The state of an item. @property type of the item, as [ResponseItem.kind]; null before it is known */
    private class Item(var type: String?) {
        /** Its index among the tool calls; -1 if it is not one. */
        var call = -1

        /** True once a delta of it has come: the complete item then repeats what is known. */
        var isStreamed = false

        /** True once the event that begins it has come. */
        var isAdded = false

        /** True once it is complete. */
        var isDone = false

        /** True if its reasoning comes as a summary; null before the first delta. If a server sends both, the first kind counts. */
        var isSummary: Boolean? = null

        fun mayBe(type: String?) = this.type == null || type == null || this.type == type
    }

    private val byIndex = HashMap<Long, MutableList<Item>>()
    private val byId = HashMap<String, Item>()
    private val urls = HashSet<String>()
    private var calls = 0
    private var lastIndex = -1L
    private var lastId: String? = null
    private var last: Item? = null

    var isRefused: Boolean = false
        private set

    val tools: ServerTools = ServerTools()

    val hasCalls: Boolean get() = calls > 0

    /** The item of an event with a delta. @param index -1 if the event has none */
    private fun item(index: Long, id: String?, type: String): Item {
        last?.let { if (index == lastIndex && id == lastId && it.type == type) return it }
        return find(index, id, type) { true }
    }

    /** The last item of [type] at [index] that [fits], unless the [id] names one; a new one if there is none. */
    private inline fun find(index: Long, id: String?, type: String?, fits: Item.() -> Boolean): Item {
        val atIndex = byIndex.getOrPut(index, ::ArrayList)
        val item = id?.let(byId::get) ?: atIndex.lastOrNull { it.mayBe(type) && it.fits() } ?: Item(type)
        if (item.type == null) item.type = type
        if (item !in atIndex) atIndex += item
        if (id != null) byId[id] = item
        last = item
        lastIndex = index
        lastId = id
        return item
    }

    fun text(index: Long, id: String?, text: String, out: MutableList<Delta>) {
        if (text.isEmpty()) return
        item(index, id, ResponseItem.MESSAGE).isStreamed = true
        out += Delta.Text(text)
    }

    fun refusal(index: Long, id: String?, text: String, out: MutableList<Delta>) {
        if (text.isNotEmpty()) isRefused = true
        text(index, id, text, out)
    }

    fun reasoning(index: Long, id: String?, text: String, isSummary: Boolean, out: MutableList<Delta>) {
        if (text.isEmpty()) return
        val item = item(index, id, ResponseItem.REASONING)
        if (item.isSummary == !isSummary) return
        item.isSummary = isSummary
        item.isStreamed = true
        out += Delta.Reasoning(text)
    }

    fun arguments(index: Long, id: String?, text: String, out: MutableList<Delta>) {
        val item = item(index, id, ResponseItem.CALL)
        if (item.call < 0 || text.isEmpty()) return
        item.isStreamed = true
        out += Delta.ToolCallDelta(item.call, null, null, text)
    }

    fun source(source: Delta.Source, out: MutableList<Delta>) {
        if (urls.add(source.url)) out += source
    }

    /** Reads the output that the last event repeats. It counts for the kinds of items of which nothing has come before. */
    fun complete(output: List<String>, out: MutableList<Delta>) {
        val known = byIndex.values.flatten().filter { it.isDone || it.isStreamed }.mapTo(HashSet()) { it.type }
        output.forEachIndexed { index, text -> if (ResponseItem.read(text).kind !in known) done(index.toLong(), text, out) }
    }

    /** Reads an item that has begun. For a tool call it has the id and the name. */
    fun added(index: Long, text: String, out: MutableList<Delta>) {
        val read = ResponseItem.read(text)
        val item = find(index, read.id, read.kind) { !isAdded && !isDone }
        item.isAdded = true
        if (read.isCall) begin(item, read, out)
    }

    private fun begin(item: Item, read: ResponseItem, out: MutableList<Delta>) {
        if (item.call >= 0) return
        item.call = calls++
        out += Delta.ToolCallDelta(item.call, read.callId ?: "call_${item.call}", read.name, "")
    }

    /** Reads a complete item. */
    fun done(index: Long, text: String, out: MutableList<Delta>) {
        val read = ResponseItem.read(text)
        val item = find(index, read.id, read.kind) { !isDone }
        if (!item.isDone) tools.add(read)
        item.isDone = true
        when (read.kind) {
            ResponseItem.MESSAGE -> {
                if (!item.isStreamed) {
                    if (read.text.isNotEmpty()) out += Delta.Text(read.text)
                    refusal(index, read.id, read.refusal, out)
                }
                read.sources.forEach { source(it, out) }
            }
            ResponseItem.REASONING -> {
                val reasoning = if (item.isStreamed) "" else read.summary.ifEmpty { read.text }
                if (reasoning.isNotEmpty() || read.isSigned) out += Delta.Reasoning(reasoning, text.takeIf { read.isSigned })
            }
            "image_generation_call" -> read.result?.let { out += Delta.Media(read.mediaType, "data:${read.mediaType};base64,$it") }
            else -> if (read.isCall) {
                begin(item, read, out)
                val signature = text.takeIf { read.isCustom }
                val arguments = if (item.isStreamed) "" else read.arguments
                if (arguments.isNotEmpty() || signature != null) out += Delta.ToolCallDelta(item.call, null, null, arguments, signature = signature)
            }
        }
    }
}

/** An output item. */
internal class ResponseItem private constructor(private val json: JsonCursor) {
    var type: String? = null
        private set
    var id: String? = null
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

    /** What a web search did: `search`, `open_page` or `find_in_page`; null if it does not say. */
    var action: String? = null
        private set
    private var isEncrypted = false

    val isCustom: Boolean get() = type == "custom_tool_call"

    val isCall: Boolean get() = type == "function_call" || isCustom

    /** [MESSAGE], [REASONING], [CALL] for both types of tool calls, or another type. */
    val kind: String? get() = if (isCall) CALL else type

    /** True if the item can be sent back with the next turn: its reasoning is encrypted or plain text. Otherwise only the server has it. */
    val isSigned: Boolean get() = isEncrypted || text.isNotEmpty()

    val mediaType: String get() = "image/" + (format ?: "png")

    private fun read() {
        json.members(ItemMember) { member ->
            when (member) {
                ItemMember.TYPE -> type = json.stringOrNull()
                ItemMember.ID -> id = json.stringOrNull()?.ifEmpty { null }
                ItemMember.CALL_ID -> callId = json.stringOrNull()?.ifEmpty { null }
                ItemMember.NAME -> name = json.stringOrNull()
                ItemMember.ARGUMENTS, ItemMember.INPUT -> arguments = json.arguments()
                ItemMember.CONTENT -> parts { text += it }
                ItemMember.SUMMARY -> parts { summary += it }
                ItemMember.ENCRYPTED_CONTENT -> isEncrypted = json.stringOrNull()?.isNotEmpty() == true
                ItemMember.RESULT -> result = json.stringOrNull()?.ifEmpty { null }
                ItemMember.OUTPUT_FORMAT -> format = json.stringOrNull()
                ItemMember.ACTION -> json.members(ACTION_TYPE) { action = json.stringOrNull() }
            }
        }
    }

    private fun parts(add: (String) -> Unit) {
        json.elements {
            json.members(PartMember) { member ->
                when (member) {
                    PartMember.TEXT -> json.stringOrNull()?.let(add)
                    PartMember.REFUSAL -> json.stringOrNull()?.let { refusal += it }
                    PartMember.ANNOTATIONS -> json.elements { json.source()?.let(sources::add) }
                }
            }
        }
    }

    companion object {
        const val MESSAGE: String = "message"
        const val REASONING: String = "reasoning"
        const val CALL: String = "call"

        private val ACTION_TYPE = JsonNames("type")

        fun read(text: String): ResponseItem {
            val bytes = text.encodeToByteArray()
            return ResponseItem(JsonCursor().reset(bytes, 0, bytes.size)).also { it.read() }
        }
    }

    private object ItemMember : JsonNames(
        "type",
        "call_id",
        "name",
        "arguments",
        "input",
        "content",
        "summary",
        "encrypted_content",
        "result",
        "output_format",
        "id",
        "action",
    ) {
        const val TYPE = 0
        const val CALL_ID = 1
        const val NAME = 2
        const val ARGUMENTS = 3
        const val INPUT = 4
        const val CONTENT = 5
        const val SUMMARY = 6
        const val ENCRYPTED_CONTENT = 7
        const val RESULT = 8
        const val OUTPUT_FORMAT = 9
        const val ID = 10
        const val ACTION = 11
    }

    private object PartMember : JsonNames("text", "refusal", "annotations") {
        const val TEXT = 0
        const val REFUSAL = 1
        const val ANNOTATIONS = 2
    }
}
