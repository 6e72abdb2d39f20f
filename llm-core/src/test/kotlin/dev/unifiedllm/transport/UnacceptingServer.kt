package dev.unifiedllm.transport

import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.SocketTimeoutException

/** An address on 127.0.0.1 that neither accepts nor refuses a connection: the queue of its listener is full. */
class UnacceptingServer : AutoCloseable {
    private val listener = ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))
    private val waiting = mutableListOf<Socket>()

    val url: String = "http://127.0.0.1:${listener.localPort}"

    init {
        check(generateSequence { connect() }.take(MOST).any { !it }) { "$url accepts connections although nothing calls accept()" }
    }

    private fun connect(): Boolean {
        val socket = Socket()
        waiting += socket
        return try {
            socket.connect(listener.localSocketAddress, MILLIS)
            true
        } catch (_: SocketTimeoutException) {
            false
        }
    }

    override fun close() {
        for (socket in waiting) {
            try {
                socket.close()
            } catch (_: IOException) {
                continue
            }
        }
        listener.close()
    }

    private companion object {
        const val MOST = 100
        const val MILLIS = 300
    }
}
