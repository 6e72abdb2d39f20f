package dev.unifiedllm.faults

import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread

/** A server on 127.0.0.1 below HTTP and TLS: [serve] gets each connection, which is closed after it. Its [url] has the scheme https. */
internal class RawServer(private val serve: (Socket) -> Unit) : AutoCloseable {
    private val listener = ServerSocket(0, BACKLOG, InetAddress.getByName("127.0.0.1"))
    private val sockets = CopyOnWriteArrayList<Socket>()
    private val count = AtomicInteger()

    val url: String = "https://127.0.0.1:${listener.localPort}"

    val connections: Int get() = count.get()

    private val acceptor = thread(isDaemon = true, name = "raw-accept") {
        while (true) {
            val socket = try {
                listener.accept()
            } catch (_: IOException) {
                break // closed
            }
            sockets += socket
            count.incrementAndGet()
            thread(isDaemon = true, name = "raw-${socket.port}") { serveOne(socket) }
        }
    }

    private fun serveOne(socket: Socket) {
        try {
            socket.use(serve)
        } catch (_: IOException) {
            return // the client has left
        }
    }

    override fun close() {
        listener.close()
        acceptor.join()
        for (socket in sockets) socket.close()
    }

    private companion object {
        const val BACKLOG = 64
    }
}
