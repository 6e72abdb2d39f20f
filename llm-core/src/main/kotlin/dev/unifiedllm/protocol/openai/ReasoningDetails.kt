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
    private val pieces = mutableListOf<String>()
    private val piece = JsonCursor()

    fun addAll(other: ReasoningDetails) {
        pieces += other.pieces
    }

    /** Reads the next value. Returns the text of its blocks; null if they have none. */
    fun read(json: JsonCursor): String? {
        if (!json.enterArray()) return null
        var text: String? = null
        while (json.nextElement()) {
            if (json.kind() != JsonKind.OBJECT) {
                json.skip()
                continue
            }
            val raw = json.raw()
            if (isSentBack) pieces += raw
            textOf(raw)?.let { text = text.orEmpty() + it }
        }
        return text
    }

    private fun textOf(raw: String): String? {
        val bytes = raw.encodeToByteArray()
        var text: String? = null
        piece.reset(bytes, 0, bytes.size).members(TEXTS) { text = piece.stringOrNull() ?: text }
        return text
    }

    /**
     * The blocks as the text of a JSON list; null if there are none. A stream brings a block in pieces of the same type and index, whose texts are
     * joined.
     */
    fun signature(): String? {
        if (pieces.isEmpty()) return null
        val blocks = mutableListOf<MutableMap<String, Any>>()
        for (piece in pieces) {
            val block = Json.parseToJsonElement(piece).jsonObject
            val last = blocks.lastOrNull()
            val ids = setOf(last?.get("id"), block["id"]) - setOf(null, JsonNull)
            val continues = last != null && ids.size <= 1 && block["index"] != null && last["index"] == block["index"] && last["type"] == block["type"]
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

    private companion object {
        val JOINED = setOf("text", "summary", "data")
        val TEXTS = JsonNames("text", "summary")
    }
}
