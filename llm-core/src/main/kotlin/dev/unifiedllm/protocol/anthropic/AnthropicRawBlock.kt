package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
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

    /** The members that deltas added, in pieces. */
    private val added = linkedMapOf<String, MutableList<JsonElement>>()

    /** Adds the delta in [frame]. @param fragment the fragment of input that it has; null if it has other members */
    fun add(fragment: String?, frame: Frame) {
        if (fragment != null) {
            input.append(fragment)
            return
        }
        val delta = (jsonElementOrNull(frame.text()) as? JsonObject)?.get("delta") as? JsonObject ?: return
        for ((name, value) in delta) {
            when (name) {
                "type" -> Unit
                "citation" -> piecesOf("citations").add(JsonArray(listOf(value)))
                else -> piecesOf(name).add(value)
            }
        }
    }

    private fun piecesOf(name: String) = added.getOrPut(name) { mutableListOf() }

    /** Texts and lists are the sum of their pieces; of anything else the last one counts. */
    private fun joined(pieces: List<JsonElement>): JsonElement = when {
        pieces.all { it is JsonPrimitive && it.isString } -> JsonPrimitive(pieces.joinToString("") { (it as JsonPrimitive).content })
        pieces.all { it is JsonArray } -> JsonArray(pieces.flatMap { it as JsonArray })
        else -> pieces.last()
    }

    /** The delta of the complete block; null if its input is not JSON, because it was cut. */
    fun delta(): Delta.Raw? {
        if (input.isEmpty() && added.isEmpty()) return raw(start)
        val begun = jsonElementOrNull(start) as? JsonObject ?: return null
        val block = JsonObject(begun + added.mapValues { (name, pieces) -> joined(listOfNotNull(begun[name]?.takeUnless { it == JsonNull }) + pieces) })
        if (input.isEmpty()) return raw(block.toString())
        val whole = jsonElementOrNull(input.toString()) ?: return null
        return raw(JsonObject(block + ("input" to whole)).toString())
    }

    private fun raw(json: String) = Delta.Raw(type, json, AnthropicMessages.name)
}
