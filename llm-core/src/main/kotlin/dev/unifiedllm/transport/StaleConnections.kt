package dev.unifiedllm.transport

import java.io.EOFException
import java.io.IOException
import java.net.ConnectException
import java.net.ProtocolException
import java.net.URI
import java.net.http.HttpTimeoutException
import java.nio.channels.ClosedChannelException
import java.util.WeakHashMap
import javax.net.ssl.SSLException
import kotlin.time.Duration.Companion.seconds

/**
 * Recognizes requests that were lost with a stale connection: a pooled connection that the server had closed, or was closing, when the request was sent.
 *
 * Servers announce keep-alive and close the connection soon after the response; llama.cpp does so after 35 ms. The JDK reuses such a connection until it
 * has read the end of it, and reports neither that a connection was reused nor that it was new. So a failure counts as stale if no byte of a response
 * had arrived, and the client had completed a response of the same origin before. Such a request is sent once more, on a new connection. So is one that
 * an HTTP/2 server refused by REFUSED_STREAM or by GOAWAY, whatever was completed before.
 *
 * The exceptions are those of the JDK's client, 17 to 25, over HTTP/1.1 and HTTP/2. One case cannot be told apart from them: a connection that is closed
 * after an interim response (status 1xx), which the JDK discards. Thread-safe.
 */
internal class StaleConnections {
    private val completed = WeakHashMap<Any, MutableSet<String>>()

    /** A response from the origin of [uri] has been read to its end, so that the pool of [client] may hold its connection. */
    fun completed(client: Any, uri: URI) {
        synchronized(completed) { completed.getOrPut(client, ::HashSet) += originOf(uri) }
    }

    /** True if the request to [uri], which failed with [failure] before the head of a response, is to be sent again. */
    fun isStale(client: Any, uri: URI, failure: Throwable): Boolean =
        (failure.message?.let(REFUSED::containsMatchIn) == true || isKnown(client, uri)) && receivedNothing(failure)

    private fun isKnown(client: Any, uri: URI) = synchronized(completed) { completed[client]?.contains(originOf(uri)) == true }

    private fun originOf(uri: URI) = "${uri.scheme}://${uri.authority}"

    private fun receivedNothing(failure: Throwable): Boolean {
        val causes = generateSequence(failure) { it.cause }.take(MAX_CAUSES)
        if (causes.any { it is ConnectException || it is HttpTimeoutException || it is SSLException || it is ProtocolException }) return false
        // Over HTTP/1.1 the JDK says in the outermost message whether bytes had arrived; the causes are the same in both cases.
        return failure is IOException &&
            (failure is EOFException || failure is ClosedChannelException || failure.message?.let(WORDS::containsMatchIn) == true)
    }

    private companion object {
        const val MAX_CAUSES = 8

        /** HTTP/2: the server has not begun to work on the request. */
        val REFUSED = Regex("GOAWAY received|Stream not processed")

        /** HTTP/1.1: the first. HTTP/2: the others; the last ones are of Windows. */
        val WORDS = Regex(
            "header parser received no bytes|GOAWAY received|Stream not processed|^Connection reset|^Broken pipe|^(Idle )?connection closed" +
                "|forcibly closed by the remote host|connection was aborted",
            RegexOption.IGNORE_CASE,
        )
    }
}

/** A stale connection is noticed when the request is sent. A server that drops one later may have begun to work on the request, and to bill it. */
internal val STALE_WITHIN = 5.seconds
