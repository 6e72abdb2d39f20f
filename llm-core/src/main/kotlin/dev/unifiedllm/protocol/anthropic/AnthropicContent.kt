package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.Turn
import dev.unifiedllm.protocol.argumentsObject
import dev.unifiedllm.protocol.blockJson
import dev.unifiedllm.protocol.cacheMarked
import dev.unifiedllm.protocol.isMedia
import dev.unifiedllm.protocol.isSigned
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.systemOf
import dev.unifiedllm.protocol.textPart
import dev.unifiedllm.protocol.toolUseId
import dev.unifiedllm.protocol.turnsOf
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** Encodes messages as Anthropic's content blocks. System messages have a field of their own; the others alternate between user and assistant. */
internal class AnthropicContent(private val target: Target, private val warnings: MutableList<String>) {
    /** All system messages, from every place in the conversation; null if there are none. */
    fun system(messages: List<Message>): JsonElement? = target.systemOf(messages).flatMap(::blocks).takeIf { it.isNotEmpty() }?.let(::content)

    /** All other messages. Messages of one role in a row are one turn; a turn without content is left out, because the API refuses it. */
    fun messages(messages: List<Message>): JsonArray = buildJsonArray {
        for (turn in withoutOpenServerCalls(turnsOf(messages, ::blocks))) {
            addJsonObject {
                put("role", if (turn.isAssistant) "assistant" else "user")
                put("content", content(if (turn.isAssistant) turn.blocks else resultsFirst(turn.blocks)))
            }
        }
    }

    /**
     * Leaves out calls of server tools that have no result, as a paused response has them, if the user wrote something after them: the API refuses them
     * then. It continues those that nothing follows, or only the results of other tools.
     */
    private fun withoutOpenServerCalls(turns: List<Turn>): List<Turn> {
        val blocks = turns.flatMap { it.blocks }
        if (blocks.none { it.isServerCall }) return turns
        val withResult = blocks.mapNotNullTo(hashSetOf()) { it.string("tool_use_id") }
        turns.zipWithNext { turn, next ->
            val isOver = turn.isAssistant && next.blocks.any { it.type != "tool_result" }
            if (isOver) turn.blocks.removeAll { it.isServerCall && it.string("id") !in withResult }
        }
        return turns.filter { it.blocks.isNotEmpty() }
    }

    /** True for `server_tool_use` and `mcp_tool_use`. */
    private val JsonObject.isServerCall: Boolean get() = type.orEmpty().endsWith("_tool_use")

    /** Tool results must be the first blocks of the turn after their calls. */
    private fun resultsFirst(blocks: List<JsonObject>): List<JsonObject> = blocks.sortedBy { it.type != "tool_result" }

    /** A single text block is sent as a plain string. */
    private fun content(blocks: List<JsonObject>): JsonElement =
        blocks.singleOrNull()?.takeIf { it.keys == PLAIN }?.getValue("text") ?: JsonArray(blocks)

    private fun blocks(message: Message): List<JsonObject> {
        val blocks = ArrayList<JsonObject>()
        for (part in message.parts) if (part is Part.CacheBreakpoint) addBreakpoint(blocks, part.ttl) else block(message, part)?.let(blocks::add)
        return blocks
    }

    /** Null for a part that is not sent. */
    private fun block(message: Message, part: Part): JsonObject? = when (part) {
        is Part.Text -> part.text.takeIf { it.isNotBlank() }?.let(::textPart)
        is Part.Reasoning -> if (part.isSigned && mayReturnSignatures(message, target)) reasoning(part) else null
        is Part.ToolCall -> buildJsonObject {
            put("type", "tool_use")
            put("id", toolUseId(part.id))
            put("name", part.name)
            put("input", argumentsObject(part))
        }
        is Part.ToolResult -> buildJsonObject {
            put("type", "tool_result")
            put("tool_use_id", toolUseId(part.id))
            content(part)?.let { put("content", it) }
            if (part.isError) put("is_error", true)
        }
        is Part.Image, is Part.File -> resultBlock(part)
        is Part.Raw -> part.blockJson()
        is Part.CacheBreakpoint -> null
    }

    /** The content of a result: a text, or blocks if it has images or files; null if it has none. */
    private fun content(result: Part.ToolResult): JsonElement? {
        if (result.content.none { it.isMedia }) return result.text.ifEmpty { null }?.let(::JsonPrimitive)
        return JsonArray(result.content.mapNotNull(::resultBlock)).takeIf { it.isNotEmpty() }
    }

    private fun resultBlock(part: Part): JsonObject? = when (part) {
        is Part.Text -> part.text.takeIf { it.isNotBlank() }?.let(::textPart)
        is Part.Image -> withSource("image", DataUrl.parse(part.url), part.url)
        is Part.File -> document(part)
        else -> null
    }

    private fun reasoning(part: Part.Reasoning) = buildJsonObject {
        if (part.isRedacted) {
            put("type", "redacted_thinking")
            put("data", part.signature)
        } else {
            put("type", "thinking")
            put("thinking", part.text)
            put("signature", part.signature)
        }
    }

    private fun document(file: Part.File): JsonObject? {
        val data = DataUrl.parse(file.url)
        return when {
            file.mediaType.startsWith("image/") -> withSource("image", data, file.url)
            file.mediaType == PDF -> withSource("document", data?.typed(PDF), file.url, file.name)
            data != null && file.mediaType.startsWith("text/") -> buildJsonObject {
                put("type", "document")
                putJsonObject("source") {
                    put("type", "text")
                    put("media_type", "text/plain")
                    put("data", data.bytes.decodeToString())
                }
                file.name?.let { put("title", it) }
            }
            else -> {
                warnings += "a file of type ${file.mediaType} was left out: $ANTHROPIC_API takes images, PDF by URL or content, and text by content"
                null
            }
        }
    }

    private fun withSource(type: String, data: DataUrl?, url: String, title: String? = null) = buildJsonObject {
        put("type", type)
        putJsonObject("source") {
            if (data == null) {
                put("type", "url")
                put("url", url)
            } else {
                put("type", "base64")
                put("media_type", data.mediaType)
                put("data", data.base64)
            }
        }
        title?.let { put("title", it) }
    }

    /** Adds a cache breakpoint to the last block that can have one. Reasoning blocks cannot. */
    private fun addBreakpoint(blocks: MutableList<JsonObject>, ttl: CacheTtl) {
        val at = blocks.indexOfLast { it.type != "thinking" && it.type != "redacted_thinking" }
        if (at < 0) {
            warnings += "a cache breakpoint was left out: its message has no text, file or tool block before it"
            return
        }
        blocks[at] = cacheMarked(blocks[at], ttl)
    }

    private val JsonObject.type: String? get() = string("type")

    private fun JsonObject.string(name: String): String? = (get(name) as? JsonPrimitive)?.contentOrNull

    private companion object {
        const val PDF = "application/pdf"
        val PLAIN = setOf("type", "text")
    }
}
