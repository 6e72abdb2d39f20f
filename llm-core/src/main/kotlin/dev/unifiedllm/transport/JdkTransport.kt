package dev.unifiedllm.transport

import dev.unifiedllm.transport.error.tlsSettingsError
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeoutOrNull
import java.io.IOException
import java.io.UncheckedIOException
import java.net.ProtocolException
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpConnectTimeoutException
import java.net.http.HttpRequest
import java.nio.ByteBuffer
import java.util.concurrent.CompletionException
import java.util.concurrent.Flow
import java.util.concurrent.atomic.AtomicReference
import javax.net.ssl.SSLContext
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.TimeSource

/**
 * Sends requests by the JDK's HTTP client.
 *
 * All bytes that arrived before a connection broke are read before the failure is reported. So a partial response holds everything that arrived, and
 * a response that is complete succeeds however its connection ends. A request that a stale connection lost is sent again, once ([StaleConnections]).
 *
 * @param connectTimeout of requests that set none. It includes the look-up of the host name, the proxy's part and the TLS handshake
 * @param sslContext null for the JDK's default when the first request is sent
 * @param maxConcurrentStreams how many requests run at a time to one origin over HTTP/2
 * @param idleTime after which the connections of a client that is not used may close
 */
internal class JdkTransport(
    private val connectTimeout: Duration,
    sslContext: SSLContext? = null,
    private val proxies: Proxies = Proxies({ null }),
    maxConcurrentStreams: Int = OriginStreams.DEFAULT,
    idleTime: Duration = JdkClients.IDLE_TIME,
) : Transport {
    private val clients = JdkClients(connectTimeout, sslContext, proxies, idleTime)
    private val stale = StaleConnections()
    private val streams = StreamLimits(maxConcurrentStreams)

    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T {
        val call = JdkCall(request, deadlines)
        try {
            return block(call.response())
        } finally {
            call.end()
        }
    }

    override fun close(): Unit = clients.close()

    /** One request, and the exchanges that carry it. */
    private inner class JdkCall(private val request: TransportRequest, private val deadlines: HeadDeadlines) {
        private val uri = URI(request.url)
        private val errors = deadlines.errors
        private val proxy = proxies.proxyOf(uri, errors.details)
        private val connect = deadlines.connect ?: connectTimeout
        private val origin = streams.of(uri)
        private var stream: OriginStreams.Stream? = null
        private var exchange: JdkExchange? = null

        suspend fun response(): JdkResponse {
            var refusals = 0
            while (true) {
                if (stream == null) stream = origin?.let { it.take(deadlines.firstByte) ?: throw errors.noStream(uri.authority, it.limit, deadlines.firstByte) }
                try {
                    val response = withTimeoutOrNull(deadlines.firstByte) { head() } ?: throw errors.noResponse(uri.authority, deadlines.firstByte)
                    if (response.status == PROXY_LOGIN && proxy != null) throw errors.proxyLogin(uri, proxy.facts)
                    return response
                } catch (cancelled: CancellationException) {
                    throw cancelled
                } catch (failure: IOException) {
                    if (failure.message?.contains(TOO_MANY_STREAMS) != true) {
                        throw errors.exception(failure, uri, connect, proxy?.facts, exchange?.isConnected == true)
                    }
                    // Nothing was sent. A stream that has just ended may still count; if not, the server allows fewer of them.
                    if (refusals++ == 0) {
                        delay(END_OF_STREAM)
                    } else {
                        stream?.lowerLimit()
                        stream = null
                    }
                }
            }
        }

        private suspend fun head(): JdkResponse {
            val first = JdkExchange(this, client(deadlines, clients::use))
            return try {
                head(first)
            } catch (failure: IOException) {
                val isStale = first.sent.elapsedNow() <= STALE_WITHIN && first.client?.let { stale.isStale(it, uri, failure) } == true
                if (!isStale) throw failure
                head(JdkExchange(this, client(deadlines, clients::unpooled)))
            }
        }

        private suspend fun head(next: JdkExchange): JdkResponse {
            exchange?.end()
            exchange = next
            // The JDK's own timeout covers neither the look-up of the host name nor a proxy's wait.
            val head = withTimeoutOrNull(connect) { next.head.await() }
            if (head == null && !next.isConnected) throw HttpConnectTimeoutException("no connection within $connect")
            val response = (head ?: next.head.await()).getOrThrow()
            invalidHead(response.headers)?.let { throw ProtocolException(it) }
            return response
        }

        fun end() {
            exchange?.end()
            stream?.end()
        }

        fun hasVersion(version: HttpClient.Version) {
            stream?.hasVersion(version == HttpClient.Version.HTTP_2)
        }

        fun toJdk(body: WatchedBody): HttpRequest {
            val builder = HttpRequest.newBuilder(uri).method(request.method, body)
            // By default the JDK offers h2c to every http:// server; some servers then drop the body.
            builder.version(if (uri.scheme == "https") HttpClient.Version.HTTP_2 else HttpClient.Version.HTTP_1_1)
            for ((name, value) in request.headers) builder.header(name, value)
            if (request.hasBody) builder.header("Content-Type", request.contentType)
            // The JDK sends this one to the proxy only. An Authenticator of the client would not do: some releases then drop Authorization, the key.
            proxy?.authorization?.let { builder.setHeader("Proxy-Authorization", it) }
            return builder.build()
        }

        val body = if (request.hasBody) HttpRequest.BodyPublishers.ofByteArray(request.body) else HttpRequest.BodyPublishers.noBody()

        fun isComplete(client: HttpClient): Unit = stale.completed(client, uri)
    }

    /** One request on its way. */
    private class JdkExchange(call: JdkCall, pooled: JdkClients.PooledClient) {
        /** Null when this has ended: a pooled connection refers to its last exchange, and no connection may keep its client from being collected. */
        private val pooled = AtomicReference<JdkClients.PooledClient?>(pooled)
        val client: HttpClient? get() = pooled.get()?.client
        val sent = TimeSource.Monotonic.markNow()
        val head = CompletableDeferred<Result<JdkResponse>>()
        private val arrived = AtomicReference<JdkResponse?>()
        private val body = WatchedBody(call.body)
        private val future = try {
            pooled.client.sendAsync(call.toJdk(body)) { info ->
                call.hasVersion(info.version())
                JdkResponse(info.statusCode(), info.headers()) { client?.let(call::isComplete) }.also {
                    if (arrived.compareAndSet(null, it)) head.complete(Result.success(it)) else it.end() // the caller has left
                }
            }
        } catch (failure: Throwable) { // of any type: the request is refused
            pooled.release()
            throw failure
        }

        init {
            future.whenComplete { response, thrown ->
                if (thrown != null) {
                    val failure = if (thrown is CompletionException) thrown.cause ?: thrown else thrown
                    arrived.get()?.onError(failure)
                    head.complete(Result.failure(if (isUnreadable(failure)) ProtocolException(failure.message).initCause(failure) else failure))
                } else if (!head.isCompleted) {
                    // A proxy refused the tunnel with status 407: the JDK then ignores the body, and calls no body handler.
                    head.complete(Result.success(JdkResponse(response.statusCode(), response.headers()) {}.also { it.onComplete() }))
                }
            }
        }

        /** The client fails in this way for a number in the head that it cannot read. */
        private fun isUnreadable(failure: Throwable) =
            failure is IllegalArgumentException || failure is ArithmeticException || failure is IndexOutOfBoundsException

        /** True if the connection was open, so that the request could be sent. */
        val isConnected: Boolean get() = body.isAsked

        fun end() {
            // After the head, cancelling the exchange could close a connection that is in the pool again.
            val response = arrived.getAndSet(LEFT)
            if (response == null) future.cancel(true) else response.end()
            pooled.getAndSet(null)?.release()
        }
    }

    private fun client(deadlines: HeadDeadlines, choose: (Duration?) -> JdkClients.PooledClient): JdkClients.PooledClient = try {
        choose(deadlines.connect)
    } catch (broken: UncheckedIOException) {
        throw tlsSettingsError(broken, deadlines.errors.details)
    }

    private companion object {
        const val PROXY_LOGIN = 407
        const val TOO_MANY_STREAMS = "too many concurrent streams"
        val END_OF_STREAM = 5.milliseconds
    }
}

/** A body that knows whether it was asked for. The JDK's client does so when the connection is open: not before a proxy has let it through. */
private class WatchedBody(private val body: HttpRequest.BodyPublisher) : HttpRequest.BodyPublisher {
    @Volatile
    var isAsked = false
        private set

    override fun contentLength(): Long {
        isAsked = true
        return body.contentLength()
    }

    override fun subscribe(subscriber: Flow.Subscriber<in ByteBuffer>) {
        isAsked = true
        body.subscribe(subscriber)
    }
}

/** A GET request has no body. */
private val TransportRequest.hasBody: Boolean get() = method != "GET"
