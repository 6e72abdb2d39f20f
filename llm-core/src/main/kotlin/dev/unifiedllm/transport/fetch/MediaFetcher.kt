package dev.unifiedllm.transport.fetch

import dev.unifiedllm.transport.fetch.FetchException.Reason
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.withTimeoutOrNull
import java.io.IOException
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Proxy
import java.net.Socket
import java.net.SocketTimeoutException
import java.net.UnknownHostException
import javax.net.ssl.SNIHostName
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLException
import javax.net.ssl.SSLSocket
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/**
 * Fetches media at http(s) URLs that others may have written, so that they reach no server of a private network.
 *
 * The name of the host is looked up once, all its addresses must be public, and the connection goes to the address that was checked: a name that means
 * another address the next time gains nothing. Over TLS the certificate is checked for the name. Each redirect is a URL that is checked anew. No proxy,
 * no cookies, no credentials.
 *
 * @param maxBytes of the content
 * @param timeLimit of a fetch with all its redirects
 * @param sslContext null: the JDK's default
 * @param resolve looks a name up; blocks
 * @param connect opens a connection to an address that was checked; blocks at most for the duration
 */
internal class MediaFetcher(
    private val maxBytes: Int = MAX_BYTES,
    private val timeLimit: Duration = 30.seconds,
    private val sslContext: SSLContext? = null,
    private val resolve: (host: String) -> List<InetAddress> = { InetAddress.getAllByName(it).toList() },
    private val connect: (address: InetSocketAddress, within: Duration) -> Socket = ::connectDirectly,
) {
    /**
     * The content at [url].
     *
     * @param trusted a server that the user chose: its own URLs are fetched wherever it is; null for none
     * @throws FetchException if it is not fetched
     */
    suspend fun fetch(url: String, trusted: Origin? = null): HttpContent {
        val end = TimeSource.Monotonic.markNow() + timeLimit
        try {
            return withTimeoutOrNull(timeLimit) { closing { open -> follow(Location.of(url, trusted), open) { -end.elapsedNow() } } } ?: throw timeout(null)
        } catch (failure: IOException) {
            currentCoroutineContext().ensureActive()
            if (failure is SocketTimeoutException || end.hasPassedNow()) throw timeout(failure)
            throw FetchException(Reason.NETWORK, problem(failure), failure)
        }
    }

    private fun timeout(cause: Throwable?) = FetchException(Reason.TIMEOUT, "it did not arrive within $timeLimit", cause)

    private fun problem(failure: IOException): String = when (failure) {
        is UnknownHostException -> "its host name cannot be resolved"
        is SSLException -> "the TLS connection to its host failed (${failure.message})"
        else -> "the connection to its host failed (${failure.javaClass.simpleName})"
    }

    /**
     * Runs [block] where it may block. Cancelling closes the connections that it has opened, which ends their reads, and returns at once: a look-up or a
     * connect that still runs ends by itself, and its connection is closed.
     */
    private suspend fun <T> closing(block: (Connections) -> T): T {
        val open = Connections()
        val work = BLOCKING.async { open.use(block) }
        try {
            return work.await()
        } catch (cancelled: CancellationException) {
            open.close()
            throw cancelled
        }
    }

    private fun follow(start: Location, open: Connections, left: () -> Duration): HttpContent {
        var location = start
        repeat(MAX_REDIRECTS + 1) {
            val answer = get(location, open, left)
            val redirect = answer.redirect ?: return answer
            location = location.redirectedTo(redirect)
        }
        refuse("it redirects more than $MAX_REDIRECTS times")
    }

    private fun get(location: Location, open: Connections, left: () -> Duration): HttpContent {
        val addresses = resolve(location.host)
        if (addresses.isEmpty()) throw UnknownHostException(location.host)
        if (!location.isTrusted && !addresses.all(::isPublic)) refuse("its host is in a private network")
        val connection = connected(addresses, location.port, left)
        return open.add(connection).use { plain ->
            plain.soTimeout = left().inWholeMilliseconds.coerceIn(1, Int.MAX_VALUE.toLong()).toInt()
            if (location.isHttps) open.add(encrypted(plain, location)).use { httpGet(it, location, maxBytes) } else httpGet(plain, location, maxBytes)
        }
    }

    private fun connected(addresses: List<InetAddress>, port: Int, left: () -> Duration): Socket {
        var failure: IOException? = null
        for (address in addresses) {
            if (left() <= Duration.ZERO) break
            try {
                return connect(InetSocketAddress(address, port), minOf(left(), CONNECT_TIMEOUT))
            } catch (failed: IOException) {
                failure?.let(failed::addSuppressed)
                failure = failed
            }
        }
        throw failure ?: SocketTimeoutException("no time is left to connect")
    }

    private fun encrypted(plain: Socket, location: Location): SSLSocket {
        val context = sslContext ?: SSLContext.getDefault()
        val socket = context.socketFactory.createSocket(plain, location.host, location.port, true) as SSLSocket
        socket.sslParameters = socket.sslParameters.apply {
            endpointIdentificationAlgorithm = "HTTPS"
            if (!location.isAddress) serverNames = listOf(SNIHostName(location.host))
        }
        socket.startHandshake()
        return socket
    }

    internal companion object {
        const val MAX_REDIRECTS = 3
        private const val MAX_BYTES = 50 * 1024 * 1024
        private val CONNECT_TIMEOUT = 10.seconds
        private val BLOCKING = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    }
}

/** The connections of one fetch. After [close] none stays open. */
private class Connections : AutoCloseable {
    private val sockets = mutableListOf<Socket>()
    private var isClosed = false

    fun <S : Socket> add(socket: S): S {
        val isLate = synchronized(sockets) {
            sockets += socket
            isClosed
        }
        if (isLate) socket.close()
        return socket
    }

    override fun close() {
        val all = synchronized(sockets) {
            isClosed = true
            sockets.toList()
        }
        for (socket in all) {
            try {
                socket.close()
            } catch (_: IOException) {
                continue // it is of no more use
            }
        }
    }
}

private fun connectDirectly(address: InetSocketAddress, within: Duration): Socket {
    val socket = Socket(Proxy.NO_PROXY)
    try {
        socket.connect(address, within.inWholeMilliseconds.coerceIn(1, Int.MAX_VALUE.toLong()).toInt())
    } catch (failure: IOException) {
        socket.close()
        throw failure
    }
    return socket
}
