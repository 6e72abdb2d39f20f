package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.jsonCursor
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.source

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

    /** The texts and refusals of its content, in order. */
    var text: String = ""
        private set
    var isRefusal: Boolean = false
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
    private var status: String? = null

    /** True if the item says that its tool had not ended. */
    val isRunning: Boolean get() = status in RUNNING

    val isCustom: Boolean get() = type == "custom_tool_call"

    /** [MESSAGE], [REASONING], [CALL] for both types of tool calls, or another type. */
    val kind: String? get() = if (type == "function_call" || isCustom) CALL else type

    /** What is streamed of it as deltas: the text of a message, reasoning, or arguments. */
    val content: String
        get() = when (kind) {
            CALL -> arguments
            REASONING -> summary.ifEmpty { text }
            else -> text
        }

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
                ItemMember.STATUS -> status = json.stringOrNull()
            }
        }
    }

    /** Reads a list of parts. Some servers send a text, or one part, in its place. */
    private fun parts(add: (String) -> Unit) {
        if (json.kind() == JsonKind.ARRAY) json.elements { part(add) } else part(add)
    }

    private fun part(add: (String) -> Unit) {
        if (json.kind() == JsonKind.STRING) return add(json.string())
        json.members(PartMember) { member ->
            when (member) {
                PartMember.TEXT -> json.stringOrNull()?.let(add)
                PartMember.REFUSAL -> json.stringOrNull()?.let {
                    if (it.isNotEmpty()) isRefusal = true
                    add(it)
                }
                PartMember.ANNOTATIONS -> json.elements { json.source()?.let(sources::add) }
            }
        }
    }

    companion object {
        const val MESSAGE: String = "message"
        const val REASONING: String = "reasoning"
        const val CALL: String = "call"
        const val IMAGE: String = "image_generation_call"

        private val ACTION_TYPE = JsonNames("type")
        private val RUNNING = setOf("in_progress", "incomplete", "searching", "interpreting", "calling", "generating")

        fun read(text: String): ResponseItem = ResponseItem(jsonCursor(text)).also { it.read() }
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
        "status",
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
        const val STATUS = 12
    }

    private object PartMember : JsonNames("text", "refusal", "annotations") {
        const val TEXT = 0
        const val REFUSAL = 1
        const val ANNOTATIONS = 2
    }
}
