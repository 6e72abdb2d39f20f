package dev.unifiedllm.transport

import java.io.BufferedInputStream
import java.io.ByteArrayOutputStream
import java.io.DataInputStream
import java.io.IOException
import java.net.InetAddress
import java.net.SocketException
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit.MILLISECONDS
import java.util.concurrent.atomic.AtomicInteger
import javax.net.ssl.SSLServerSocket
import javax.net.ssl.SSLSocket
import kotlin.concurrent.thread
import kotlin.time.Duration

/**
 * An HTTP/2 server over TLS on 127.0.0.1, of which a test writes every frame (RFC 9113). It does not decode the headers of requests.
 *
 * [answer] runs on a thread of its own for each request.
 *
 * @param limit of streams: it announces the limit, and refuses more by REFUSED_STREAM
 */
class Http2Server(private val limit: Int = 100, private val answer: Http2Stream.(body: String) -> Unit) : AutoCloseable {
    private val listener =
        Certificates.context(Certificates.SERVER).serverSocketFactory.createServerSocket(0, BACKLOG, InetAddress.getByName("127.0.0.1")) as SSLServerSocket
    private val open = CopyOnWriteArrayList<Connection>()
    private val running = AtomicInteger()
    private val most = AtomicInteger()
    private val refused = AtomicInteger()
    private val requested = AtomicInteger()
    private val resets = LinkedBlockingQueue<Int>()

    val port: Int get() = listener.localPort

    val url: String = "https://127.0.0.1:${listener.localPort}"

    /** How many requests were running at the same time, at most. */
    val mostRunning: Int get() = most.get()

    /** How many requests were refused because of the limit. */
    val refusals: Int get() = refused.get()

    val requests: Int get() = requested.get()

    val connections: Int get() = open.size

    private val acceptor = thread(isDaemon = true, name = "http2-accept") {
        while (true) {
            val socket = try {
                listener.accept() as SSLSocket
            } catch (_: SocketException) {
                break
            }
            socket.tcpNoDelay = true
            socket.sslParameters = socket.sslParameters.apply { applicationProtocols = arrayOf("h2") }
            val connection = Connection(socket)
            open += connection
            thread(isDaemon = true, name = "http2-${socket.port}") { connection.serve() }
        }
    }

    /** Waits until the client has reset one more stream; the error code, or null if it does not in time. */
    fun awaitReset(within: Duration): Int? = resets.poll(within.inWholeMilliseconds, MILLISECONDS)

    override fun close() {
        listener.close()
        acceptor.join()
        for (connection in open) connection.close()
    }

    internal inner class Connection(private val socket: SSLSocket) {
        private val streams = ConcurrentHashMap<Int, Http2Stream>()

        fun serve() {
            try {
                socket.use {
                    val input = DataInputStream(BufferedInputStream(it.inputStream))
                    input.readFully(ByteArray(PREFACE))
                    frame(SETTINGS, 0, 0, ByteBuffer.allocate(SETTING).putShort(MAX_STREAMS).putInt(limit).array())
                    while (true) read(input)
                }
            } catch (_: IOException) {
                for (stream in streams.values) stream.left()
            }
        }

        private fun read(input: DataInputStream) {
            val length = input.readUnsignedByte() shl 16 or input.readUnsignedShort()
            val type = input.readUnsignedByte()
            val flags = input.readUnsignedByte()
            val id = input.readInt()
            val payload = input.readNBytes(length)
            when (type) {
                DATA -> {
                    if (length > 0) frame(WINDOW_UPDATE, 0, 0, ByteBuffer.allocate(Int.SIZE_BYTES).putInt(length).array())
                    streams[id]?.received(payload)
                    if (flags and END_STREAM != 0) streams[id]?.let(::begin)
                }
                HEADERS -> {
                    val stream = Http2Stream(this, id)
                    streams[id] = stream
                    if (flags and END_STREAM != 0) begin(stream)
                }
                RST_STREAM -> {
                    streams[id]?.left()
                    resets += ByteBuffer.wrap(payload).getInt()
                }
                SETTINGS -> if (flags and ACK == 0) frame(SETTINGS, ACK, 0, ByteArray(0))
                PING -> if (flags and ACK == 0) frame(PING, ACK, 0, payload)
            }
        }

        private fun begin(stream: Http2Stream) {
            requested.incrementAndGet()
            if (running.incrementAndGet() > limit) {
                refused.incrementAndGet()
                stream.reset(Http2Stream.REFUSED_STREAM)
                return ended(stream)
            }
            most.accumulateAndGet(running.get(), ::maxOf)
            thread(isDaemon = true, name = "http2-stream-${stream.id}") {
                try {
                    answer(stream, stream.body)
                } catch (_: IOException) {
                    stream.left() // the client closed the connection
                } finally {
                    ended(stream)
                }
            }
        }

        private fun ended(stream: Http2Stream) {
            if (streams.remove(stream.id) != null) running.decrementAndGet()
        }

        fun frame(type: Int, flags: Int, id: Int, payload: ByteArray): Unit = synchronized(this) {
            val frame = ByteBuffer.allocate(HEADER + payload.size)
            frame.put((payload.size shr 16).toByte()).putShort(payload.size.toShort()).put(type.toByte()).put(flags.toByte()).putInt(id).put(payload)
            socket.outputStream.run {
                write(frame.array())
                flush()
            }
        }

        /** The response is counted as ended before its last frame is sent, which lets the client send the next request. */
        fun lastFrame(stream: Http2Stream, type: Int, flags: Int, payload: ByteArray) {
            ended(stream)
            frame(type, flags, stream.id, payload)
        }

        fun close() = socket.close()
    }

    internal companion object {
        const val DATA = 0
        const val HEADERS = 1
        const val RST_STREAM = 3
        const val SETTINGS = 4
        const val PING = 6
        const val GOAWAY = 7
        const val WINDOW_UPDATE = 8
        const val END_STREAM = 1
        const val ACK = 1
        private const val BACKLOG = 256
        private const val PREFACE = 24
        private const val HEADER = 9
        private const val SETTING = 6
        private const val MAX_STREAMS: Short = 3
    }
}

/** One stream while a test writes the response. */
class Http2Stream internal constructor(private val connection: Http2Server.Connection, val id: Int) {
    private val request = ByteArrayOutputStream()
    private val gone = CountDownLatch(1)

    internal val body: String get() = request.toString(Charsets.UTF_8)

    internal fun received(bytes: ByteArray) = request.write(bytes)

    internal fun left() = gone.countDown()

    /** Writes the head of a response with the status 200. */
    fun head(vararg headers: Pair<String, String> = arrayOf("content-type" to "text/event-stream")) {
        val block = ByteArrayOutputStream()
        block.write(STATUS_200)
        for ((name, value) in headers) {
            block.write(LITERAL)
            for (text in listOf(name, value)) {
                block.write(text.length) // up to 126, not compressed
                block.write(text.encodeToByteArray())
            }
        }
        connection.frame(Http2Server.HEADERS, END_HEADERS, id, block.toByteArray())
    }

    fun write(text: String): Unit = connection.frame(Http2Server.DATA, 0, id, text.encodeToByteArray())

    fun end(): Unit = connection.lastFrame(this, Http2Server.DATA, Http2Server.END_STREAM, ByteArray(0))

    fun respond(vararg pieces: String) {
        head()
        pieces.forEach(::write)
        end()
    }

    fun reset(code: Int): Unit = connection.lastFrame(this, Http2Server.RST_STREAM, 0, ByteBuffer.allocate(Int.SIZE_BYTES).putInt(code).array())

    /** Says that no stream after [last] was worked on. */
    fun goAway(last: Int = 0): Unit = connection.frame(Http2Server.GOAWAY, 0, 0, ByteBuffer.allocate(2 * Int.SIZE_BYTES).putInt(last).putInt(0).array())

    fun closeConnection() = connection.close()

    /** Writes nothing more until the client resets the stream or closes the connection. */
    fun hold(): Unit = gone.await()

    companion object {
        const val INTERNAL_ERROR: Int = 2
        const val REFUSED_STREAM: Int = 7
        const val CANCEL: Int = 8
        private const val END_HEADERS = 4

        /** HPACK: `:status: 200` of the static table; a literal without indexing, with a new name. */
        private const val STATUS_200 = 0x88
        private const val LITERAL = 0
    }
}
