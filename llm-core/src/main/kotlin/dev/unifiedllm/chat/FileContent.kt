package dev.unifiedllm.chat

import java.io.IOException
import java.io.UncheckedIOException
import java.nio.file.Files
import java.nio.file.Path
import java.util.Base64

/** The `data:` URL of the image in [file], read now. @throws IllegalArgumentException if it is no image @throws UncheckedIOException if it cannot be read */
internal fun imageUrl(file: Path): String {
    val byName = mediaTypeOfName(file.fileName.toString())?.takeIf { it.startsWith("image/") }
    return imageUrl(read(file, "image"), byName, file.toString())
}

/**
 * The `data:` URL of the image in [bytes]. The content counts more than [otherwise]: providers refuse an image that is not of the type that the request
 * says.
 *
 * @param subject what the bytes are, for the message
 * @throws IllegalArgumentException if they are no image
 */
internal fun imageUrl(bytes: ByteArray, otherwise: String?, subject: String): String {
    requireContent(bytes, subject)
    val isText = otherwise != "image/svg+xml" && mediaTypeOf(bytes) == null && isText(bytes)
    val found = if (isText) markupType(bytes) ?: "text/plain" else mediaTypeOf(bytes)
    val type = if (found == null) otherwise else found.takeIf { it.startsWith("image/") }
    require(type != null) {
        "$subject: this is not an image of a known type${seenAs(found)}. If it is one, name its type, as in image(bytes, \"image/tiff\")"
    }
    return dataUrl(if (type == "image/jpg") "image/jpeg" else type, bytes)
}

internal fun dataUrl(mediaType: String, bytes: ByteArray): String = "data:$mediaType;base64," + Base64.getEncoder().encodeToString(bytes)

internal fun requireContent(bytes: ByteArray, subject: String): Unit = require(bytes.isNotEmpty()) { "$subject: there is no content" }

internal fun seenAs(found: String?): String = if (found == null) "" else ", but $found"

/** @param kind what is in it, for the message @throws UncheckedIOException if it cannot be read */
internal fun read(file: Path, kind: String): ByteArray = try {
    Files.readAllBytes(file)
} catch (failure: IOException) {
    throw UncheckedIOException("The $kind $file cannot be read (${failure.javaClass.simpleName}).", failure)
}
