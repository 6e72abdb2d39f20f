package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members

/**
 * A content block of a message.
 *
 * @property text what a text or reasoning block starts with
 * @property input the arguments that a tool call starts with; null once a fragment has replaced them
 * @property hasFailed true for the result of a tool of the server that holds an error in place of a list of results
 * @property raw the block itself, if it is of [Kind.OTHER]
 */
internal class AnthropicBlock(
    val type: String,
    val text: String,
    val signature: String?,
    val id: String?,
    val name: String?,
    var input: String?,
    val hasFailed: Boolean,
    val raw: AnthropicRawBlock?,
) {
    val kind: Kind = kindOf(type)

    /** OTHER: tools that the server runs itself, their results, and unknown blocks. */
    enum class Kind { TEXT, REASONING, REDACTED_REASONING, TOOL_CALL, OTHER }

    /** The index of this tool call among those of the message. */
    var call = 0

    private object Block : JsonNames("type", "text", "thinking", "signature", "data", "id", "name", "input", "citations", "content") {
        const val TYPE = 0
        const val TEXT = 1
        const val THINKING = 2
        const val SIGNATURE = 3
        const val DATA = 4
        const val ID = 5
        const val NAME = 6
        const val INPUT = 7
        const val CITATIONS = 8
        const val CONTENT = 9
    }

    companion object {
        private val KINDS = mapOf(
            "text" to Kind.TEXT,
            "thinking" to Kind.REASONING,
            "redacted_thinking" to Kind.REDACTED_REASONING,
            "tool_use" to Kind.TOOL_CALL,
        )

        private fun kindOf(type: String): Kind = KINDS[type] ?: Kind.OTHER

        /** Reads a block, and adds the sources that it cites to [out]. Null for a value that is not an object. */
        fun read(json: JsonCursor, sources: AnthropicSources, out: MutableList<Delta>): AnthropicBlock? {
            var type: String? = null
            var text = ""
            var signature: String? = null
            var id: String? = null
            var name: String? = null
            var input: String? = null
            var hasFailed = false
            val start = json.position()
            val isBlock = json.members(Block) { member ->
                when (member) {
                    Block.TYPE -> type = json.stringOrNull()
                    Block.TEXT, Block.THINKING -> text = json.stringOrNull() ?: text
                    Block.SIGNATURE, Block.DATA -> signature = json.stringOrNull()?.ifEmpty { null } ?: signature
                    Block.ID -> id = json.stringOrNull()?.ifEmpty { null }
                    Block.NAME -> name = json.stringOrNull()
                    Block.INPUT -> input = if (json.kind() == JsonKind.OBJECT) json.raw() else json.arguments()
                    Block.CITATIONS -> json.elements { sources.read(json, out) }
                    Block.CONTENT -> {
                        hasFailed = json.kind() == JsonKind.OBJECT
                        json.skip()
                    }
                }
            }
            if (!isBlock) return null
            val raw = type?.takeIf { kindOf(it) == Kind.OTHER }?.let { AnthropicRawBlock(it, json.textFrom(start)) }
            return AnthropicBlock(type.orEmpty(), text, signature, id, name, input, hasFailed, raw)
        }
    }
}

/** The sources that a message cites. Each URL is reported once. */
internal class AnthropicSources {
    private val urls = hashSetOf<String>()

    /** Reads a citation, and adds its source to [out] if the URL is new. Citations of documents have no URL. */
    fun read(json: JsonCursor, out: MutableList<Delta>) {
        var url: String? = null
        var title: String? = null
        json.members(Citation) { member ->
            when (member) {
                Citation.URL, Citation.SOURCE -> url = json.stringOrNull() ?: url
                Citation.TITLE -> title = json.stringOrNull()
            }
        }
        url?.let { if (urls.add(it)) out += Delta.Source(it, title) }
    }

    private object Citation : JsonNames("url", "source", "title") {
        const val URL = 0
        const val SOURCE = 1
        const val TITLE = 2
    }
}
