package dev.unifiedllm.chat

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

/** The media type of [bytes] by their first bytes, as in `image/png`; null if they are of no type that is known here. A plain text has no such bytes. */
internal fun mediaTypeOf(bytes: ByteArray): String? {
    fun has(text: String, at: Int = 0) = bytes.size >= at + text.length && text.indices.all { bytes[at + it] == text[it].code.toByte() }
    fun at(index: Int): Int = if (index < bytes.size) bytes[index].toInt() and BYTE else -1
    return when {
        has("\u0089PNG\r\n\u001a\n") -> "image/png"
        has("\u00ff\u00d8\u00ff") -> "image/jpeg"
        has("GIF87a") || has("GIF89a") -> "image/gif"
        has("RIFF") && has("WEBP", RIFF_KIND) -> "image/webp"
        has("RIFF") && has("WAVE", RIFF_KIND) -> "audio/wav"
        has("BM") && bytes.size >= BMP_HEADER && has("\u0000\u0000\u0000\u0000", BMP_RESERVED) -> "image/bmp"
        has("ftyp", BOX_KIND) -> boxed(bytes)
        has("ID3") || isMp3(at(0), at(1), at(2)) -> "audio/mpeg"
        has("OggS") -> "audio/ogg"
        has("fLaC") -> "audio/flac"
        has("\u001a\u0045\u00df\u00a3") -> "video/webm"
        (0..minOf(bytes.size, PDF_WITHIN)).any { has("%PDF-", it) } -> "application/pdf"
        else -> null
    }
}

/** The type of a file in ISO's base media format, by the brands in its first box: the main one, and those that it is compatible with. */
private fun boxed(bytes: ByteArray): String {
    val length = minOf(bytes.size, maxOf(ByteBuffer.wrap(bytes).getInt(0), BRANDS), MAX_BOX)
    val brands = String(bytes, BOX_KIND + BRAND, maxOf(0, length - BOX_KIND - BRAND), Charsets.ISO_8859_1).chunked(BRAND)
    fun has(vararg names: String) = brands.any { it in names }
    return when {
        has("avif", "avis") -> "image/avif"
        has("heic", "heix", "hevc", "hevx", "heim", "heis") -> "image/heic"
        has("mif1", "msf1") -> "image/heif"
        brands.firstOrNull() in setOf("M4A ", "M4B ") -> "audio/mp4"
        brands.firstOrNull() == "qt  " -> "video/quicktime"
        else -> "video/mp4"
    }
}

/** True if these bytes are the header of a frame of MPEG audio, layer 3. */
private fun isMp3(first: Int, second: Int, third: Int): Boolean =
    first == BYTE && second and 0xe6 == 0xe2 && second and 0x18 != 0x08 && third >= 0 && third and 0xf0 != 0xf0 && third and 0x0c != 0x0c

/** True if [bytes] are a text in UTF-8: of control characters it has white space alone. */
internal fun isText(bytes: ByteArray): Boolean = try {
    bytes.none { it in CONTROLS && !it.toInt().toChar().isWhitespace() } && Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)) != null
} catch (_: CharacterCodingException) {
    false
}

/** The type of [bytes] that are a web page or another text of tags, which is often saved in place of an image; null for anything else. */
internal fun markupType(bytes: ByteArray): String? {
    val start = String(bytes, 0, minOf(bytes.size, MARKUP_WITHIN), Charsets.ISO_8859_1).trimStart().lowercase()
    return if (start.startsWith("<!doctype html") || start.startsWith("<html")) "text/html" else "text/xml".takeIf { start.startsWith('<') }
}

/** The media type of a file by the ending of [name], a file's name or a URL; null if it has none that is known here. */
internal fun mediaTypeOfName(name: String): String? =
    ENDINGS[name.substringBefore('?').substringBefore('#').substringAfterLast('/').substringAfterLast('.', "").lowercase()]

/** The scheme of a URL, and the user and the password that follow it. */
private val USER = Regex("^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")

/** [url] as messages and logs show it: without its content, and without its user and its query, which may hold a key. */
internal fun shownUrl(url: String): String {
    if (!url.startsWith("data:", ignoreCase = true)) {
        val named = USER.replace(url, "$1")
        return named.substringBefore('?').substringBefore('#').let { if (it.length < named.length) "$it…" else it }
    }
    val comma = url.indexOf(',')
    if (comma < 0) return "data:…"
    val head = url.substring(0, comma)
    val bytes = if (head.endsWith(";base64", ignoreCase = true)) base64Bytes(url, comma + 1) else (url.length - comma - 1).toLong()
    return "${head.substringBefore(';')}, $bytes bytes"
}

/**
 * [url] with a scheme in small letters, and a `data:` URL without white space in its content.
 *
 * @throws IllegalArgumentException if it is a `data:` URL without content, or one whose content is not base64 though it says so
 */
internal fun checkedUrl(url: String): String {
    val scheme = url.substringBefore(':', "").lowercase()
    if (scheme != "data") return if (scheme.isEmpty()) url else scheme + url.substring(scheme.length)
    val comma = url.indexOf(',')
    require(comma >= 0 && url.length > comma + 1) { "this data URL has no content: it is as in data:image/png;base64,iVBORw0…" }
    val head = url.substring(0, comma).lowercase()
    if (!head.endsWith(";base64")) return head + url.substring(comma)
    val content = url.substring(comma + 1).let { text -> if (text.any(Char::isWhitespace)) text.filterNot(Char::isWhitespace) else text }
    require(isBase64(content)) { "the content of this data URL is not base64, or is cut" }
    return "$head,$content"
}

/** True if [text] is base64 of the standard alphabet, with or without padding, and is not cut within a byte. */
internal fun isBase64(text: String): Boolean {
    val end = text.length - if (text.endsWith("==")) {
        2
    } else if (text.endsWith("=")) {
        1
    } else {
        0
    }
    if (end == 0 || end % BASE64_GROUP == 1 || (end < text.length && text.length % BASE64_GROUP != 0)) return false
    return (0 until end).all { text[it] in 'A'..'Z' || text[it] in 'a'..'z' || text[it] in '0'..'9' || text[it] == '+' || text[it] == '/' }
}

/** The number of bytes that the base64 text in [text] from [start] on stands for. */
internal fun base64Bytes(text: String, start: Int = 0): Long {
    var end = text.length
    while (end > start && end > text.length - 2 && text[end - 1] == '=') end--
    return (end - start) * 3L / 4
}

private const val BASE64_GROUP = 4
private val CONTROLS = 0.toByte()..31.toByte()
private const val BYTE = 0xff
private const val RIFF_KIND = 8
private const val BMP_HEADER = 26
private const val BMP_RESERVED = 6
private const val BOX_KIND = 4
private const val BRAND = 4
private const val BRANDS = 12
private const val MAX_BOX = 256
private const val MARKUP_WITHIN = 256
private const val PDF_WITHIN = 1024

private val ENDINGS = mapOf(
    "png" to "image/png", "jpg" to "image/jpeg", "jpeg" to "image/jpeg", "gif" to "image/gif", "webp" to "image/webp", "bmp" to "image/bmp",
    "heic" to "image/heic", "heif" to "image/heif", "avif" to "image/avif", "tif" to "image/tiff", "tiff" to "image/tiff", "svg" to "image/svg+xml",
    "pdf" to "application/pdf", "txt" to "text/plain", "md" to "text/markdown", "csv" to "text/csv", "html" to "text/html", "htm" to "text/html",
    "json" to "application/json", "xml" to "text/xml", "doc" to "application/msword", "xls" to "application/vnd.ms-excel",
    "docx" to "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx" to "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx" to "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "wav" to "audio/wav", "mp3" to "audio/mpeg", "ogg" to "audio/ogg", "opus" to "audio/ogg", "flac" to "audio/flac", "m4a" to "audio/mp4",
    "aac" to "audio/aac", "mp4" to "video/mp4", "mov" to "video/quicktime", "webm" to "video/webm",
)
