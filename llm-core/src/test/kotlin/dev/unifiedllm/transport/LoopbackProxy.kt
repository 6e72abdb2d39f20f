package dev.unifiedllm.transport

import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.SocketException
import java.util.Base64
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.concurrent.thread

/**
 * A proxy on 127.0.0.1 that passes every request on to [target], a port of this machine: by a tunnel for CONNECT, else as it is.
 *
 * @param login "user:password" that it requires; null for none
 * @param refusal bytes with which it answers every request, after which it closes the connection; null: it does not refuse
 */
class LoopbackProxy(private val target: Int, private val login: String? = null, private val refusal: String? = null) : AutoCloseable {
    private val listener = ServerSocket(0, BACKLOG, InetAddress.getByName("127.0.0.1"))
    private val sockets = CopyOnWriteArrayList<Socket>()

    val port: Int get() = listener.localPort

    val address: String = "127.0.0.1:${listener.localPort}"

    /** The heads of the requests, with their lines separated by "\n". */
    val heads: List<String> = CopyOnWriteArrayList()

    private val acceptor = thread(isDaemon = true, name = "proxy-accept") {
        while (true) {
            val socket = try {
                listener.accept()
            } catch (_: SocketException) {
                break
            }
            sockets += socket
            thread(isDaemon = true, name = "proxy-${socket.port}") {
                try {
                    socket.use(::serve)
                } catch (_: IOException) {
                    return@thread // a side has closed its connection
                }
            }
        }
    }

    private fun serve(socket: Socket) {
        val head = readHead(socket.getInputStream()) ?: return
        heads as MutableList += head
        val output = socket.getOutputStream()
        val given = head.lineSequence().firstOrNull { it.startsWith("Proxy-Authorization:", ignoreCase = true) }?.substringAfter(':')?.trim()
        if (refusal != null) return refuse(socket, refusal.encodeToByteArray())
        if (login != null && given != "Basic ${Base64.getEncoder().encodeToString(login.encodeToByteArray())}") {
            return refuse(socket, UNAUTHORIZED)
        }
        Socket("127.0.0.1", target).also { sockets += it }.use { server ->
            if (head.startsWith("CONNECT ")) output.write(OPEN) else server.getOutputStream().write(passedOn(head))
            val back = thread(isDaemon = true) { pump(server.getInputStream(), output, socket) }
            pump(socket.getInputStream(), server.getOutputStream(), server)
            back.join()
        }
    }

    /** What the client still sends is read: else the end of the connection would discard the response. */
    private fun refuse(socket: Socket, response: ByteArray) {
        socket.getOutputStream().write(response)
        socket.shutdownOutput()
        socket.getInputStream().transferTo(OutputStream.nullOutputStream())
    }

    /** The head as a server gets it: the path in place of the URL, and nothing that is for the proxy. */
    private fun passedOn(head: String): ByteArray {
        val (method, url, version) = head.lineSequence().first().split(' ')
        val path = "/" + url.substringAfter("://").substringAfter('/', "")
        val lines = head.trimEnd().lineSequence().drop(1).filterNot { it.startsWith("Proxy-", ignoreCase = true) }
        return (sequenceOf("$method $path $version") + lines).joinToString("\r\n", postfix = "\r\n\r\n").encodeToByteArray()
    }

    private fun pump(from: InputStream, to: OutputStream, end: Socket) {
        try {
            from.transferTo(to)
            end.shutdownOutput()
        } catch (_: IOException) {
            return
        }
    }

    private fun readHead(input: InputStream): String? {
        val head = StringBuilder()
        while (!head.endsWith("\r\n\r\n")) {
            val byte = input.read()
            if (byte < 0) return null
            head.append(byte.toChar())
        }
        return head.toString().replace("\r\n", "\n")
    }

    override fun close() {
        listener.close()
        acceptor.join()
        for (socket in sockets) socket.close()
    }

    private companion object {
        const val BACKLOG = 64
        val OPEN = "HTTP/1.1 200 Connection established\r\n\r\n".encodeToByteArray()
        val UNAUTHORIZED = "HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n".encodeToByteArray()
    }
}
