package dev.unifiedllm.protocol

import dev.unifiedllm.transport.ConnectionLostException
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.framing.FramingException
import dev.unifiedllm.transport.framing.Gunzip
import java.io.EOFException

/** [response] with its body decompressed as it arrives. */
internal class GunzippedResponse(private val response: TransportResponse) : TransportResponse by response {
    private val gunzip = Gunzip()
    private var ahead = ByteArray(BYTES)
    private var aheadCount = 0
    private var failure: FramingException? = null

    override var bytes: ByteArray = ByteArray(BYTES)
        private set

    /** What the next [read] returns is decompressed before, since input alone does not say whether there is output. */
    override val isReady: Boolean get() = aheadCount > 0 || failure != null

    override fun header(name: String): String? = if (name.equals("content-encoding", ignoreCase = true)) null else response.header(name)

    /** @throws FramingException if the body is not gzip */
    override suspend fun read(): Int {
        while (aheadCount == 0) {
            failure?.let { throw it }
            val count = response.read()
            if (count < 0) {
                gunzip.close()
                return if (gunzip.isComplete) -1 else throw ConnectionLostException(EOFException("the compressed body is not complete"))
            }
            gunzip.feed(response.bytes, 0, count)
            readAhead()
        }
        val count = aheadCount
        val taken = ahead
        ahead = bytes
        bytes = taken
        readAhead()
        return count
    }

    /** A failure is thrown when what came before it has been read. */
    private fun readAhead() {
        aheadCount = 0
        try {
            aheadCount = gunzip.read(ahead)
        } catch (broken: FramingException) {
            failure = broken
        }
    }

    companion object {
        private const val BYTES = 16 * 1024

        /** [response], decompressed if its Content-Encoding is gzip. */
        fun of(response: TransportResponse): TransportResponse {
            val encoding = response.header("content-encoding")?.trim()
            return if (encoding.equals("gzip", ignoreCase = true) || encoding.equals("x-gzip", ignoreCase = true)) GunzippedResponse(response) else response
        }
    }
}
