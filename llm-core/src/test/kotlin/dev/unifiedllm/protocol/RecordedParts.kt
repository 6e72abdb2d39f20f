package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Part
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.nio.ByteBuffer
import java.util.Base64

/** The kinds of content that a recording can have beside text. */
internal enum class Content { TOOL_CALLS, REASONING, SIGNATURES, CITATIONS, IMAGES, AUDIO, REFUSAL }

/**
 * A part of a response in a form that can be compared: JSON texts are trees, so that white space does not count.
 *
 * @property text the text, or the name of a tool
 * @property id that of a tool call
 * @property json the arguments of a tool call; null for other parts
 * @property signature as JSON if it is the text of JSON
 */
internal data class SeenPart(val kind: String, val text: String, val id: String = "", val json: JsonElement? = null, val signature: JsonElement? = null) {
    companion object {
        const val TEXT: String = "text"
        const val REASONING: String = "reasoning"
        const val REDACTED: String = "redacted"
        const val CALL: String = "call"

        fun text(text: String) = SeenPart(TEXT, text)

        fun reasoning(text: String, signature: JsonElement? = null) = SeenPart(REASONING, text, signature = signature)

        fun redacted(signature: JsonElement?) = SeenPart(REDACTED, "", signature = signature)

        fun call(id: String, name: String, arguments: JsonElement, signature: JsonElement? = null) = SeenPart(CALL, name, id, arguments, signature)

        fun of(part: Part): SeenPart = when (part) {
            is Part.Text -> text(part.text)
            is Part.Reasoning -> SeenPart(if (part.isRedacted) REDACTED else REASONING, part.text, signature = part.signature?.let(::treeOf))
            is Part.ToolCall -> call(part.id, part.name, treeOf(part.arguments), part.signature?.let(::treeOf))
            else -> error("$part is no part of a response")
        }
    }
}

/** An image or a sound: its type, and the number and the hash of its bytes, or its URL. */
internal data class SeenMedia(val type: String, val content: String) {
    companion object {
        fun of(type: String, bytes: ByteArray): SeenMedia = SeenMedia(type, "${bytes.size} bytes, ${bytes.contentHashCode()}")

        /** A source shortened the base64 of a recording, so that it cannot be decoded: then its text counts. */
        fun of(type: String, base64: String): SeenMedia = try {
            of(type, Base64.getDecoder().decode(base64))
        } catch (_: IllegalArgumentException) {
            SeenMedia(type, base64)
        }

        fun of(media: Delta.Media): SeenMedia = if (media.url.startsWith("data:")) {
            of(media.mediaType, media.url.substringAfter(','))
        } else {
            SeenMedia(media.mediaType, media.url)
        }
    }
}

/**
 * What a response has.
 *
 * @property choices the parts of each choice
 * @property isOrdered true if the wire states the order of parts of different kinds
 * @property sources the title of each cited URL, in order
 */
internal class SeenContent(
    val choices: List<List<SeenPart>>,
    val isOrdered: Boolean,
    val sources: Map<String, String?> = emptyMap(),
    val media: List<SeenMedia> = emptyList(),
    val isRefusal: Boolean = false,
) {
    /** The parts of each choice, with neighbours of one kind joined. Without an order: texts, then reasoning, signatures and calls. */
    val parts: List<List<SeenPart>> = choices.map { joined(if (isOrdered) withSignaturesInPlace(it) else it.sortedBy(::rank)) }

    val kinds: Set<Content>
        get() = buildSet {
            val all = choices.flatten()
            if (all.any { it.kind == SeenPart.CALL }) add(Content.TOOL_CALLS)
            if (all.any { it.kind == SeenPart.REASONING && it.text.isNotEmpty() }) add(Content.REASONING)
            if (all.any { it.signature != null }) add(Content.SIGNATURES)
            if (sources.isNotEmpty()) add(Content.CITATIONS)
            if (media.any { it.type.startsWith("image/") }) add(Content.IMAGES)
            if (media.any { it.type.startsWith("audio/") }) add(Content.AUDIO)
            if (isRefusal) add(Content.REFUSAL)
        }

    companion object {
        /** What our response has, to be compared with what was sent. */
        fun of(response: ChatResponse, isOrdered: Boolean): SeenContent = SeenContent(
            (listOf(response.parts) + response.alternatives).map { parts -> parts.filterNot { it is Part.Raw }.map { SeenPart.of(it) } },
            isOrdered,
            response.sources.associate { it.url to it.title },
            response.media.map { SeenMedia.of(it) },
            response.finishReason?.kind == FinishReason.Kind.REFUSAL,
        )

        /** Some servers complete the item of the reasoning after the text. Its signature is the last part then: it belongs to the reasoning without one. */
        private fun withSignaturesInPlace(parts: List<SeenPart>): List<SeenPart> {
            val last = parts.lastOrNull()?.takeIf { it.kind == SeenPart.REASONING && it.text.isEmpty() && it.signature != null } ?: return parts
            val place = parts.indexOfFirst { it.kind == SeenPart.REASONING && it.signature == null }
            return if (place < 0) parts else parts.dropLast(1).mapIndexed { index, part -> if (index == place) part.copy(signature = last.signature) else part }
        }

        private fun rank(part: SeenPart): Int = when {
            part.kind == SeenPart.TEXT -> 0
            part.kind == SeenPart.CALL -> 3
            part.text.isEmpty() -> 2
            else -> 1
        }

        private fun joined(parts: List<SeenPart>): List<SeenPart> = parts.fold(emptyList()) { all, part ->
            val last = all.lastOrNull()
            val continues = last != null && last.kind == part.kind && last.signature == null && part.kind in setOf(SeenPart.TEXT, SeenPart.REASONING)
            when {
                continues -> all.dropLast(1) + last.copy(text = last.text + part.text, signature = part.signature)
                part.kind != SeenPart.CALL && part.text.isEmpty() && part.signature == null -> all
                else -> all + part
            }
        }
    }
}

/** [text] as JSON, or as a string if it is not the text of an object or a list. */
internal fun treeOf(text: String): JsonElement = try {
    Json.parseToJsonElement(text).takeIf { it is JsonObject || it is JsonArray }
} catch (_: SerializationException) {
    null
} ?: JsonPrimitive(text)

/** The events of a recording: the JSON values in its body. An event of AWS has its type as the only member. */
internal fun Recording.events(): List<JsonElement> {
    val bytes = body
    if (headers["content-type"].orEmpty().contains("eventstream")) return awsEvents(bytes)
    val text = bytes.decodeToString()
    try {
        return Json.parseToJsonElement(text).let { if (it is JsonArray) it else listOf(it) }
    } catch (_: SerializationException) {
        // a stream
    }
    val lines = text.lines()
    val isSse = lines.any { it.startsWith("data:") }
    val values = if (isSse) lines.filter { it.startsWith("data:") }.map { it.removePrefix("data:") } else lines
    return values.map { it.trim() }.filterNot { it.isEmpty() || it == "[DONE]" }.map { Json.parseToJsonElement(it) }
}

private const val PRELUDE = 12
private const val CHECKSUM = 4

/** Reads the frames as the documentation of `application/vnd.amazon.eventstream` describes them. All headers are strings. */
private fun awsEvents(bytes: ByteArray): List<JsonElement> {
    val buffer = ByteBuffer.wrap(bytes)
    val events = mutableListOf<JsonElement>()
    while (buffer.remaining() >= PRELUDE) {
        val start = buffer.position()
        val length = buffer.int
        val headersLength = buffer.int
        buffer.int
        var type = ""
        while (buffer.position() < start + PRELUDE + headersLength) {
            val name = buffer.string(buffer.get().toInt())
            buffer.get() // 7: a string
            val value = buffer.string(buffer.short.toInt())
            if (name == ":event-type" || name == ":exception-type") type = value
        }
        val payload = buffer.string(start + length - CHECKSUM - buffer.position())
        events += JsonObject(mapOf(type to Json.parseToJsonElement(payload)))
        buffer.position(start + length)
    }
    return events
}

private fun ByteBuffer.string(length: Int): String = ByteArray(length).also { get(it) }.decodeToString()
