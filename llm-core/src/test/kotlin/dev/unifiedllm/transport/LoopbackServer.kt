package dev.unifiedllm.transport

import java.io.BufferedInputStream
import java.io.IOException
import java.io.InputStream
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.SocketException
import java.net.SocketTimeoutException
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit.MILLISECONDS
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.locks.LockSupport
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLSocket
import kotlin.concurrent.thread
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * A server on 127.0.0.1 whose responses a test writes, to the single byte and to the way in which the connection ends:
 *
 *     LoopbackServer { sse("data: …\n\n", "data: [DONE]\n\n") }.use { server -> … server.url … server.requests … }
 *
 * [answer] runs on a thread of the connection, once for each request; an IOException in it ends the connection. When it returns, an unfinished
 * body is completed, and the connection waits for its next request.
 *
 * @param tls the certificate of the server and the authorities that it trusts; null: no TLS
 * @param requiresClient true: clients without a certificate that [tls] trusts are refused
 */
class LoopbackServer(
    private val tls: SSLContext?,
    private val requiresClient: Boolean = false,
    private val answer: LoopbackExchange.(LoopbackRequest) -> Unit,
) : AutoCloseable {
    constructor(answer: LoopbackExchange.(LoopbackRequest) -> Unit) : this(null, false, answer)

    private val listener = ServerSocket(0, BACKLOG, InetAddress.getByName("127.0.0.1"))
    private val sockets = CopyOnWriteArrayList<Socket>()
    private val arrived = Semaphore(0)
    private val closed = Semaphore(0)
    private val accepted = AtomicInteger()
    private val done = CountDownLatch(1)

    /** Without a slash at its end. */
    val url: String = "${if (tls == null) "http" else "https"}://127.0.0.1:${listener.localPort}"

    val port: Int get() = listener.localPort

    /** The requests received, in the order in which they were complete. */
    val requests: List<LoopbackRequest> = CopyOnWriteArrayList()

    /** The number of connections accepted. */
    val connections: Int get() = accepted.get()

    private val acceptor = thread(isDaemon = true, name = "loopback-accept") {
        while (true) {
            val socket = try {
                listener.accept()
            } catch (_: SocketException) {
                break // closed
            }
            socket.tcpNoDelay = true
            accepted.incrementAndGet()
            sockets += socket
            thread(isDaemon = true, name = "loopback-${socket.port}") { serve(socket) }
        }
    }

    /** Waits for one more request; false if none arrives in time. */
    fun awaitRequest(within: Duration = 10.seconds): Boolean = arrived.tryAcquire(within.inWholeMilliseconds, MILLISECONDS)

    /** Waits until the client has closed one more connection; false if it does not in time. Noticed between requests and in [LoopbackExchange.hold]. */
    fun awaitClosed(within: Duration): Boolean = closed.tryAcquire(within.inWholeMilliseconds, MILLISECONDS)

    override fun close() {
        done.countDown()
        listener.close()
        acceptor.join() // until its accept has returned, the port is open
        for (socket in sockets) socket.close()
    }

    private fun serve(socket: Socket) = socket.use {
        if (tls == null) return@use talk(socket)
        // The socket stays open when the handshake fails: closing it with unread bytes could discard the alert before the client reads it.
        val encrypted = tls.socketFactory.createSocket(socket, null, listener.localPort, false) as SSLSocket
        encrypted.useClientMode = false
        encrypted.needClientAuth = requiresClient
        try {
            encrypted.startHandshake()
        } catch (_: IOException) {
            socket.shutdownOutput()
            socket.getInputStream().skip(Long.MAX_VALUE)
            closed.release()
            return@use
        }
        encrypted.use(::talk)
    }

    private fun talk(socket: Socket) {
        val input = BufferedInputStream(socket.getInputStream())
        try {
            while (true) {
                val request = readRequest(input)
                if (request == null) {
                    closed.release()
                    break
                }
                requests as MutableList += request
                arrived.release()
                val exchange = LoopbackExchange(socket, input, done, closed)
                exchange.answer(request)
                if (!exchange.finish()) break
            }
        } catch (_: SocketTimeoutException) {
            return // keepAliveFor
        } catch (_: IOException) {
            closed.release() // the client closed the connection during a write
        }
    }

    private fun readRequest(input: InputStream): LoopbackRequest? {
        val line = readLine(input) ?: return null
        val headers = generateSequence { readLine(input)?.ifEmpty { null } }.map { it.substringBefore(':') to it.substringAfter(':').trim() }.toList()
        val length = headers.firstOrNull { (name) -> name.equals("content-length", ignoreCase = true) }?.second?.toInt() ?: 0
        return LoopbackRequest(line, headers, input.readNBytes(length).decodeToString())
    }

    private fun readLine(input: InputStream): String? {
        val line = StringBuilder()
        while (true) {
            when (val byte = input.read()) {
                -1 -> return null
                '\n'.code -> return line.toString().removeSuffix("\r")
                else -> line.append(byte.toChar())
            }
        }
    }

    private companion object {
        const val BACKLOG = 512
    }
}

class LoopbackRequest(val line: String, val headers: List<Pair<String, String>>, val body: String) {
    val path: String get() = line.split(' ')[1]

    fun header(name: String): String? = headers.firstOrNull { it.first.equals(name, ignoreCase = true) }?.second

    override fun toString(): String = line
}

/** One response while a test writes it. Each call returns when its bytes have been passed to the network. */
class LoopbackExchange internal constructor(
    private val socket: Socket,
    private val input: InputStream,
    private val done: CountDownLatch,
    private val closed: Semaphore,
) {
    private val output = socket.getOutputStream()
    private var isChunked = false
    private var isEnded = false
    private var keepsAlive = true
    private var closesAfter: Duration? = null

    /** Writes the status line and headers of a chunked response; `Transfer-Encoding` is added unless [headers] tell where the body ends. */
    fun head(status: Int = 200, vararg headers: Pair<String, String>) {
        val names = headers.map { it.first.lowercase() }
        isChunked = "content-length" !in names && "connection" !in names
        keepsAlive = "connection" !in names
        val all = headers.toList() + if (isChunked) listOf("Transfer-Encoding" to "chunked") else emptyList()
        raw("HTTP/1.1 $status Scripted\r\n" + all.joinToString("") { (name, value) -> "$name: $value\r\n" } + "\r\n")
    }

    /** Writes a piece of the body, as one chunk if the body is chunked. */
    fun write(text: String) = write(text.encodeToByteArray())

    fun write(bytes: ByteArray) {
        if (bytes.isEmpty()) return
        if (isChunked) raw("${bytes.size.toString(16)}\r\n".encodeToByteArray() + bytes + "\r\n".encodeToByteArray()) else raw(bytes)
    }

    /** Writes an event stream of [events], each in its own chunk. */
    fun sse(vararg events: String) {
        head(200, "Content-Type" to "text/event-stream")
        events.forEach(::write)
    }

    /** Writes a response with the body [body] and its length. */
    fun whole(body: String, status: Int = 200, vararg headers: Pair<String, String>, type: String = "application/json") {
        val bytes = body.encodeToByteArray()
        head(status, "Content-Type" to type, "Content-Length" to bytes.size.toString(), *headers)
        write(bytes)
    }

    /** Writes bytes unchanged, without any framing. */
    fun raw(text: String) = raw(text.encodeToByteArray())

    fun raw(bytes: ByteArray) {
        output.write(bytes)
        output.flush()
    }

    /** Closes the connection with FIN, whether or not the response is complete. */
    fun cut() {
        isEnded = true
        keepsAlive = false
        socket.close()
    }

    /** Closes the connection with RST. */
    fun reset() {
        socket.setSoLinger(true, 0)
        cut()
    }

    /** Leaves the body open and writes nothing more, until the client closes the connection or the test ends. */
    fun hold() {
        val left = try {
            input.read() < 0
        } catch (_: IOException) {
            true
        }
        if (left && done.count > 0) closed.release()
        cut()
    }

    /**
     * Closes the connection, which the response promised to keep alive, if no further request begins within [time] after the response.
     *
     * @param reset with RST, not with FIN
     */
    fun keepAliveFor(time: Duration, reset: Boolean = false) {
        if (reset) socket.setSoLinger(true, 0)
        socket.soTimeout = time.inWholeMilliseconds.toInt().coerceAtLeast(1)
    }

    /** Closes the connection, which the response promised to keep alive, [time] after the response. A request that arrives until then is not read. */
    fun closeAfter(time: Duration, reset: Boolean = false) {
        if (reset) socket.setSoLinger(true, 0)
        closesAfter = time
    }

    /** Completes an unfinished body; true if the connection can carry another request. */
    internal fun finish(): Boolean {
        if (isChunked && !isEnded) raw("0\r\n\r\n")
        closesAfter?.let { LockSupport.parkNanos(it.inWholeNanoseconds) }
        return keepsAlive && closesAfter == null
    }
}
