package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.argumentsObject
import dev.unifiedllm.protocol.blockJson
import dev.unifiedllm.protocol.isMedia
import dev.unifiedllm.protocol.isSigned
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.systemOf
import dev.unifiedllm.protocol.toolUseId
import dev.unifiedllm.protocol.turnsOf
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** Encodes messages as Converse's content blocks. System messages have a field of their own; the others alternate between user and assistant. */
internal class BedrockContent(private val target: Target, private val warnings: MutableList<String>) {
    private val documentNames = mutableSetOf<String>()

    /** The names of the tools that the encoded messages call. Filled while [messages] encodes them. */
    val calledTools: Set<String> get() = called
    private val called = linkedSetOf<String>()

    /** All system messages, from every place in the conversation; null if there are none. */
    fun system(messages: List<Message>): JsonArray? {
        val blocks = withoutLeadingBreakpoints(target.systemOf(messages).flatMap(::blocks))
        return if (blocks.isEmpty()) null else JsonArray(blocks)
    }

    /** All other messages. Messages of one role in a row are one turn; a turn without content is left out, because the API refuses it. */
    fun messages(messages: List<Message>): JsonArray = buildJsonArray {
        for (turn in turnsOf(messages, ::blocks)) {
            val content = withoutLeadingBreakpoints(turn.blocks)
            if (content.isEmpty()) continue
            addJsonObject {
                put("role", if (turn.isAssistant) "assistant" else "user")
                put("content", JsonArray(if (turn.isAssistant) content else resultsFirst(content)))
            }
        }
    }

    /** Tool results must be the first blocks of the turn after their calls. */
    private fun resultsFirst(blocks: List<JsonObject>): List<JsonObject> = blocks.sortedBy { RESULT !in it }

    /** The API refuses a cache breakpoint with no content before it. */
    private fun withoutLeadingBreakpoints(blocks: List<JsonObject>): List<JsonObject> = blocks.dropWhile { BREAKPOINT in it }

    private fun blocks(message: Message): List<JsonObject> = message.parts.mapNotNull { block(message, it) }

    /** Null for a part that is not sent. */
    private fun block(message: Message, part: Part): JsonObject? = when (part) {
        is Part.Text -> if (part.text.isBlank()) null else buildJsonObject { put("text", part.text) }
        is Part.Reasoning -> if (part.isSigned && mayReturnSignatures(message, target)) reasoning(part) else null
        is Part.Image, is Part.File -> media(part)
        is Part.Raw -> part.blockJson()
        is Part.ToolCall -> block("toolUse") {
            called += part.name
            put("toolUseId", toolUseId(part.id))
            put("name", part.name)
            put("input", argumentsObject(part))
        }
        is Part.ToolResult -> block(RESULT) {
            called += part.name
            put("toolUseId", toolUseId(part.id))
            put("content", content(part))
            if (part.isError) put("status", "error")
        }
        is Part.CacheBreakpoint -> block(BREAKPOINT) {
            put("type", "default")
            if (part.ttl == CacheTtl.ONE_HOUR) put("ttl", "1h")
        }
    }

    /** The content of a result: one text, or blocks if it has images or files. */
    private fun content(result: Part.ToolResult): JsonArray {
        val blocks = if (result.content.none { it.isMedia }) emptyList() else result.content.mapNotNull(::resultBlock)
        return JsonArray(blocks.ifEmpty { listOf(buildJsonObject { put("text", result.text.ifBlank { EMPTY_RESULT }) }) })
    }

    private fun resultBlock(part: Part): JsonObject? = when {
        part is Part.Text -> if (part.text.isBlank()) null else buildJsonObject { put("text", part.text) }
        part is Part.File && part.mediaType.startsWith("audio/") -> {
            warnings += "a file of type ${part.mediaType} was left out: $CONVERSE_API takes no audio in tool results"
            null
        }
        else -> media(part)
    }

    private fun media(part: Part): JsonObject? = when (part) {
        is Part.Image -> media("image", part.url, Media.of(part)?.mediaType ?: "image/" + part.url.substringAfterLast('.', ""), IMAGES)
        is Part.File -> file(part)
        else -> null
    }

    private fun block(type: String, content: JsonObjectBuilder.() -> Unit) = buildJsonObject { putJsonObject(type, content) }

    private fun reasoning(part: Part.Reasoning) = block("reasoningContent") {
        if (part.isRedacted) {
            put("redactedContent", part.signature)
        } else {
            putJsonObject("reasoningText") {
                put("text", part.text)
                put("signature", part.signature)
            }
        }
    }

    private fun file(file: Part.File): JsonObject? = when (val kind = file.mediaType.substringBefore('/')) {
        "image" -> media(kind, file.url, file.mediaType, IMAGES)
        "video" -> media(kind, file.url, file.mediaType, VIDEO)
        "audio" -> media(kind, file.url, file.mediaType, AUDIO)
        else -> media("document", file.url, file.mediaType, DOCUMENTS, documentName(file.name))
    }

    /** A file is sent by content, or by its address in S3. The API accepts no other URLs. */
    private fun media(kind: String, url: String, mediaType: String, formats: Map<String, String>, name: String? = null): JsonObject? {
        val data = DataUrl.parse(url)
        val format = formats[mediaType.substringBefore(';').substringAfter('/')] ?: "txt".takeIf { kind == "document" && mediaType.startsWith("text/") }
        if (format == null || (data == null && !url.startsWith("s3://"))) {
            warnings += if (format == null) {
                "a file of type $mediaType was left out: the formats that $CONVERSE_API takes as $kind are ${formats.values.distinct().joinToString()}"
            } else {
                "the $kind at a URL was left out: $CONVERSE_API takes files by content or from s3:// (send its content)"
            }
            return null
        }
        return block(kind) {
            put("format", format)
            name?.let { put("name", it) }
            putJsonObject("source") {
                if (data != null) put("bytes", data.base64) else putJsonObject("s3Location") { put("uri", url) }
            }
        }
    }

    /** A name with only the characters that the API accepts, and different for each document. */
    private fun documentName(wanted: String?): String {
        val name = wanted.orEmpty().replace(NOT_IN_NAME, " ").replace(BLANKS, " ").trim().take(MAX_NAME_LENGTH).ifEmpty { "Document" }
        return generateSequence(1) { it + 1 }.map { if (it == 1 && !wanted.isNullOrBlank()) name else "$name $it" }.first(documentNames::add)
    }

    private companion object {
        const val RESULT = "toolResult"
        const val BREAKPOINT = "cachePoint"
        const val EMPTY_RESULT = "(empty)"
        const val MAX_NAME_LENGTH = 190
        val NOT_IN_NAME = Regex("""[^\p{Alnum}\s()\[\]-]""")
        val BLANKS = Regex("\\s+")
        val IMAGES = mapOf("png" to "png", "jpeg" to "jpeg", "jpg" to "jpeg", "gif" to "gif", "webp" to "webp")
        val VIDEO = listOf("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv").associateWith { it } +
            mapOf("x-matroska" to "mkv", "quicktime" to "mov", "x-flv" to "flv", "x-ms-wmv" to "wmv", "3gpp" to "three_gp")
        val AUDIO = listOf("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "m4a", "webm").associateWith { it } +
            mapOf("mpeg" to "mp3", "x-wav" to "wav", "x-m4a" to "m4a")
        val DOCUMENTS = mapOf(
            "pdf" to "pdf",
            "csv" to "csv",
            "msword" to "doc",
            "vnd.openxmlformats-officedocument.wordprocessingml.document" to "docx",
            "vnd.ms-excel" to "xls",
            "vnd.openxmlformats-officedocument.spreadsheetml.sheet" to "xlsx",
            "html" to "html",
            "plain" to "txt",
            "markdown" to "md",
        )
    }
}
