package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.jsonElementOrNull
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/**
 * A call of a tool that runs at the server, or its result. In a stream, its input or its content follows the start of its block.
 *
 * @param start the block as it begins, as JSON
 */
internal class BedrockRawBlock(private val start: String) {
    private val input = StringBuilder()
    private val results = mutableListOf<JsonElement>()

    /** Adds a fragment of the input. */
    fun addInput(fragment: String) {
        input.append(fragment)
    }

    /** Adds a part of the content, [json], which is a list. */
    fun addContent(json: String) {
        (jsonElementOrNull(json) as? JsonArray)?.let(results::addAll)
    }

    /** The delta of the complete block; null if its input is not JSON, because it was cut. */
    fun delta(): Delta.Raw? {
        val block = jsonElementOrNull(start) as? JsonObject ?: return null
        val (type, start) = block.entries.firstOrNull() ?: return null
        var members = (start as? JsonObject).orEmpty()
        if (input.isNotEmpty()) members = members + ("input" to (jsonElementOrNull(input.toString()) ?: return null))
        if (results.isNotEmpty()) members = members + ("content" to JsonArray((members["content"] as? JsonArray).orEmpty() + results))
        val json = if (input.isEmpty() && results.isEmpty()) this.start else JsonObject(mapOf(type to JsonObject(members))).toString()
        return Delta.Raw(type, json, BedrockConverse.name)
    }
}
