package dev.unifiedllm.telemetry

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.shownUrl
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.transport.error.redact
import io.opentelemetry.api.common.AttributeKey
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/** [text] without [key] and whatever looks like a key. */
internal fun redacted(text: String, key: String?): String = redact(text, key)

/** The provider's own word for [reason], else ours in lower case. */
internal fun finishReason(reason: FinishReason): String = reason.raw ?: reason.kind.name.lowercase()

/** The contents of [request] as the conventions' attributes, whose values are JSON. */
internal fun contentOf(request: Request, key: String?): List<Pair<AttributeKey<String>, String>> = when (request) {
    is ChatRequest -> {
        val tools = request.tools.takeIf { it.isNotEmpty() }?.let { Attributes.TOOL_DEFINITIONS to JsonArray(it.map(::definition)).toString() }
        listOfNotNull(Attributes.INPUT_MESSAGES to JsonArray(request.messages.map { message(it, key) }).toString(), tools)
    }
    is ImageRequest -> {
        val prompt = Message(dev.unifiedllm.chat.Role.USER, listOf(Part.Text(request.prompt)) + request.sources)
        listOf(Attributes.INPUT_MESSAGES to JsonArray(listOf(message(prompt, key))).toString())
    }
    is EmbeddingRequest -> emptyList() // the conventions have no attribute for its texts
}

/** The choices of [response], each a message; null if nothing of it has arrived. */
internal fun outputMessages(response: ChatResponse, key: String?): String? {
    val first = response.parts.map { part(it, key) } + response.media.map { uri(it.url, it.mediaType) }
    val choices = (listOf(first) + response.alternatives.map { parts -> parts.map { part(it, key) } }).filter { it.isNotEmpty() }
    if (choices.isEmpty()) return null
    val reason = response.finishReason?.let(::outputReason) ?: "error"
    return JsonArray(
        choices.map { parts ->
            buildJsonObject {
                put("role", "assistant")
                put("parts", JsonArray(parts.filterNotNull()))
                put("finish_reason", reason)
            }
        },
    ).toString()
}

private fun outputReason(reason: FinishReason): String = when (reason.kind) {
    FinishReason.Kind.STOP -> "stop"
    FinishReason.Kind.LENGTH -> "length"
    FinishReason.Kind.TOOL_CALLS -> "tool_call"
    FinishReason.Kind.CONTENT_FILTER -> "content_filter"
    FinishReason.Kind.ERROR -> "error"
    else -> finishReason(reason)
}

private fun message(message: Message, key: String?): JsonObject = buildJsonObject {
    put("role", message.role.name.lowercase())
    message.name?.let { put("name", it) }
    put("parts", JsonArray(message.parts.mapNotNull { part(it, key) }))
}

private fun definition(tool: Tool): JsonObject = buildJsonObject {
    put("type", "function")
    put("name", tool.name)
    tool.description?.let { put("description", it) }
    put("parameters", tool.parameters)
}

/** Null for a part without content. */
private fun part(part: Part, key: String?): JsonObject? = when (part) {
    is Part.Text -> content("text", part.text, key)
    is Part.Reasoning -> content("reasoning", part.text, key)
    is Part.Image -> uri(part.url, null)
    is Part.File -> uri(part.url, part.mediaType)
    is Part.ToolCall -> buildJsonObject {
        put("type", "tool_call")
        put("id", part.id)
        put("name", part.name)
        put("arguments", json(redacted(part.arguments, key)))
    }
    is Part.ToolResult -> buildJsonObject {
        put("type", "tool_call_response")
        put("id", part.id)
        put("response", redacted(part.text, key))
    }
    is Part.Raw -> buildJsonObject { put("type", part.type) }
    is Part.CacheBreakpoint -> null
}

private fun content(type: String, text: String, key: String?) = buildJsonObject {
    put("type", type)
    put("content", redacted(text, key))
}

/** Without the bytes of a data: URL and without the query of another one, which may be a signature. */
private fun uri(url: String, mediaType: String?) = buildJsonObject {
    put("type", "uri")
    put("modality", mediaType?.substringBefore('/')?.takeIf { it != "application" && it != "text" } ?: if (mediaType == null) "image" else "document")
    mediaType?.let { put("mime_type", it) }
    put("uri", shownUrl(url))
}

private fun json(text: String): JsonElement = jsonElementOrNull(text) ?: JsonPrimitive(text)
