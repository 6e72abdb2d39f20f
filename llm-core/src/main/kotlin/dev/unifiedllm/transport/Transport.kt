package dev.unifiedllm.transport

import dev.unifiedllm.LlmException
import dev.unifiedllm.transport.error.NetworkErrors
import kotlin.time.Duration

/** An HTTP request as the transport sends it. */
internal class TransportRequest(
    val url: String,
    /** All headers, in order, except the content type. They hold the key: never print them. */
    val headers: List<Pair<String, String>>,
    val body: ByteArray,
    val contentType: String = "application/json",
    /** A GET request has no body. */
    val method: String = "POST",
) {
    fun withHeaders(more: List<Pair<String, String>>): TransportRequest = TransportRequest(url, headers + more, body, contentType, method)

    /** This request with an Idempotency-Key, unless it has one, or [key] is null. */
    fun withIdempotencyKey(key: String?): TransportRequest {
        if (key == null || headers.any { it.first.equals(IDEMPOTENCY_KEY, ignoreCase = true) }) return this
        return withHeaders(listOf(IDEMPOTENCY_KEY to key))
    }

    override fun toString(): String = "$method ${url.substringBefore('?')} (${body.size} bytes)"
}

private const val IDEMPOTENCY_KEY = "Idempotency-Key"

/** The head of a response, and its body in slices. */
internal interface TransportResponse {
    val status: Int

    val headerNames: Set<String>

    fun header(name: String): String?

    /** Holds the slice that [read] returned last, in `bytes[0, n)`. It is valid until the next [read]. */
    val bytes: ByteArray

    /**
     * Suspends until more of the body has arrived in [bytes].
     *
     * @return the number of bytes, or -1 at the end of a complete body
     * @throws ConnectionLostException if the connection breaks before the body is complete
     */
    suspend fun read(): Int

    /** True if [read] would return without suspending. */
    val isReady: Boolean

    /** True if [interrupt] ends a read. */
    val canInterrupt: Boolean get() = false

    /** Ends the read that waits, and all later ones, with [ReadInterruptedException]. From any thread. */
    fun interrupt(): Unit = Unit
}

/** [TransportResponse.interrupt] has ended a read. */
internal class ReadInterruptedException : Exception("the read was interrupted")

/** The connection broke after the head of the response. */
internal class ConnectionLostException(cause: Throwable) : Exception("the connection was lost", cause)

/** Sends HTTP requests. */
internal interface Transport : AutoCloseable {
    /**
     * Sends [request] and runs [block], in the coroutine context of the caller, when the head of the response has arrived. The exchange ends with
     * [block], however that ends.
     *
     * @throws LlmException.Network or [LlmException.Timeout] if no head arrives
     */
    suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T
}

/** The deadlines for the head of a response, and the exceptions for requests that fail before it. */
internal class HeadDeadlines(
    val firstByte: Duration,
    val errors: NetworkErrors,
    /** Null: the connect timeout of the transport. */
    val connect: Duration? = null,
)
