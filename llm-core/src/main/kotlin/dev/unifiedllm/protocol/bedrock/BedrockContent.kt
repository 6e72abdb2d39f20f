package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.argumentsObject
import dev.unifiedllm.protocol.isSigned
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.systemOf
import dev.unifiedllm.protocol.toolUseId
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** A conversation as Converse's content blocks: system apart, user and assistant in turns, files as bytes. */
internal class BedrockContent(private val target: Target, private val warnings: MutableList<String>) {
    private val documentNames = mutableSetOf<String>()

    /** The names of the tools that were called in the messages, once they are encoded. */
    val calledTools: Set<String> get() = called
    private val called = linkedSetOf<String>()

    /** All system messages, wherever they stood; null for none. */
    fun system(
        messages: List<Message>,
    ): JsonArray? = target.systemOf(messages).flatMap(::blocks).withoutLeadingMarks().takeIf { it.isNotEmpty() }?.let(::JsonArray)

    /** The rest, neighbours of one role in one turn. A turn without content is left out, for the wire refuses it. */
    fun messages(messages: List<Message>): JsonArray {
        val turns = mutableListOf<Pair<Boolean, MutableList<JsonObject>>>()
        for (message in messages) {
            if (message.role == Role.SYSTEM) continue
            val blocks = blocks(message)
            if (blocks.isEmpty()) continue
            val isAssistant = message.role == Role.ASSISTANT
            val open = turns.lastOrNull()?.takeIf { it.first == isAssistant }
            if (open != null) open.second += blocks else turns += isAssistant to blocks.toMutableList()
        }
        return buildJsonArray {
            for ((isAssistant, blocks) in turns) {
                val content = blocks.withoutLeadingMarks()
                if (content.isEmpty()) continue
                addJsonObject {
                    put("role", if (isAssistant) "assistant" else "user")
                    put("content", JsonArray(if (isAssistant) content else resultsFirst(content)))
                }
            }
        }
    }

    /** Tool results must open the turn that follows their calls. */
    private fun resultsFirst(blocks: List<JsonObject>): List<JsonObject> = blocks.sortedBy { RESULT !in it }

    /** A mark covers what stands before it: with nothing there it is refused. */
    private fun List<JsonObject>.withoutLeadingMarks(): List<JsonObject> = dropWhile { MARK in it }

    private fun blocks(message: Message): List<JsonObject> = message.parts.mapNotNull { block(message, it) }

    /** Null for what is not sent. */
    private fun block(message: Message, part: Part): JsonObject? = when (part) {
        is Part.Text -> if (part.text.isBlank()) null else buildJsonObject { put("text", part.text) }
        is Part.Reasoning -> if (part.isSigned && mayReturnSignatures(message, target)) thought(part) else null
        is Part.Image -> media("image", part.url, DataUrl.parse(part.url)?.mediaType ?: "image/" + part.url.substringAfterLast('.', ""), IMAGES)
        is Part.File -> file(part)
        is Part.ToolCall -> block("toolUse") {
            called += part.name
            put("toolUseId", bedrockToolUseId(part.id))
            put("name", part.name)
            put("input", argumentsObject(part))
        }
        is Part.ToolResult -> block(RESULT) {
            called += part.name
            put("toolUseId", bedrockToolUseId(part.id))
            putJsonArray("content") { addJsonObject { put("text", part.text.ifBlank { EMPTY_RESULT }) } }
            if (part.isError) put("status", "error")
        }
        is Part.CacheBreakpoint -> block(MARK) {
            put("type", "default")
            if (part.ttl == CacheTtl.ONE_HOUR) put("ttl", "1h")
        }
    }

    private fun block(type: String, content: JsonObjectBuilder.() -> Unit) = buildJsonObject { putJsonObject(type, content) }

    private fun thought(part: Part.Reasoning) = block("reasoningContent") {
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
        "video" -> media(kind, file.url, file.mediaType, VIDEOS)
        "audio" -> media(kind, file.url, file.mediaType, SOUNDS)
        else -> media("document", file.url, file.mediaType, DOCUMENTS, documentName(file.name))
    }

    /** A file by its bytes, or by its place in S3; other URLs are not fetched. */
    private fun media(kind: String, url: String, mediaType: String, formats: Map<String, String>, name: String? = null): JsonObject? {
        val data = DataUrl.parse(url)
        val format = formats[mediaType.substringBefore(';').substringAfter('/')] ?: "txt".takeIf { kind == "document" && mediaType.startsWith("text/") }
        if (format == null || (data == null && !url.startsWith("s3://"))) {
            warnings += if (format == null) {
                "a file of type $mediaType was left out: this wire takes ${formats.values.distinct().joinToString()} as $kind"
            } else {
                "the $kind at a URL was left out: this wire takes files by content, or from s3://"
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

    /** Of the characters that the wire takes; another one for each document. */
    private fun documentName(wanted: String?): String {
        val name = wanted.orEmpty().replace(NOT_OF_A_NAME, " ").replace(BLANKS, " ").trim().take(LONGEST_NAME).ifEmpty { "Document" }
        return generateSequence(1) { it + 1 }.map { if (it == 1 && !wanted.isNullOrBlank()) name else "$name $it" }.first(documentNames::add)
    }

    private companion object {
        const val RESULT = "toolResult"
        const val MARK = "cachePoint"
        const val EMPTY_RESULT = "(empty)"
        const val LONGEST_NAME = 190
        val NOT_OF_A_NAME = Regex("""[^\p{Alnum}\s()\[\]-]""")
        val BLANKS = Regex("\\s+")
        val IMAGES = mapOf("png" to "png", "jpeg" to "jpeg", "jpg" to "jpeg", "gif" to "gif", "webp" to "webp")
        val VIDEOS = listOf("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv").associateWith { it } +
            mapOf("x-matroska" to "mkv", "quicktime" to "mov", "x-flv" to "flv", "x-ms-wmv" to "wmv", "3gpp" to "three_gp")
        val SOUNDS = listOf("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "m4a", "webm").associateWith { it } +
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

/** [id] as the wire takes it: at most 64 letters, digits and `_.:-`. The same id always becomes the same. */
internal fun bedrockToolUseId(id: String): String {
    val taken = toolUseId(id)
    return if (taken.length <= LONGEST_ID) taken else taken.take(LONGEST_ID - HASH) + "%08x".format(id.hashCode())
}

private const val LONGEST_ID = 64
private const val HASH = 8
