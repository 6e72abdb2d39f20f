package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import java.io.ByteArrayOutputStream
import java.util.Base64

/** An image, a sound or a video in the output. In a stream, its format comes with the start of its block, and its bytes in one or more pieces. */
internal class BedrockMedia(val kind: Kind) {
    /**
     * @property word the first part of its media types
     * @property counted what its tokens are those of
     */
    enum class Kind(val word: String, val defaultFormat: String, val counted: String) {
        IMAGE("image", "png", "images"),
        AUDIO("audio", "mp3", "sound"),
        VIDEO("video", "mp4", "videos"),
    }

    private var format: String? = null
    private val pieces = mutableListOf<String>()

    /** Reads a block, or a part of one. Media that stands in S3 is not read: it has no URL that everyone can open. */
    fun read(json: JsonCursor) {
        json.members(MediaBlock) { member ->
            when (member) {
                MediaBlock.FORMAT -> json.stringOrNull()?.let { if (it.isNotEmpty()) format = it.lowercase() }
                MediaBlock.SOURCE -> json.members(BYTES) { json.stringOrNull()?.let { if (it.isNotEmpty()) pieces += it } }
            }
        }
    }

    /** Adds what [other] has read of the same block. */
    fun add(other: BedrockMedia) {
        format = other.format ?: format
        pieces += other.pieces
    }

    /** Null if no bytes came. */
    fun delta(): Delta.Media? {
        if (pieces.isEmpty()) return null
        val given = format ?: kind.defaultFormat
        val type = "${kind.word}/${SUBTYPES[given] ?: given}"
        return Delta.Media(type, "data:$type;base64,${pieces.singleOrNull() ?: joined()}")
    }

    /** Each piece is Base64 of its own bytes, so that it may end with padding. */
    private fun joined(): String = try {
        val bytes = ByteArrayOutputStream()
        for (piece in pieces) bytes.writeBytes(Base64.getDecoder().decode(piece))
        Base64.getEncoder().encodeToString(bytes.toByteArray())
    } catch (_: IllegalArgumentException) {
        pieces.joinToString("")
    }

    private object MediaBlock : JsonNames("format", "source") {
        const val FORMAT = 0
        const val SOURCE = 1
    }

    private companion object {
        val BYTES = JsonNames("bytes")

        /** Formats that a media type calls otherwise. */
        val SUBTYPES = mapOf("jpg" to "jpeg", "mp3" to "mpeg", "mov" to "quicktime", "mkv" to "x-matroska", "three_gp" to "3gpp")
    }
}
