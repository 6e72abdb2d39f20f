package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import java.io.ByteArrayOutputStream
import java.util.Base64

/** Collects the `audio` of a response. A stream brings it in pieces, each of them base64 by itself. */
internal class ChatAudio {
    private val sounds = linkedMapOf<String, ByteArrayOutputStream>() // by id
    private var id = ""

    /** What one `audio` has. @param transcript its words */
    class Piece(val hasSound: Boolean, val transcript: String?)

    val isEmpty: Boolean get() = sounds.isEmpty()

    /** Reads `audio`. @param isWhole true if it is that of a complete message, which repeats the pieces that came before */
    fun read(json: JsonCursor, isWhole: Boolean): Piece {
        var data: String? = null
        var transcript: String? = null
        json.members(AudioMember) { member ->
            when (member) {
                AudioMember.ID -> id = json.stringOrNull()?.ifEmpty { null } ?: id
                AudioMember.DATA -> data = json.stringOrNull()
                AudioMember.TRANSCRIPT -> transcript = json.stringOrNull()
            }
        }
        val bytes = decoded(data.orEmpty())
        if (bytes.isNotEmpty() && !(isWhole && id in sounds)) sounds.getOrPut(id) { ByteArrayOutputStream() }.write(bytes, 0, bytes.size)
        return Piece(bytes.isNotEmpty(), transcript)
    }

    fun media(): List<Delta.Media> = sounds.values.map { sound ->
        val bytes = sound.toByteArray()
        val type = FIRST_BYTES.entries.firstOrNull { (first, _) -> String(bytes, 0, minOf(bytes.size, first.length), Charsets.ISO_8859_1) == first }?.value
        Delta.Media(type ?: RAW, "data:${type ?: RAW};base64,${Base64.getEncoder().encodeToString(bytes)}")
    }

    private fun decoded(data: String): ByteArray = try {
        Base64.getMimeDecoder().decode(data)
    } catch (_: IllegalArgumentException) {
        ByteArray(0)
    }

    private companion object {
        /** Samples without a header: the format of streams. */
        const val RAW = "audio/pcm"
        val FIRST_BYTES = mapOf(
            "RIFF" to "audio/wav",
            "ID3" to "audio/mpeg",
            "\u00FF\u00FB" to "audio/mpeg",
            "\u00FF\u00F3" to "audio/mpeg",
            "OggS" to "audio/ogg",
            "fLaC" to "audio/flac",
            "\u00FF\u00F1" to "audio/aac",
        )
    }

    private object AudioMember : JsonNames("id", "data", "transcript") {
        const val ID = 0
        const val DATA = 1
        const val TRANSCRIPT = 2
    }
}
