package dev.unifiedllm.e2e

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import java.io.IOException
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse
import java.net.http.HttpResponse.BodyHandlers
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.Executors

/** A server in front of [target] that passes every request and response on, and keeps what was sent: aimock's journal has only the parts that it reads. */
internal class Relay(private val target: String) : AutoCloseable {
    private class Sent(val testId: String?, val body: String)

    private val sent = CopyOnWriteArrayList<Sent>()
    private val threads = Executors.newCachedThreadPool { task -> Thread(task).apply { isDaemon = true } }
    private val client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0).apply {
        executor = threads
        createContext("/", ::pass)
        start()
    }

    val url: String = "http://127.0.0.1:${server.address.port}"

    /** The bodies of the requests with this test id, in their order. */
    fun bodies(testId: String): List<String> = sent.filter { it.testId == testId }.map { it.body }

    /** The bodies of the requests that contain [text], in their order. */
    fun bodiesWith(text: String): List<String> = sent.map { it.body }.filter { text in it }

    private fun pass(exchange: HttpExchange) = exchange.use {
        val body = exchange.requestBody.readBytes()
        sent += Sent(exchange.requestHeaders.getFirst("X-Test-Id"), body.decodeToString())
        val publisher = if (exchange.requestMethod == "GET") BodyPublishers.noBody() else BodyPublishers.ofByteArray(body)
        val request = HttpRequest.newBuilder(URI(target + exchange.requestURI)).method(exchange.requestMethod, publisher)
        for ((name, values) in exchange.requestHeaders) if (name.lowercase() !in OF_CONNECTION) values.forEach { request.header(name, it) }
        answer(exchange, client.send(request.build(), BodyHandlers.ofInputStream()))
    }

    private fun answer(exchange: HttpExchange, response: HttpResponse<java.io.InputStream>) {
        for ((name, values) in response.headers().map()) if (name.lowercase() !in OF_CONNECTION) exchange.responseHeaders[name] = values
        exchange.sendResponseHeaders(response.statusCode(), 0)
        val buffer = ByteArray(BUFFER)
        try {
            response.body().use { input ->
                while (true) {
                    val count = input.read(buffer)
                    if (count < 0) break
                    exchange.responseBody.write(buffer, 0, count)
                    exchange.responseBody.flush()
                }
            }
        } catch (_: IOException) {
            // the client left
        }
    }

    private inline fun HttpExchange.use(block: () -> Unit) = try {
        block()
    } finally {
        close()
    }

    override fun close() {
        server.stop(0)
        threads.shutdownNow()
    }

    private companion object {
        const val BUFFER = 8192
        val OF_CONNECTION = setOf("connection", "content-length", "expect", "host", "http2-settings", "transfer-encoding", "upgrade", "date", ":status")
    }
}
