package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.jsonElementOrNull
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.jsonObject

/**
 * Collects the signatures that a server puts into fields of its own, and that it wants back in the same fields of the next turn: LiteLLM's
 * `thinking_blocks` and the `extra_content` of Gemini's endpoint. The signature of the part is a JSON object with these fields.
 */
internal class SentBackFields {
    private val blocks = mutableListOf<JsonObject>()
    private var extraContent: String? = null

    fun addAll(other: SentBackFields) {
        other.blocks.forEach(::add)
        other.extraContent?.let { extraContent = it }
    }

    /** Reads blocks of reasoning. A stream brings a block in pieces: its texts, then its signature. */
    fun readThinkingBlocks(json: JsonCursor) {
        json.elements { if (json.kind() == JsonKind.OBJECT) add(Json.parseToJsonElement(json.raw()).jsonObject) else json.skip() }
    }

    private fun add(piece: JsonObject) {
        val open = blocks.lastOrNull()?.takeIf { it.isThinking && piece.isThinking && it.text(SIGNATURE).isEmpty() }
        if (open == null) {
            blocks += piece
            return
        }
        val text = JsonPrimitive(open.text(THINKING) + piece.text(THINKING))
        blocks[blocks.lastIndex] = JsonObject(open + piece + (THINKING to text))
    }

    /** Reads the field of a message that holds the signature of its text. */
    fun readExtraContent(json: JsonCursor) {
        val field = json.raw()
        if (THOUGHT_SIGNATURE in field) extraContent = field
    }

    /** Null if the server sent none of the fields. */
    fun signature(): String? {
        val signed = blocks.filter { !it.isThinking || it.text(SIGNATURE).isNotEmpty() }
        if (signed.isEmpty() && extraContent == null) return null
        val fields = mutableMapOf<String, JsonElement>()
        if (signed.isNotEmpty()) fields[THINKING_BLOCKS] = JsonArray(signed)
        extraContent?.let { fields[EXTRA_CONTENT] = Json.parseToJsonElement(it) }
        return JsonObject(fields).toString()
    }

    companion object {
        private const val THINKING_BLOCKS = "thinking_blocks"
        private const val EXTRA_CONTENT = "extra_content"
        private const val PROVIDER_FIELDS = "provider_specific_fields"
        private const val THINKING = "thinking"
        private const val SIGNATURE = "signature"
        private const val THOUGHT_SIGNATURE = "thought_signature"

        /** The fields of a message that may be in a signature. */
        val OF_MESSAGE = setOf(THINKING_BLOCKS, EXTRA_CONTENT)

        /** The fields of a tool call that may be in a signature. */
        val OF_CALL = setOf(EXTRA_CONTENT, PROVIDER_FIELDS)

        private val JsonObject.isThinking: Boolean get() = text("type") == THINKING

        private fun JsonObject.text(field: String): String = (this[field] as? JsonPrimitive)?.contentOrNull.orEmpty()

        /** The signature of a tool call, whose field [name] has the JSON text [value]; null if there is no signature in it. */
        fun ofCall(name: String, value: String): String? = if (THOUGHT_SIGNATURE in value) "{\"$name\":$value}" else null

        /** Those of [names] that stand in [signature], with their values; none if another wire wrote it. */
        fun of(signature: String?, names: Set<String>): Map<String, JsonElement> {
            if (signature == null || !signature.startsWith('{')) return emptyMap()
            return (jsonElementOrNull(signature) as? JsonObject)?.filterKeys { it in names }.orEmpty()
        }
    }
}
