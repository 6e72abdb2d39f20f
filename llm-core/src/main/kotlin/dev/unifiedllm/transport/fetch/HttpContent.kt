package dev.unifiedllm.transport.fetch

import dev.unifiedllm.transport.fetch.FetchException.Reason
import java.io.BufferedInputStream
import java.io.ByteArrayOutputStream
import java.io.EOFException
import java.io.InputStream
import java.net.Socket

/** The response to a GET: its content, or where it redirects. */
internal class HttpContent(val bytes: ByteArray, val contentType: String?, val redirect: String?)

/**
 * Sends one GET over [socket] and reads the response. The connection is not used again.
 *
 * @throws FetchException if the response is no content, or more than [maxBytes]
 * @throws java.io.IOException if the connection fails, or the response ends before it is complete
 */
internal fun httpGet(socket: Socket, location: Location, maxBytes: Int): HttpContent {
    val request = "GET ${location.path} HTTP/1.1\r\nHost: ${location.authority}\r\nUser-Agent: unified-llm\r\nAccept: */*\r\n" +
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    socket.getOutputStream().run {
        write(request.encodeToByteArray())
        flush()
    }
    val input = HttpInput(BufferedInputStream(socket.getInputStream()))
    val (status, headers) = input.head()
    if (status in REDIRECTS) return HttpContent(ByteArray(0), null, headers["location"] ?: refuse("it redirects to nowhere"))
    if (status != OK) throw FetchException(Reason.STATUS, "its server responded with status $status")
    val encoding = headers["content-encoding"]
    if (encoding != null && !encoding.equals("identity", ignoreCase = true)) refuse("its server sends it compressed only ($encoding)")
    val transfer = headers["transfer-encoding"]
    val isChunked = transfer != null && transfer.equals("chunked", ignoreCase = true)
    if (transfer != null && !isChunked) refuse("its server sends it in an encoding that was not asked for ($transfer)")
    val length = headers["content-length"]?.let { length ->
        length.toLongOrNull()?.takeIf { it >= 0 } ?: throw FetchException(Reason.NETWORK, "the response of its server is not HTTP")
    }
    val bytes = when {
        isChunked -> input.chunks(maxBytes)
        length == null -> input.rest(maxBytes)
        length > maxBytes -> tooLarge(maxBytes)
        else -> input.exactly(length.toInt())
    }
    return HttpContent(bytes, headers["content-type"], null)
}

private class HttpInput(private val input: InputStream) {
    private var headBytes = 0

    /** The status and the headers, by their names in lower case. Informational responses before it are left out. */
    fun head(): Pair<Int, Map<String, String>> {
        while (true) {
            val status = STATUS.find(line())?.groupValues?.get(1)?.toInt() ?: throw FetchException(Reason.NETWORK, "the response of its server is not HTTP")
            val headers = generateSequence { line().ifEmpty { null } }.associate { it.substringBefore(':').trim().lowercase() to it.substringAfter(':').trim() }
            if (status !in INFORMATIONAL) return status to headers
        }
    }

    private fun line(): String {
        val line = StringBuilder()
        while (true) {
            val byte = input.read()
            if (byte < 0) throw EOFException("the response ended within a line")
            if (++headBytes > MAX_HEAD) throw FetchException(Reason.TOO_LARGE, "the headers of its server's response are larger than $MAX_HEAD bytes")
            if (byte == '\n'.code) return line.toString().removeSuffix("\r")
            line.append(byte.toChar())
        }
    }

    fun exactly(length: Int): ByteArray {
        val bytes = input.readNBytes(length)
        if (bytes.size < length) throw EOFException("the content is ${bytes.size} of $length bytes")
        return bytes
    }

    fun rest(maxBytes: Int): ByteArray = input.readNBytes(maxBytes + 1).also { if (it.size > maxBytes) tooLarge(maxBytes) }

    fun chunks(maxBytes: Int): ByteArray {
        val content = ByteArrayOutputStream()
        while (true) {
            headBytes = 0
            val size = line().substringBefore(';').trim().toLongOrNull(radix = 16)?.takeIf { it >= 0 }
                ?: throw FetchException(Reason.NETWORK, "the response of its server is not HTTP")
            if (size == 0L) return content.toByteArray()
            if (size > maxBytes - content.size()) tooLarge(maxBytes)
            content.write(exactly(size.toInt()))
            if (line().isNotEmpty()) throw FetchException(Reason.NETWORK, "the response of its server is not HTTP")
        }
    }
}

private fun tooLarge(maxBytes: Int): Nothing = throw FetchException(Reason.TOO_LARGE, "it is larger than $maxBytes bytes")

private const val OK = 200
private val REDIRECTS = setOf(301, 302, 303, 307, 308)
private val INFORMATIONAL = 100..199
private const val MAX_HEAD = 32 * 1024
private val STATUS = Regex("^HTTP/1\\.[01] (\\d{3})( |$)")
