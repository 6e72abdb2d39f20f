package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/**
 * A block that is kept and not read: a tool that the server runs, its result, or a block of an unknown type. In a stream, deltas complete it.
 *
 * @param start the block as it begins, as JSON
 */
internal class AnthropicRawBlock(private val type: String, private val start: String) {
    /** The fragments of its input. */
    private val input = StringBuilder()

    /** The block with the members that deltas added; null if none did. */
    private var grown: JsonObject? = null

    /** Adds the delta in [frame]. @param fragment the fragment of input that it has; null if it has other members */
    fun add(fragment: String?, frame: Frame) {
        if (fragment != null) {
            input.append(fragment)
            return
        }
        val delta = (jsonElementOrNull(frame.text()) as? JsonObject)?.get("delta") as? JsonObject ?: return
        val block = (grown ?: jsonElementOrNull(start) as? JsonObject).orEmpty().toMutableMap()
        for ((name, value) in delta) {
            when (name) {
                "type" -> Unit
                "citation" -> block["citations"] = JsonArray((block["citations"] as? JsonArray).orEmpty() + value)
                else -> block[name] = joined(block[name], value)
            }
        }
        grown = JsonObject(block)
    }

    private fun joined(before: JsonElement?, value: JsonElement): JsonElement = when {
        before is JsonPrimitive && before.isString && value is JsonPrimitive && value.isString -> JsonPrimitive(before.content + value.content)
        before is JsonArray && value is JsonArray -> JsonArray(before + value)
        else -> value
    }

    /** The delta of the complete block; null if its input is not JSON, because it was cut. */
    fun delta(): Delta.Raw? {
        if (input.isEmpty() && grown == null) return raw(start)
        val block = grown ?: jsonElementOrNull(start) as? JsonObject ?: return null
        if (input.isEmpty()) return raw(block.toString())
        val whole = jsonElementOrNull(input.toString()) ?: return null
        return raw(JsonObject(block + ("input" to whole)).toString())
    }

    private fun raw(json: String) = Delta.Raw(type, json, AnthropicMessages.name)
}
