package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.cacheMarked
import dev.unifiedllm.protocol.fixedLengthId
import dev.unifiedllm.protocol.functionCall
import dev.unifiedllm.protocol.imagePart
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.messageList
import dev.unifiedllm.protocol.shortId
import dev.unifiedllm.protocol.textPart
import dev.unifiedllm.protocol.wireName
import dev.unifiedllm.protocol.withMediaAfterResults
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.MediaRule
import dev.unifiedllm.provider.Quirks
import dev.unifiedllm.provider.Quirks.SentBackAs
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** Writes messages in the form of OpenAI's chat wire, with the quirks of one target. */
internal class OpenAiChatMessages(private val target: Target, private val warnings: MutableList<String>) {
    private val quirks: Quirks get() = target.provider.quirks

    fun write(messages: List<Message>): JsonArray {
        withoutNames(messages.filterNot { quirks.messages.names.includes(it.role) }, warnings)
        val mayFollow = MediaRule.of(target)?.userAfterTool != false
        return target.messageList(withMediaAfterResults(messages, mayFollow, warnings), ::result, ::message)
    }

    private fun result(result: Part.ToolResult) = buildJsonObject {
        put("role", "tool")
        put("tool_call_id", toolCallId(result.id))
        put("content", result.text)
    }

    private fun message(message: Message) = buildJsonObject {
        put("role", message.role.wireName)
        if (quirks.messages.names.includes(message.role)) message.name?.let { put("name", it) }
        val calls = message.parts.filterIsInstance<Part.ToolCall>()
        put("content", content(message, hasCalls = calls.isNotEmpty()))
        if (message.role == Role.ASSISTANT) reasoning(message, hasCalls = calls.isNotEmpty())
        if (calls.isNotEmpty()) putJsonArray("tool_calls") { calls.forEach { add(call(it, message)) } }
    }

    private fun toolCallId(id: String): String {
        val length = quirks.tools.idLength
        return if (length != null) fixedLengthId(id, length) else shortId(id, quirks.tools.idMaxLength ?: return id)
    }

    private fun call(call: Part.ToolCall, message: Message): JsonObject {
        val written = functionCall(toolCallId(call.id), call)
        val fields = if (mayReturnSignatures(message, target)) SentBackFields.of(call.signature, SentBackFields.OF_CALL) else emptyMap()
        return if (fields.isEmpty()) written else JsonObject(written + fields)
    }

    private fun content(message: Message, hasCalls: Boolean): JsonElement {
        val parts = message.parts.filter {
            it is Part.Text || it is Part.Image || (it is Part.File && isTaken(it)) ||
                (it is Part.CacheBreakpoint && quirks.messages.cacheControl)
        }
        if (parts.isEmpty()) return if (hasCalls) JsonNull else JsonPrimitive("")
        val onlyText = parts.all { it is Part.Text }
        if (onlyText && (parts.size == 1 || quirks.messages.contentAsString || message.role != Role.USER)) return JsonPrimitive(message.text)
        val written = mutableListOf<JsonObject>()
        for (part in parts) {
            if (part is Part.CacheBreakpoint) written.removeLastOrNull()?.let { written += cacheMarked(it, part.ttl) } else written += part(part)
        }
        return JsonArray(written)
    }

    /** Sounds are sent by content, as WAV or MP3; videos are not sent. */
    private fun isTaken(part: Part.File): Boolean {
        val kind = part.mediaType.substringBefore('/')
        val isTaken = if (kind == "audio") part.mediaType in AUDIO && DataUrl.parse(part.url) != null else kind != "video"
        if (!isTaken) warnings += "a file of type ${part.mediaType} was left out: this wire carries texts, images, documents, and audio as WAV or MP3"
        return isTaken
    }

    private fun part(part: Part): JsonObject = when {
        part is Part.Image -> imagePart(part)
        part is Part.File && part.mediaType.startsWith("image/") -> imagePart(Part.Image(part.url))
        part is Part.File && part.mediaType in AUDIO -> buildJsonObject {
            put("type", "input_audio")
            putJsonObject("input_audio") {
                put("data", DataUrl.parse(part.url)?.base64)
                put("format", AUDIO[part.mediaType])
            }
        }
        part is Part.File -> buildJsonObject {
            put("type", "file")
            putJsonObject("file") {
                put("filename", part.name ?: ("document." + part.mediaType.substringAfterLast('/')))
                put("file_data", part.url)
            }
        }
        else -> textPart((part as Part.Text).text)
    }

    /** Writes the reasoning of an earlier turn, if its provider takes it back. */
    private fun JsonObjectBuilder.reasoning(message: Message, hasCalls: Boolean) {
        val parts = message.parts.filterIsInstance<Part.Reasoning>()
        if (mayReturnSignatures(message, target)) {
            for (part in parts) SentBackFields.of(part.signature, SentBackFields.OF_MESSAGE).forEach { (field, value) -> put(field, value) }
        }
        val field = when (quirks.reasoning.sentBackAs) {
            null -> return
            SentBackAs.REASONING_CONTENT -> "reasoning_content"
            SentBackAs.REASONING_CONTENT_WITH_TOOL_CALLS -> if (hasCalls) "reasoning_content" else return
            SentBackAs.REASONING -> "reasoning"
            SentBackAs.REASONING_DETAILS -> {
                val details = if (mayReturnSignatures(message, target)) parts.flatMap { details(it.signature) } else emptyList()
                if (details.isNotEmpty()) put("reasoning_details", JsonArray(details))
                return
            }
        }
        val text = parts.joinToString("") { it.text }
        if (text.isNotEmpty()) put(field, text)
    }

    /** The blocks in a signature that [ReasoningDetails] wrote; none if another wire wrote it. */
    private fun details(signature: String?): List<JsonElement> {
        if (signature == null || !signature.startsWith('[')) return emptyList()
        return jsonElementOrNull(signature) as? JsonArray ?: emptyList()
    }

    private companion object {
        /** The formats of `input_audio` ([developers.openai.com](https://developers.openai.com/api/docs/guides/audio-chat-completions), read 2026-11-26). */
        val AUDIO = mapOf("audio/wav" to "wav", "audio/x-wav" to "wav", "audio/wave" to "wav", "audio/mpeg" to "mp3", "audio/mp3" to "mp3")
    }
}
