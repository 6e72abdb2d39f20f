package dev.unifiedllm.transport

import dev.unifiedllm.transport.error.networkError
import dev.unifiedllm.transport.error.tlsSettingsError
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.future.await
import kotlinx.coroutines.withTimeoutOrNull
import java.io.UncheckedIOException
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.ByteBuffer
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage
import java.util.concurrent.Flow
import java.util.concurrent.atomic.AtomicReference
import javax.net.ssl.SSLContext
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/**
 * The JDK's client. What arrived before a connection broke is read before the break is: a cut answer's partial is all that came, and a complete
 * answer is complete however its connection ends.
 *
 * @param sslContext null for the JDK's default when the first request is sent
 */
internal class JdkTransport(connectTimeout: Duration, sslContext: SSLContext? = null) : Transport {
    private val client = lazy {
        HttpClient.newBuilder()
            .followRedirects(HttpClient.Redirect.NEVER) // a redirect would carry the key to another host
            .connectTimeout(connectTimeout.toJavaDuration())
            .also { builder -> sslContext?.let(builder::sslContext) }
            .build()
    }

    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T {
        val uri = URI(request.url)
        val arrived = AtomicReference<JdkResponse?>()
        val head = CompletableFuture<JdkResponse>()
        val exchange = client(deadlines).sendAsync(request.toJdk(uri)) { info ->
            JdkResponse(info).also {
                arrived.set(it)
                head.complete(it)
            }
        }
        exchange.whenComplete { _, failure ->
            if (failure == null) return@whenComplete
            arrived.get()?.onError(failure)
            head.completeExceptionally(failure)
        }
        try {
            val response = try {
                withTimeoutOrNull(deadlines.firstByte) { head.await() } ?: throw deadlines.expired(uri.authority)
            } catch (cancelled: CancellationException) {
                throw cancelled
            } catch (failure: java.io.IOException) {
                throw networkError(failure, uri, deadlines.details)
            }
            return block(response)
        } finally {
            // Once the head is there, cancelling the exchange could close a connection that has already gone back to the pool.
            arrived.get()?.leave() ?: exchange.cancel(true)
        }
    }

    private fun client(deadlines: HeadDeadlines): HttpClient = try {
        client.value
    } catch (broken: UncheckedIOException) {
        throw tlsSettingsError(broken, deadlines.details)
    }

    private fun TransportRequest.toJdk(uri: URI): HttpRequest {
        val hasBody = method != "GET"
        val publisher = if (hasBody) HttpRequest.BodyPublishers.ofByteArray(body) else HttpRequest.BodyPublishers.noBody()
        val builder = HttpRequest.newBuilder(uri).method(method, publisher)
        // An offer of h2c makes some servers drop the body, and the JDK's client makes one to every http:// server unless told otherwise.
        builder.version(if (uri.scheme == "https") HttpClient.Version.HTTP_2 else HttpClient.Version.HTTP_1_1)
        for ((name, value) in headers) builder.header(name, value)
        if (hasBody) builder.header("Content-Type", contentType)
        return builder.build()
    }

    override fun close() = Unit // the JDK's client ends when nobody refers to it and its last exchange has ended
}

/** A response whose body is asked for as it is read. The client's threads write, one coroutine reads. */
private class JdkResponse(private val info: HttpResponse.ResponseInfo) : TransportResponse, HttpResponse.BodySubscriber<Unit> {
    private val arrived = Channel<ByteBuffer>(Channel.UNLIMITED) // as much as one request for more brings
    private val subscription = AtomicReference<Flow.Subscription?>()
    private var current: ByteBuffer? = null

    override val status: Int get() = info.statusCode()

    override val bytes = ByteArray(READ_BYTES)

    override val isReady: Boolean get() = buffered() != null

    override fun header(name: String): String? = info.headers().firstValue(name).orElse(null)

    override suspend fun read(): Int {
        val buffer = buffered() ?: awaitMore() ?: return -1
        val count = minOf(buffer.remaining(), bytes.size)
        buffer.get(bytes, 0, count)
        return count
    }

    private fun buffered(): ByteBuffer? {
        if (current?.hasRemaining() != true) current = arrived.tryReceive().getOrNull()
        return current
    }

    private suspend fun awaitMore(): ByteBuffer? {
        subscription.get()?.request(1)
        val next = arrived.receiveCatching()
        next.exceptionOrNull()?.let { throw ConnectionLostException(it) }
        current = next.getOrNull()
        return current
    }

    /** Ends the exchange; closes the connection unless the body has been read to its end. */
    fun leave() {
        subscription.getAndSet(LEFT)?.cancel()
    }

    override fun onSubscribe(subscription: Flow.Subscription) {
        if (this.subscription.compareAndSet(null, subscription)) subscription.request(1) else subscription.cancel()
    }

    override fun onNext(items: List<ByteBuffer>) {
        for (item in items) if (item.hasRemaining()) arrived.trySend(item)
        if (items.none { it.hasRemaining() }) subscription.get()?.request(1)
    }

    override fun onError(failure: Throwable) {
        arrived.close(failure)
    }

    override fun onComplete() {
        subscription.set(LEFT) // the connection may serve again: it is not ours to cancel
        arrived.close()
    }

    /** At once: the head is the result, the body comes by [read]. */
    override fun getBody(): CompletionStage<Unit> = CompletableFuture.completedFuture(Unit)

    private companion object {
        const val READ_BYTES = 16 * 1024

        val LEFT = object : Flow.Subscription {
            override fun request(n: Long) = Unit

            override fun cancel() = Unit
        }
    }
}
