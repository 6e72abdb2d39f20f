package dev.unifiedllm

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.Detail
import dev.unifiedllm.chat.Part
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/** The parts of messages in saved conversations: an object each, whose `type` names the kind. */
internal object PartJson {
    fun write(part: Part): JsonObject = buildJsonObject {
        when (part) {
            is Part.Text -> {
                put("type", "text")
                put("text", part.text)
            }
            is Part.Reasoning -> {
                put("type", "reasoning")
                put("text", part.text)
                part.signature?.let { put("signature", it) }
                if (part.isRedacted) put("isRedacted", true)
            }
            is Part.Image -> {
                put("type", "image")
                put("url", part.url)
                part.detail?.let { put("detail", it.name.lowercase()) }
            }
            is Part.File -> {
                put("type", "file")
                put("url", part.url)
                put("mediaType", part.mediaType)
                part.name?.let { put("name", it) }
            }
            is Part.CacheBreakpoint -> {
                put("type", "cacheBreakpoint")
                put("ttl", part.ttl.name.lowercase())
            }
            is Part.Raw -> {
                put("type", "raw")
                put("block", part.type)
                put("protocol", part.protocol)
                put("json", part.json) // as text, so that it comes back unchanged
            }
            is Part.ToolCall -> call(part)
            is Part.ToolResult -> result(part)
        }
    }

    private fun JsonObjectBuilder.call(call: Part.ToolCall) {
        put("type", "toolCall")
        put("id", call.id)
        put("name", call.name)
        put("arguments", call.arguments) // as the model wrote them: perhaps no JSON
        call.signature?.let { put("signature", it) }
    }

    private fun JsonObjectBuilder.result(result: Part.ToolResult) {
        put("type", "toolResult")
        put("id", result.id)
        put("name", result.name)
        put("content", JsonArray(result.content.map(::write)))
        if (result.isError) put("isError", true)
    }

    /** @throws LlmException.Configuration if the part is of no known type: to leave it out would change what the model reads */
    fun read(json: SavedObject): Part = when (val type = json.text("type")) {
        "text" -> Part.Text(json.text("text"))
        "reasoning" -> Part.Reasoning(json.text("text"), json.textOrNull("signature"), json.flag("isRedacted"))
        "image" -> Part.Image(json.text("url"), json.textOrNull("detail")?.let { named<Detail>(it, json) })
        "file" -> Part.File(json.text("url"), json.text("mediaType"), json.textOrNull("name"))
        "cacheBreakpoint" -> Part.CacheBreakpoint(named<CacheTtl>(json.text("ttl"), json))
        "raw" -> Part.Raw(json.text("block"), json.text("json"), json.text("protocol"))
        "toolCall" -> Part.ToolCall(json.text("id"), json.text("name"), json.text("arguments"), json.textOrNull("signature"))
        "toolResult" -> Part.ToolResult(json.text("id"), json.text("name"), json.objects("content").map(::read), json.flag("isError"))
        else -> throw json.malformed("it has a part of the type \"$type\", which this release does not know")
    }

    private inline fun <reified T : Enum<T>> named(word: String, json: SavedObject): T =
        enumValues<T>().firstOrNull { it.name.equals(word, ignoreCase = true) } ?: throw json.malformed("it has the word \"$word\" in a part")
}
