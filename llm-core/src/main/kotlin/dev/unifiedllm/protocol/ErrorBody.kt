package dev.unifiedllm.protocol

import dev.unifiedllm.transport.ConnectionLostException
import dev.unifiedllm.transport.TransportResponse
import kotlinx.coroutines.withTimeoutOrNull
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.util.zip.GZIPInputStream
import kotlin.time.Duration

private const val MAX_ERROR_BYTES = 64 * 1024

/** The body of an error response as text, at most 64 KiB of it. */
internal suspend fun TransportResponse.readError(patience: Duration): String {
    val body = ByteArrayOutputStream()
    try {
        withTimeoutOrNull(patience) {
            while (body.size() < MAX_ERROR_BYTES) {
                val count = read()
                if (count < 0) break
                body.write(bytes, 0, count)
            }
        }
    } catch (_: ConnectionLostException) {
        return decoded(body.toByteArray()) // the status says enough
    }
    return decoded(body.toByteArray())
}

/** [body] as text, decompressed if necessary, at most [limit] bytes of it then; empty if it cannot be read. */
internal fun TransportResponse.decoded(body: ByteArray, limit: Int = MAX_ERROR_BYTES): String = when (header("content-encoding")?.trim()?.lowercase()) {
    null, "", "identity" -> body.toString(Charsets.UTF_8)
    "gzip", "x-gzip" -> try {
        GZIPInputStream(body.inputStream()).readNBytes(limit).toString(Charsets.UTF_8)
    } catch (_: IOException) {
        ""
    }
    else -> ""
}
