package dev.unifiedllm.protocol

import dev.unifiedllm.chat.base64Bytes
import java.net.URLDecoder
import java.nio.charset.Charset
import java.util.Base64

/** The content of a `data:` URL. */
internal class DataUrl(val mediaType: String, val base64: String) {
    val bytes: ByteArray get() = Base64.getMimeDecoder().decode(base64)

    /** The content as text, in UTF-8 or else in Windows-1252, which has a letter for each byte; null if it is not base64. */
    fun text(): String? {
        val content = try {
            bytes
        } catch (_: IllegalArgumentException) {
            return null
        }
        return try {
            content.decodeToString(throwOnInvalidSequence = true)
        } catch (_: CharacterCodingException) {
            String(content, Charset.forName("windows-1252"))
        }
    }

    fun typed(mediaType: String) = DataUrl(mediaType, base64)

    companion object {
        private const val SCHEME = "data:"

        /** The number of bytes in [url], a `data:` URL, as far as it is base64. */
        fun sizeOf(url: String): Long = base64Bytes(url, url.indexOf(',') + 1)

        /** The `data:` URL of [bytes]. */
        fun of(mediaType: String, bytes: ByteArray): String = "$SCHEME$mediaType;base64," + Base64.getEncoder().encodeToString(bytes)

        /** Null if [url] has another scheme. */
        fun parse(url: String): DataUrl? {
            if (!url.startsWith(SCHEME, ignoreCase = true)) return null
            val comma = url.indexOf(',')
            if (comma < 0) return null
            val head = url.substring(SCHEME.length, comma)
            val data = url.substring(comma + 1)
            val mediaType = head.substringBefore(';').ifEmpty { "text/plain" }
            if (head.endsWith(";base64", ignoreCase = true)) return DataUrl(mediaType, data)
            val plain = URLDecoder.decode(data.replace("+", "%2B"), Charsets.UTF_8)
            return DataUrl(mediaType, Base64.getEncoder().encodeToString(plain.encodeToByteArray()))
        }
    }
}

/** The type of an image if the provider does not state it. */
internal const val ANY_IMAGE: String = "image/*"

/** The type of the image in [base64], by its first bytes; null if they are of none that is known. */
internal fun imageTypeOf(base64: String): String? = FIRST_BYTES.entries.firstOrNull { base64.startsWith(it.key) }?.value

/** The first bytes of a file, in base64. */
private val FIRST_BYTES = mapOf("iVBORw0KGgo" to "image/png", "/9j/" to "image/jpeg", "UklGR" to "image/webp", "R0lGOD" to "image/gif")
