package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Detail
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.mediaTypeOfName

/** The kinds of media that requests carry. */
internal enum class MediaKind(val noun: String) { IMAGE("image"), AUDIO("audio file"), VIDEO("video"), DOCUMENT("file") }

/**
 * An image or a file of a message.
 *
 * @property mediaType by the data: URL or the part; of an image at another URL by the ending of that; null if it cannot be told
 */
internal class Media private constructor(val url: String, val mediaType: String?, val kind: MediaKind) {
    /** True if it is at an http(s) URL. */
    val isOnWeb: Boolean get() = url.startsWith("https://", ignoreCase = true) || url.startsWith("http://", ignoreCase = true)

    /** True if the request contains it. */
    val isData: Boolean get() = url.startsWith("data:", ignoreCase = true)

    companion object {
        /** Null for a part of another form. */
        fun of(part: Part): Media? = when (part) {
            is Part.Image -> Media(part.url, typeOf(part.url), MediaKind.IMAGE)
            is Part.File -> Media(part.url, part.mediaType, kindOf(part.mediaType))
            else -> null
        }

        private fun typeOf(url: String): String? {
            if (!url.startsWith("data:", ignoreCase = true)) return mediaTypeOfName(url)
            return url.substring("data:".length, minOf(url.length, MAX_TYPE)).substringBefore(',').substringBefore(';')
        }

        fun kindOf(mediaType: String): MediaKind = when (mediaType.substringBefore('/')) {
            "image" -> MediaKind.IMAGE
            "audio" -> MediaKind.AUDIO
            "video" -> MediaKind.VIDEO
            else -> MediaKind.DOCUMENT
        }

        private const val MAX_TYPE = 256
    }
}

/** True for an image or a file. */
internal val Part.isMedia: Boolean get() = this is Part.Image || this is Part.File

/** True if a message has an image or a file, or a tool result with one. */
internal fun hasMedia(messages: List<Message>): Boolean =
    messages.any { message -> message.parts.any { it.isMedia || (it is Part.ToolResult && it.content.any(Part::isMedia)) } }

/** Adds a warning if an image has a detail other than AUTO and [api] has no field for it. @param hint what the caller can do instead; null for nothing */
internal fun warnDetail(request: ChatRequest, api: String, warnings: MutableList<String>, hint: String? = null) {
    val isSet = request.messages.any { message -> message.parts.any { it is Part.Image && it.detail != null && it.detail != Detail.AUTO } }
    warnUnsupported(api, warnings, "the detail of an image" to isSet, hint = hint)
}

/** The media in these results, each group behind a text that names its tool; none if there are none. */
private fun mediaOf(results: List<Part.ToolResult>): List<Part> = results.flatMap { result ->
    val media = result.content.filter(Part::isMedia)
    if (media.isEmpty()) emptyList() else listOf(Part.Text("The tool ${result.name} (call ${result.id}) returned:")) + media
}

/**
 * [messages] for a wire whose tool results are texts: images and files of results follow in a user message, after all results of their turn.
 *
 * @param mayFollow false if the provider refuses a user message there: then they are left out, with a warning
 */
internal fun withMediaAfterResults(messages: List<Message>, mayFollow: Boolean, warnings: MutableList<String>): List<Message> {
    if (messages.none { message -> message.parts.any { it is Part.ToolResult && it.content.any(Part::isMedia) } }) return messages
    if (!mayFollow) warnings += "images and files of tool results were left out: this provider takes tool results as text, and no user message after them"
    val written = mutableListOf<Message>()
    val waiting = mutableListOf<Part>()
    fun flush() {
        if (mayFollow && waiting.isNotEmpty()) written += Message(Role.USER, waiting.toList())
        waiting.clear()
    }
    for (message in messages) {
        val results = message.parts.filterIsInstance<Part.ToolResult>()
        if (results.isEmpty()) flush()
        waiting += mediaOf(results)
        written += if (results.any { it.content.any(Part::isMedia) }) message.withTextResults(mayFollow) else message
    }
    flush()
    return written
}

private fun Message.withTextResults(mayFollow: Boolean) = Message(
    role,
    parts.map { part ->
        if (part !is Part.ToolResult || part.content.none(Part::isMedia)) return@map part
        val texts = part.content.filterIsInstance<Part.Text>()
        part.copy(content = texts.ifEmpty { listOf(Part.Text(if (mayFollow) "The result follows." else "The result is a file that cannot be shown.")) })
    },
    name,
    model,
)
