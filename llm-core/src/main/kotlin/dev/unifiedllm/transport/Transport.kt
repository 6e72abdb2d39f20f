package dev.unifiedllm.transport

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Timeout
import kotlin.time.Duration

/** A request, ready to be sent. */
internal class TransportRequest(
    val url: String,
    /** All of them, in order. They hold the key: never print them. */
    val headers: List<Pair<String, String>>,
    val body: ByteArray,
    val contentType: String = "application/json",
    /** GET has no body. */
    val method: String = "POST",
) {
    fun withHeaders(more: List<Pair<String, String>>): TransportRequest = TransportRequest(url, headers + more, body, contentType, method)

    override fun toString(): String = "$method ${url.substringBefore('?')} (${body.size} bytes)"
}

/** The head of a response, and its body slice by slice. */
internal interface TransportResponse {
    val status: Int

    fun header(name: String): String?

    /** The last slice read is `bytes[0, n)`, valid until the next [read]. */
    val bytes: ByteArray

    /**
     * Suspends until the next bytes have arrived.
     *
     * @return how many, or -1 at the proper end of the body
     * @throws ConnectionLostException if the connection breaks before that
     */
    suspend fun read(): Int

    /** True when [read] would return at once. */
    val isReady: Boolean
}

/** The connection broke after the head of the response. */
internal class ConnectionLostException(cause: Throwable) : Exception("the connection was lost", cause)

/** Sends a request and hands over the response. Leaving the block, by whatever way, ends the exchange. */
internal interface Transport : AutoCloseable {
    /**
     * Runs [block] in the caller's coroutine context once the head has arrived.
     *
     * @throws LlmException.Network or [LlmException.Timeout] if no head arrives
     */
    suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T
}

/** How long to wait for the head of a response, and the model that is asked, for the messages. */
internal class HeadDeadlines(val firstByte: Duration, val details: LlmException.Details) {
    fun expired(host: String, cause: Throwable? = null): Timeout = Timeout(
        "${details.model?.let { "$it at " }.orEmpty()}$host sent no response within $firstByte. " +
            "Raise timeouts.firstByte, or check that the server is well.",
        Timeout.Phase.FIRST_BYTE,
        cause,
        details,
    )
}
