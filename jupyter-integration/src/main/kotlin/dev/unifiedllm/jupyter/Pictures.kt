package dev.unifiedllm.jupyter

import java.net.URLDecoder
import java.util.Base64
import java.util.Locale

/**
 * An image, or another medium, of a response.
 *
 * @property url an http(s) or data: URL, as a provider or a model wrote it
 * @property mediaType may be wrong, or have a star for the format
 * @property caption shown below the image; null for none
 */
internal class Picture(val url: String, val mediaType: String, content: ByteArray? = null, val caption: String? = null) {
    /** Null if it is elsewhere, or cannot be read. */
    val content: ByteArray? = (content ?: embedded(url))?.takeIf { it.isNotEmpty() }

    val text: String get() = "[${listOfNotNull(type ?: mediaType, content?.let { size(it.size) } ?: address(), caption).joinToString(", ")}]"

    /** The type of an image that browsers show; null for everything else. */
    val type: String? get() = mediaType.lowercase().takeIf { it in TYPES } ?: content?.let(::typeOf)

    private fun address() = url.takeUnless { it.startsWith("data:", ignoreCase = true) }?.take(MAX_ADDRESS)

    private companion object {
        const val MAX_ADDRESS = 500

        /** An SVG in an img element runs no scripts and loads nothing. */
        val TYPES = setOf("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/svg+xml")

        fun typeOf(bytes: ByteArray): String? {
            val start = String(bytes, 0, minOf(bytes.size, 12), Charsets.ISO_8859_1)
            return when {
                start.startsWith("\u0089PNG") -> "image/png"
                start.startsWith("\u00ff\u00d8\u00ff") -> "image/jpeg"
                start.startsWith("GIF8") -> "image/gif"
                start.startsWith("RIFF") && start.endsWith("WEBP") -> "image/webp"
                else -> null
            }
        }

        fun embedded(url: String): ByteArray? {
            if (!url.startsWith("data:", ignoreCase = true) || ',' !in url) return null
            val data = url.substringAfter(',')
            return try {
                if (url.substringBefore(',').endsWith(";base64", ignoreCase = true)) {
                    Base64.getMimeDecoder().decode(data)
                } else {
                    URLDecoder.decode(data.replace("+", "%2B"), Charsets.UTF_8).encodeToByteArray()
                }
            } catch (_: IllegalArgumentException) { // not base64, or a percent sign without a number
                null
            }
        }
    }
}

/**
 * Embeds the images of one output, up to a size in all, because a notebook file keeps its outputs. Images that are elsewhere become links.
 *
 * @param alt what the images show, for those who do not see them
 */
internal class Pictures(private val alt: String = "", private var bytesLeft: Int = MAX_BYTES) {
    fun html(pictures: List<Picture>): String = pictures.joinToString("", transform = ::html)

    private fun html(picture: Picture): String {
        val content = picture.content
        val type = picture.type
        val caption = picture.caption?.let { "<div class=\"ullm-note\">${escape(it.capped("revisedPrompt"))}</div>" }.orEmpty()
        return when {
            content == null && picture.url.startsWith("data:", ignoreCase = true) -> "<div class=\"ullm-note\">${kind(picture)}: cannot be read</div>"
            content == null -> "<div class=\"ullm-note ullm-links\">${link(picture.url, "${kind(picture)} at ${hostOf(picture.url)}")}</div>"
            type == null -> "<div class=\"ullm-note\">${escape("${picture.mediaType}, ${size(content.size)}: not shown here")}</div>"
            content.size > bytesLeft ->
                "<div class=\"ullm-note\">${escape("$type, ${size(content.size)}: too large to be kept in a notebook. Save it to a file to see it")}</div>"
            else -> {
                bytesLeft -= content.size
                "<img class=\"ullm-picture\" alt=\"${escape(alt)}\" src=\"data:$type;base64,${Base64.getEncoder().encodeToString(content)}\">"
            }
        } + caption
    }

    private fun kind(picture: Picture) = picture.mediaType.substringBefore('/').lowercase().takeIf { it in KINDS } ?: "file"

    private companion object {
        const val MAX_BYTES = 8_000_000
        val KINDS = setOf("image", "audio", "video")
    }
}

/** As in `12 kB`. */
private fun size(bytes: Int): String = when {
    bytes < KILO -> "$bytes bytes"
    bytes < KILO * KILO -> "${count((bytes / KILO).toLong())} kB"
    else -> "%.1f MB".format(Locale.ROOT, bytes.toDouble() / (KILO * KILO))
}

private const val KILO = 1_000
