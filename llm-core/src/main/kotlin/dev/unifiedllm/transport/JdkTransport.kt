package dev.unifiedllm.transport

import dev.unifiedllm.transport.error.tlsSettingsError
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.future.await
import kotlinx.coroutines.withTimeoutOrNull
import java.io.IOException
import java.io.UncheckedIOException
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpHeaders
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.ByteBuffer
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage
import java.util.concurrent.Flow
import java.util.concurrent.atomic.AtomicReference
import javax.net.ssl.SSLContext
import kotlin.time.Duration
import kotlin.time.TimeSource

/**
 * Sends requests by the JDK's HTTP client.
 *
 * All bytes that arrived before a connection broke are read before the failure is reported. So a partial response holds everything that arrived, and
 * a response that is complete succeeds however its connection ends. A request that a stale connection lost is sent again, once ([StaleConnections]).
 *
 * @param connectTimeout of requests that set none
 * @param sslContext null for the JDK's default when the first request is sent
 */
internal class JdkTransport(connectTimeout: Duration, sslContext: SSLContext? = null) : Transport {
    private val clients = JdkClients(connectTimeout, sslContext)
    private val stale = StaleConnections()

    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T {
        val uri = URI(request.url)
        val jdk = request.toJdk(uri)
        var exchange = JdkExchange(jdk, client(deadlines, clients::get))
        try {
            val response = try {
                withTimeoutOrNull(deadlines.firstByte) {
                    try {
                        exchange.head.await()
                    } catch (failure: IOException) {
                        if (exchange.sent.elapsedNow() > STALE_WITHIN || !stale.isStale(exchange.client, uri, failure)) throw failure
                        exchange = JdkExchange(jdk, client(deadlines, clients::unpooled))
                        exchange.head.await()
                    }
                } ?: throw deadlines.errors.noResponse(uri.authority, deadlines.firstByte)
            } catch (cancelled: CancellationException) {
                throw cancelled
            } catch (failure: IOException) {
                throw deadlines.errors.exception(failure, uri, deadlines.connect)
            }
            return block(response)
        } finally {
            exchange.end()
        }
    }

    /** One request on its way. */
    private inner class JdkExchange(request: HttpRequest, val client: HttpClient) {
        private val arrived = AtomicReference<JdkResponse?>()
        val sent = TimeSource.Monotonic.markNow()
        val head = CompletableFuture<JdkResponse>()
        private val future = client.sendAsync(request) { info ->
            JdkResponse(info.statusCode(), info.headers()) { stale.completed(client, request.uri()) }.also {
                if (arrived.compareAndSet(null, it)) head.complete(it) else it.end() // the caller has left
            }
        }

        init {
            future.whenComplete { response, failure ->
                if (failure != null) {
                    arrived.get()?.onError(failure)
                    head.completeExceptionally(failure)
                } else if (!head.isDone) {
                    // A proxy refused the tunnel with status 407: the JDK then ignores the body, and calls no body handler.
                    head.complete(JdkResponse(response.statusCode(), response.headers()) {}.also { it.onComplete() })
                }
            }
        }

        fun end() {
            // After the head, cancelling the exchange could close a connection that is in the pool again.
            val response = arrived.getAndSet(LEFT)
            if (response == null) future.cancel(true) else response.end()
        }
    }

    private fun client(deadlines: HeadDeadlines, choose: (Duration?) -> HttpClient): HttpClient = try {
        choose(deadlines.connect)
    } catch (broken: UncheckedIOException) {
        throw tlsSettingsError(broken, deadlines.errors.details)
    }

    private fun TransportRequest.toJdk(uri: URI): HttpRequest {
        val hasBody = method != "GET"
        val publisher = if (hasBody) HttpRequest.BodyPublishers.ofByteArray(body) else HttpRequest.BodyPublishers.noBody()
        val builder = HttpRequest.newBuilder(uri).method(method, publisher)
        // By default the JDK offers h2c to every http:// server; some servers then drop the body.
        builder.version(if (uri.scheme == "https") HttpClient.Version.HTTP_2 else HttpClient.Version.HTTP_1_1)
        for ((name, value) in headers) builder.header(name, value)
        if (hasBody) builder.header("Content-Type", contentType)
        return builder.build()
    }

    override fun close() = Unit // a client of the JDK's ends when it is unreachable and its last exchange has ended
}

/** Stands for the response of an exchange that its caller has left before the head. */
private val LEFT = JdkResponse(0, HttpHeaders.of(emptyMap()) { _, _ -> true }) {}

/**
 * A response that requests its body as it is read. The threads of the JDK's client write, one coroutine reads.
 *
 * @param onEnd called when the whole body has arrived, before the end can be read
 */
private class JdkResponse(override val status: Int, private val headers: HttpHeaders, private val onEnd: () -> Unit) :
    TransportResponse,
    HttpResponse.BodySubscriber<Unit> {
    private val arrived = Channel<List<ByteBuffer>>(Channel.UNLIMITED) // bounded by what one request(1) brings
    private val subscription = AtomicReference<Flow.Subscription?>()
    private var batch: List<ByteBuffer> = emptyList()
    private var next = 0

    override val bytes = ByteArray(READ_BYTES)

    override val isReady: Boolean get() = hasBuffered()

    override val headerNames: Set<String> get() = headers.map().keys

    override fun header(name: String): String? = headers.map()[name]?.firstOrNull() // case-insensitive

    /** Takes as many buffers as fit: a chunked body has one for each chunk. */
    override suspend fun read(): Int {
        if (!hasBuffered() && !awaitMore()) return -1
        var count = 0
        do {
            val buffer = batch[next]
            val length = minOf(buffer.remaining(), bytes.size - count)
            buffer.get(bytes, count, length)
            count += length
        } while (count < bytes.size && hasBuffered())
        return count
    }

    private fun hasBuffered(): Boolean {
        while (true) {
            while (next < batch.size && !batch[next].hasRemaining()) next++
            if (next < batch.size) return true
            batch = arrived.tryReceive().getOrNull() ?: return false
            next = 0
        }
    }

    /** False at the end of the body. */
    private suspend fun awaitMore(): Boolean {
        do {
            subscription.get()?.request(1)
            val received = arrived.receiveCatching()
            received.exceptionOrNull()?.let { throw ConnectionLostException(it) }
            batch = received.getOrNull() ?: return false
            next = 0
        } while (!hasBuffered())
        return true
    }

    /** Ends the exchange; closes the connection unless the body is complete. */
    fun end() {
        subscription.getAndSet(ENDED)?.cancel()
    }

    override fun onSubscribe(subscription: Flow.Subscription) {
        if (this.subscription.compareAndSet(null, subscription)) subscription.request(1) else subscription.cancel()
    }

    override fun onNext(items: List<ByteBuffer>) {
        arrived.trySend(items)
    }

    override fun onError(failure: Throwable) {
        arrived.close(failure)
    }

    override fun onComplete() {
        subscription.set(ENDED) // the connection may carry the next exchange: cancel must not close it
        onEnd()
        arrived.close()
    }

    /** Complete at once: the head is the result, and [read] returns the body. */
    override fun getBody(): CompletionStage<Unit> = CompletableFuture.completedFuture(Unit)

    private companion object {
        const val READ_BYTES = 16 * 1024

        val ENDED = object : Flow.Subscription {
            override fun request(n: Long) = Unit

            override fun cancel() = Unit
        }
    }
}
