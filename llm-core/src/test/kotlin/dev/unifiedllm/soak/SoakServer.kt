package dev.unifiedllm.soak

import java.io.IOException
import java.net.InetSocketAddress
import java.net.StandardSocketOptions
import java.nio.ByteBuffer
import java.nio.channels.SelectionKey
import java.nio.channels.Selector
import java.nio.channels.ServerSocketChannel
import java.nio.channels.SocketChannel
import java.util.PriorityQueue
import java.util.concurrent.atomic.AtomicLong
import kotlin.concurrent.thread
import kotlin.time.Duration

/** What a [SoakServer] does next on a connection. After the last step the connection waits for its next request. */
internal sealed interface Step {
    class Send(val bytes: ByteArray) : Step {
        constructor(text: String) : this(text.encodeToByteArray())
    }

    class Wait(val time: Duration) : Step

    /** Runs [action] on the thread of the server when the steps before have been passed to the network. */
    class Run(val action: () -> Unit) : Step

    /** Writes nothing until the client closes the connection. */
    data object Hold : Step

    /** Closes the connection with FIN. */
    data object Close : Step

    /** Closes the connection with RST. */
    data object Reset : Step
}

/** A request to a [SoakServer]. Its prompt has the number of the call between two `#`: see [prompt]. */
internal class SoakRequest(val body: String) {
    val number: Int = body.substringAfter('#').substringBefore('#').toInt()
    val isStream: Boolean get() = "\"stream\":true" in body
}

/** The prompt of call number [call]. */
internal fun prompt(call: Int): String = "#$call#"

/**
 * A server on 127.0.0.1 with one thread for all connections, so that thousands of them take no threads. It reads from [answer]'s iterator only what the
 * client takes.
 *
 * @param left called when a client closes a connection before the response to [SoakRequest] is over
 * @param answer called on the thread of the server, once for each request
 */
internal class SoakServer(private val left: (SoakRequest) -> Unit = {}, private val answer: (SoakRequest) -> Iterator<Step>) : AutoCloseable {
    private val selector = Selector.open()
    private val listener = ServerSocketChannel.open().bind(InetSocketAddress("127.0.0.1", 0), BACKLOG)
    private val waiting = PriorityQueue<Waiting>(compareBy { it.until })
    private val requests = AtomicLong()
    private val bytes = AtomicLong()

    @Volatile
    private var isClosed = false

    @Volatile
    private var failure: Throwable? = null

    /** Without a slash at its end. */
    val url: String = "http://127.0.0.1:${listener.socket().localPort}"

    /** How many requests have been received. */
    val received: Long get() = requests.get()

    /** How many bytes of responses have been passed to the network. */
    val sent: Long get() = bytes.get()

    private val worker = thread(isDaemon = true, name = "soak-server") { serve() }

    /** @throws Throwable what [answer] or one of its steps has thrown */
    override fun close() {
        isClosed = true
        selector.wakeup()
        worker.join()
        failure?.let { throw it }
    }

    private fun serve() {
        try {
            listener.configureBlocking(false)
            listener.register(selector, SelectionKey.OP_ACCEPT)
            while (!isClosed) {
                select()
                for (key in selector.selectedKeys()) {
                    val connection = key.attachment() as Connection?
                    if (connection == null) accept() else connection.onReady()
                }
                selector.selectedKeys().clear()
                resume()
            }
        } catch (thrown: Throwable) { // of any type: close() throws it
            failure = thrown
        } finally {
            selector.keys().forEach { it.channel().close() }
            selector.close()
        }
    }

    private fun select() {
        val next = waiting.peek() ?: return selector.select().let { }
        val millis = (next.until - System.nanoTime() + NANOS - 1) / NANOS
        if (millis > 0) selector.select(millis) else selector.selectNow()
    }

    private fun accept() {
        while (true) Connection(listener.accept() ?: return)
    }

    private fun resume() {
        val now = System.nanoTime()
        while (true) {
            if ((waiting.peek() ?: return).until > now) return
            waiting.remove().connection.onResume()
        }
    }

    private class Waiting(val until: Long, val connection: Connection)

    private inner class Connection(private val channel: SocketChannel) {
        private val key: SelectionKey
        private val input = ByteBuffer.allocate(LARGEST_REQUEST)
        private var output: ByteBuffer? = null
        private var request: SoakRequest? = null
        private var steps: Iterator<Step>? = null

        init {
            channel.configureBlocking(false)
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true)
            key = channel.register(selector, SelectionKey.OP_READ, this)
        }

        fun onReady() = guarded {
            if (key.isValid && key.isReadable) read()
            if (key.isValid && key.isWritable) go()
        }

        fun onResume() = guarded { if (channel.isOpen) go() }

        private inline fun guarded(block: () -> Unit) {
            try {
                block()
            } catch (_: IOException) {
                leave()
            }
        }

        private fun read() {
            while (true) {
                check(input.hasRemaining()) { "a request is longer than $LARGEST_REQUEST bytes" }
                val count = channel.read(input)
                if (count < 0) return leave()
                if (count == 0) break
            }
            if (steps == null) begin()
        }

        private fun begin() {
            val body = takeBody() ?: return
            requests.incrementAndGet()
            val next = SoakRequest(body)
            request = next
            steps = answer(next)
            go()
        }

        /** The body of the request, once it has arrived. */
        private fun takeBody(): String? {
            val text = String(input.array(), 0, input.position(), Charsets.ISO_8859_1)
            val end = text.indexOf("\r\n\r\n")
            if (end < 0) return null
            val length = LENGTH.find(text.substring(0, end))?.groupValues?.get(1)?.toInt() ?: 0
            val start = end + HEAD_END
            if (text.length < start + length) return null
            input.flip().position(start + length)
            input.compact()
            return text.substring(start, start + length)
        }

        /** At most [TURN] bytes, so that all connections get their turn. */
        private fun go() {
            var left = TURN
            while (left > 0) {
                output?.let {
                    val count = channel.write(it)
                    bytes.addAndGet(count.toLong())
                    left -= count
                    if (it.hasRemaining()) return want(SelectionKey.OP_WRITE)
                    output = null
                }
                if (!next()) return
            }
            want(SelectionKey.OP_WRITE)
        }

        /** Does the next step. False if nothing is to be written now. */
        private fun next(): Boolean {
            val steps = steps ?: return false
            if (!steps.hasNext()) {
                this.steps = null
                request = null
                want(0)
                begin()
                return false
            }
            val step = steps.next()
            when (step) {
                is Step.Send -> output = ByteBuffer.wrap(step.bytes)
                is Step.Run -> step.action()
                is Step.Wait -> waiting += Waiting(System.nanoTime() + step.time.inWholeNanoseconds, this)
                Step.Hold -> Unit
                Step.Close -> end()
                Step.Reset -> {
                    channel.setOption(StandardSocketOptions.SO_LINGER, 0)
                    end()
                }
            }
            if (step is Step.Send || step is Step.Run) return true
            if (channel.isOpen) want(0)
            return false
        }

        private fun want(operations: Int) {
            key.interestOps(SelectionKey.OP_READ or operations)
        }

        private fun leave() {
            val cut = request
            end()
            cut?.let(left)
        }

        private fun end() {
            request = null
            steps = null
            channel.close() // done by the next select
        }
    }

    private companion object {
        const val BACKLOG = 4096
        const val LARGEST_REQUEST = 16 * 1024
        const val TURN = 4 * 1024
        const val NANOS = 1_000_000L
        const val HEAD_END = 4
        val LENGTH = Regex("(?i)content-length: *(\\d+)")
    }
}
