package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.jsonObject

/**
 * Collects OpenRouter's `reasoning_details`: blocks of reasoning, signed or encrypted.
 *
 * @param isSentBack true if the provider takes the blocks back, unchanged, with the next turn
 */
internal class ReasoningDetails(private val isSentBack: Boolean) {
    /** @property isFirst true for the first piece of its list */
    private class Piece(val json: String, val isFirst: Boolean)

    private val pieces = mutableListOf<Piece>()
    private val cursor = JsonCursor()

    fun addAll(other: ReasoningDetails) {
        pieces += other.pieces
    }

    /** Reads the next value. Returns the text of its blocks; null if they have none. */
    fun read(json: JsonCursor): String? {
        if (!json.enterArray()) return null
        var text: String? = null
        var isFirst = true
        while (json.nextElement()) {
            if (json.kind() != JsonKind.OBJECT) {
                json.skip()
                continue
            }
            val raw = json.raw()
            if (isSentBack) pieces += Piece(raw, isFirst)
            isFirst = false
            textOf(raw)?.let { text = text.orEmpty() + it }
        }
        return text
    }

    private fun textOf(raw: String): String? {
        val bytes = raw.encodeToByteArray()
        var text: String? = null
        cursor.reset(bytes, 0, bytes.size).members(TEXTS) { text = cursor.stringOrNull() ?: text }
        return text
    }

    /**
     * The blocks as the text of a JSON list; null if there are none. A stream brings a block in pieces of the same type and index, whose texts are
     * joined. Where a server sends no index, a piece in a later chunk continues a text or a summary of the same type that is not signed yet.
     */
    fun signature(): String? {
        if (pieces.isEmpty()) return null
        val blocks = mutableListOf<MutableMap<String, Any>>()
        for (piece in pieces) {
            val block = Json.parseToJsonElement(piece.json).jsonObject
            val last = blocks.lastOrNull()
            val continues = last != null && isContinued(last, block, piece.isFirst)
            val target = if (continues) last else mutableMapOf<String, Any>().also(blocks::add)
            for ((field, value) in block) {
                val text = (value as? JsonPrimitive)?.contentOrNull
                when {
                    field in JOINED && text != null -> (target[field] as? StringBuilder ?: StringBuilder().also { target[field] = it }).append(text)
                    value != JsonNull || field !in target -> target[field] = value
                }
            }
        }
        return JsonArray(
            blocks.map { block ->
                JsonObject(block.mapValues { (_, value) -> if (value is StringBuilder) JsonPrimitive(value.toString()) else value as JsonElement })
            },
        ).toString()
    }

    private fun isContinued(last: Map<String, Any>, block: JsonObject, isFirst: Boolean): Boolean {
        fun stated(map: Map<String, Any>, field: String): Any? = map[field].takeUnless { it == JsonNull }
        val ids = setOfNotNull(stated(last, "id"), stated(block, "id"))
        val type = stated(last, "type")
        if (ids.size > 1 || (stated(block, "type") ?: type) != type) return false
        val index = stated(block, "index") ?: return isFirst && type in TEXT_TYPES && stated(last, "signature") == null
        return index == stated(last, "index")
    }

    private companion object {
        val TEXT_TYPES = setOf<Any?>(JsonPrimitive("reasoning.text"), JsonPrimitive("reasoning.summary"))
        val JOINED = setOf("text", "summary", "data")
        val TEXTS = JsonNames("text", "summary")
    }
}
