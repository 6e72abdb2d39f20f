package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ImageFormat
import java.io.ByteArrayOutputStream
import java.util.UUID

/** A body of type multipart/form-data (RFC 7578). */
internal class Multipart {
    private val boundary = "unified-llm-${UUID.randomUUID()}"
    private val body = ByteArrayOutputStream()

    val contentType: String get() = "multipart/form-data; boundary=$boundary"

    fun field(name: String, value: String): Multipart = part("name=\"${quoted(name)}\"", null, value.encodeToByteArray())

    /** Adds a file called [name] with the ending of its type. */
    fun file(name: String, content: DataUrl): Multipart {
        val ending = ImageFormat.ofMediaType(content.mediaType)?.extension ?: "bin"
        val file = name.filter { it.isLetterOrDigit() || it == '_' }
        return part("name=\"${quoted(name)}\"; filename=\"$file.$ending\"", content.mediaType, content.bytes)
    }

    /** The whole body. */
    fun bytes(): ByteArray = ByteArrayOutputStream(body.size() + boundary.length + MARGIN).also {
        body.writeTo(it)
        it.write("--$boundary--\r\n".encodeToByteArray())
    }.toByteArray()

    private fun part(disposition: String, type: String?, content: ByteArray): Multipart = apply {
        val typeLine = type?.let { "Content-Type: $it\r\n" }.orEmpty()
        body.write("--$boundary\r\nContent-Disposition: form-data; $disposition\r\n$typeLine\r\n".encodeToByteArray())
        body.write(content)
        body.write("\r\n".encodeToByteArray())
    }

    private fun quoted(name: String) = name.replace("\"", "%22").replace("\r", "%0D").replace("\n", "%0A")

    private companion object {
        const val MARGIN = 16
    }
}
