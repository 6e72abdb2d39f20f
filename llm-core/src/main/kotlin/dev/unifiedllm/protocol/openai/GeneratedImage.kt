package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.ANY_IMAGE
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.base64Image
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.members

/** What a response says of one image: its URL, or its bytes in base64. The members are those of a part, in any depth. */
internal class GeneratedImage {
    private var url: String? = null
    private var base64: String? = null
    private var mediaType: String? = null

    /** Reads the next value, a string or an object, as the image. */
    fun read(json: JsonCursor) {
        if (json.kind() == JsonKind.STRING) {
            val text = json.string()
            if (isUrl(text)) url = text else base64 = text.ifEmpty { base64 }
        } else {
            json.members(ChatPart) { member -> if (member in MEMBERS) read(json, member) else json.skip() }
        }
    }

    /** Reads the value of [member], one of [MEMBERS]. */
    fun read(json: JsonCursor, member: Int) {
        when (member) {
            ChatPart.MEDIA_TYPE, ChatPart.MIME_TYPE -> mediaType = json.stringOrNull()?.ifEmpty { null } ?: mediaType
            else -> read(json)
        }
    }

    /** Null if there is no image. */
    fun media(): Delta.Media? {
        url?.let { return Delta.Media(DataUrl.parse(it)?.mediaType ?: mediaType ?: ANY_IMAGE, it) }
        return base64?.let { base64Image(it, mediaType) }
    }

    companion object {
        /** The members of [ChatPart] that describe an image. */
        val MEMBERS = setOf(
            ChatPart.IMAGE_URL,
            ChatPart.IMAGE,
            ChatPart.SOURCE,
            ChatPart.URL,
            ChatPart.B64_JSON,
            ChatPart.DATA,
            ChatPart.MEDIA_TYPE,
            ChatPart.MIME_TYPE,
        )
        private const val HEAD = 64

        /** False for base64, which has neither a colon nor a dot. */
        private fun isUrl(text: String): Boolean = text.take(HEAD).let { ':' in it || '.' in it }
    }
}
