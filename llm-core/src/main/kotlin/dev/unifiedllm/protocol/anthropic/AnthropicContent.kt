package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.argumentsObject
import dev.unifiedllm.protocol.cacheMarked
import dev.unifiedllm.protocol.isSigned
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.systemOf
import dev.unifiedllm.protocol.textPart
import dev.unifiedllm.protocol.toolUseId
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

/** A conversation as Anthropic's content blocks: system apart, user and assistant in turns, thoughts as they were signed. */
internal class AnthropicContent(private val target: Target, private val warnings: MutableList<String>) {
    /** All system messages, wherever they stood; null for none. */
    fun system(messages: List<Message>): JsonElement? = target.systemOf(messages).flatMap(::blocks).takeIf { it.isNotEmpty() }?.let(::content)

    /** The rest, neighbours of one role in one turn. A turn without content is left out, for the wire refuses it. */
    fun messages(messages: List<Message>): JsonArray = buildJsonArray {
        for ((isAssistant, turn) in turns(messages.filter { it.role != Role.SYSTEM })) {
            val blocks = turn.flatMap(::blocks)
            if (blocks.isEmpty()) continue
            addJsonObject {
                put("role", if (isAssistant) "assistant" else "user")
                put("content", content(if (isAssistant) blocks else resultsFirst(blocks)))
            }
        }
    }

    private fun turns(messages: List<Message>): List<Pair<Boolean, List<Message>>> = buildList {
        for (message in messages) {
            val isAssistant = message.role == Role.ASSISTANT
            val open = lastOrNull()?.takeIf { it.first == isAssistant }
            if (open != null) removeLast()
            add(isAssistant to open?.second.orEmpty() + message)
        }
    }

    /** Tool results must open the turn that follows their calls. */
    private fun resultsFirst(blocks: List<JsonObject>): List<JsonObject> = blocks.sortedBy { it.type != "tool_result" }

    /** One plain text is content by itself. */
    private fun content(blocks: List<JsonObject>): JsonElement =
        blocks.singleOrNull()?.takeIf { it.keys == PLAIN }?.getValue("text") ?: JsonArray(blocks)

    private fun blocks(message: Message): List<JsonObject> {
        val blocks = ArrayList<JsonObject>()
        for (part in message.parts) if (part is Part.CacheBreakpoint) mark(blocks, part.ttl) else block(message, part)?.let(blocks::add)
        return blocks
    }

    /** Null for what is not sent. */
    private fun block(message: Message, part: Part): JsonObject? = when (part) {
        is Part.Text -> part.text.takeIf { it.isNotBlank() }?.let(::textPart)
        is Part.Reasoning -> if (part.isSigned && mayReturnSignatures(message, target)) thought(part) else null
        is Part.ToolCall -> buildJsonObject {
            put("type", "tool_use")
            put("id", toolUseId(part.id))
            put("name", part.name)
            put("input", argumentsObject(part))
        }
        is Part.ToolResult -> buildJsonObject {
            put("type", "tool_result")
            put("tool_use_id", toolUseId(part.id))
            if (part.text.isNotEmpty()) put("content", part.text)
            if (part.isError) put("is_error", true)
        }
        is Part.Image -> sourced("image", DataUrl.parse(part.url), part.url)
        is Part.File -> document(part)
        is Part.CacheBreakpoint -> null
    }

    private fun thought(part: Part.Reasoning) = buildJsonObject {
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
            file.mediaType.startsWith("image/") -> sourced("image", data, file.url)
            file.mediaType == PDF -> sourced("document", data?.typed(PDF), file.url, file.name)
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
                warnings += "a file of type ${file.mediaType} was left out: this wire takes PDF by URL or content, images, and text by content"
                null
            }
        }
    }

    private fun sourced(type: String, data: DataUrl?, url: String, title: String? = null) = buildJsonObject {
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

    /** Marks the last block that can bear it: thoughts cannot. */
    private fun mark(blocks: MutableList<JsonObject>, ttl: CacheTtl) {
        val at = blocks.indexOfLast { it.type != "thinking" && it.type != "redacted_thinking" }
        if (at < 0) {
            warnings += "a cache mark was left out: nothing that can bear it stands before it in its message"
            return
        }
        blocks[at] = cacheMarked(blocks[at], ttl)
    }

    private val JsonObject.type: String? get() = (get("type") as? JsonPrimitive)?.contentOrNull

    private companion object {
        const val PDF = "application/pdf"
        val PLAIN = setOf("type", "text")
    }
}
