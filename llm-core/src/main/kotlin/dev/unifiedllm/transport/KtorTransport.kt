package dev.unifiedllm.transport

import dev.unifiedllm.LlmException
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.transport.error.PROXY_REMEDY
import dev.unifiedllm.transport.error.tlsSettingsError
import io.ktor.client.HttpClient
import io.ktor.client.network.sockets.ConnectTimeoutException
import io.ktor.client.network.sockets.SocketTimeoutException
import io.ktor.client.plugins.HttpRequestTimeoutException
import io.ktor.client.request.HttpRequestBuilder
import io.ktor.client.request.HttpSendPipeline
import io.ktor.client.request.header
import io.ktor.client.request.prepareRequest
import io.ktor.client.request.setBody
import io.ktor.client.statement.HttpResponse
import io.ktor.client.statement.bodyAsChannel
import io.ktor.http.ContentType
import io.ktor.http.HttpMethod
import io.ktor.http.content.ByteArrayContent
import io.ktor.util.AttributeKey
import io.ktor.utils.io.ByteReadChannel
import io.ktor.utils.io.availableForRead
import io.ktor.utils.io.readAvailable
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableJob
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import java.io.IOException
import java.io.UncheckedIOException
import java.net.URI
import java.nio.channels.UnresolvedAddressException
import kotlin.coroutines.ContinuationInterceptor
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.TimeSource

/**
 * Sends requests by a Ktor client of the user's own, which stays the user's to close.
 *
 * They go through a client derived from it, which has the same engine and plugins, but follows no redirects and does not throw on error statuses.
 */
internal class KtorTransport(client: HttpClient) : Transport {
    private val stale = StaleConnections()
    private val derived = lazy {
        client.config {
            expectSuccess = false
            followRedirects = false // a redirect would send the key to another host
        }.also { it.sendPipeline.intercept(HttpSendPipeline.Before) { context.requireFirstHost() } }
    }

    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T {
        val uri = URI(request.url)
        val sent = TimeSource.Monotonic.markNow()
        val first = KtorExchange(request, uri, deadlines.firstByte, block)
        val failure = first.run() ?: return first.result()
        // The client is the user's, so there is no other pool to send it by; Ktor's Java engine is the one that neither retries nor reports a reuse.
        if (sent.elapsedNow() > STALE_WITHIN || !stale.isStale(derived.value, uri, failure)) throw exception(failure, uri, deadlines)
        val second = KtorExchange(request, uri, deadlines.firstByte - sent.elapsedNow(), block)
        throw exception(second.run() ?: return second.result(), uri, deadlines)
    }

    /** One request on its way. */
    private inner class KtorExchange<T>(
        private val request: TransportRequest,
        private val uri: URI,
        private val firstByte: Duration,
        private val block: suspend (TransportResponse) -> T,
    ) {
        private var outcome: Result<T>? = null

        /** What [block] returned or threw. Ktor may throw something else, such as the cause of the exception, or the failure of its clean-up. */
        fun result(): T = outcome!!.getOrThrow()

        /** Returns what went wrong before the head of a response arrived; null if [block] has run, and there is a [result]. */
        suspend fun run(): Throwable? = try {
            send()
            null
        } catch (failure: Throwable) { // of any type: a plugin of the user's may throw anything
            currentCoroutineContext().ensureActive() // Ktor replaces the exception of a cancelled caller by its cause
            if (outcome == null) failure else null
        }

        private suspend fun send() = coroutineScope {
            val caller = currentCoroutineContext()[ContinuationInterceptor] ?: EmptyCoroutineContext
            val deadline = launch {
                delay(firstByte)
                throw FirstByteExpired()
            }
            val statement = derived.value.prepareRequest(request.url) {
                method = HttpMethod(request.method)
                attributes.put(FIRST_HOST, FirstHost())
                for ((name, value) in request.headers) header(name, value)
                if (request.method != "GET") setBody(ByteArrayContent(request.body, ContentType.parse(request.contentType)))
            }
            statement.execute { response ->
                deadline.cancel()
                val body = body(response)
                try {
                    outcome = Result.success(withContext(caller) { block(body) }) // not on the dispatcher of the engine
                } catch (failure: Throwable) { // of any type: it is the caller's
                    outcome = Result.failure(failure)
                    throw failure // ends the exchange
                }
            }
        }

        private suspend fun body(response: HttpResponse): KtorResponse = try {
            KtorResponse(response, response.bodyAsChannel(), null) { stale.completed(derived.value, uri) }
        } catch (failure: Exception) { // the connection broke after the head
            currentCoroutineContext().ensureActive()
            KtorResponse(response, ByteReadChannel.Empty, failure) {}
        }
    }

    private val isClosed: Boolean get() = !derived.value.coroutineContext.job.isActive

    /** The exception for a request that failed with [failure] before the head. One that is neither the engine's nor Ktor's is thrown as it is. */
    private fun exception(failure: Throwable, uri: URI, deadlines: HeadDeadlines): Throwable {
        val cause = deadlines.errors.withoutKey(failure) // Ktor's messages have the URL, and the JDK's a line of the response
        return exception(failure, cause, uri, deadlines)
    }

    private fun exception(failure: Throwable, cause: Throwable, uri: URI, deadlines: HeadDeadlines): Throwable = when {
        failure is FirstByteExpired -> deadlines.errors.noResponse(uri.authority, deadlines.firstByte, cause)
        failure is OtherHostException -> LlmException.Configuration(
            "${deadlines.errors.details.model} cannot be called: a plugin of your Ktor client sends the request on to ${failure.host}, and the key with it. " +
                "Remove HttpRedirect from that client.",
            cause,
            deadlines.errors.details,
        )
        isClosed -> LlmException.Configuration(
            "${deadlines.errors.details.model} cannot be called: the Ktor client that was passed to httpClient is closed. Pass an open one.",
            cause,
            deadlines.errors.details,
        )
        failure is UncheckedIOException -> tlsSettingsError(failure, deadlines.errors.details)
        uri.scheme == "https" && failure is CancellationException && failure.message == NO_RESPONSE -> LlmException.Network(
            "${deadlines.errors.details.model} cannot be reached: the proxy of your Ktor client requires a login for ${uri.authority} (status 407). " +
                PROXY_REMEDY,
            LlmException.Network.Phase.PROXY,
            cause,
            deadlines.errors.details,
        )
        failure is ConnectTimeoutException -> deadlines.errors.noConnection(uri.authority, null, cause, "raise the connect timeout of your Ktor client")
        failure is HttpRequestTimeoutException || failure is SocketTimeoutException -> LlmException.Timeout(
            "${deadlines.errors.details.model} at ${uri.authority} sent no response within the timeout of your Ktor client. Raise that timeout" +
                OR_ADD_A_FALLBACK,
            LlmException.Timeout.Phase.FIRST_BYTE,
            cause,
            deadlines.errors.details,
        )
        // A CancellationException: a plugin or the engine has cancelled the request. A NumberFormatException: a Content-Length that is not a number.
        failure is IOException || failure is CancellationException || failure is UnresolvedAddressException || failure is NumberFormatException ->
            deadlines.errors.exception(failure, uri)
        else -> failure
    }

    /** Completes the derived client. Its own close() would close the engine and the plugins' resources, which are the user's. */
    override fun close() {
        if (derived.isInitialized()) (derived.value.coroutineContext.job as CompletableJob).complete()
    }
}

/** Thrown by the timer beside a request. Not a CancellationException: it must end the scope. */
private class FirstByteExpired : RuntimeException("no response in time", null, false, false)

private class OtherHostException(val host: String) : IOException("the request was sent on to $host")

/** The host that a request went to first. Copies of the request, which retries and redirects send, share it. */
private class FirstHost(@Volatile var name: String? = null)

private val FIRST_HOST = AttributeKey<FirstHost>("unified-llm first host")

/** Fails if this request went to another host before: a plugin of the user's follows a redirect. */
private fun HttpRequestBuilder.requireFirstHost() {
    val first = attributes.getOrNull(FIRST_HOST) ?: return
    val host = "${url.protocol.name}://${url.host}:${url.port}"
    if (first.name == null) first.name = host
    if (first.name != host) throw OtherHostException(url.host)
}

/** The words of Ktor's Java engine for the status 407 of a proxy to CONNECT, for which the JDK's client calls no body handler. */
private const val NO_RESPONSE = "Failed to execute request"

private const val READ_BYTES = 16 * 1024

/** The longest wait for the engine's part of a response whose body has ended. */
private val SETTLE_TIME = 50.milliseconds

/**
 * @param broken what broke the connection after the head; null if nothing has
 * @param onEnd called when the whole body has been read
 */
private class KtorResponse(
    private val response: HttpResponse,
    private val channel: ByteReadChannel,
    private val broken: Throwable?,
    private val onEnd: () -> Unit,
) : TransportResponse {
    override val status: Int get() = response.status.value

    override val headerNames: Set<String> get() = response.headers.names()

    override fun header(name: String): String? = response.headers[name]

    override val bytes = ByteArray(READ_BYTES)

    override suspend fun read(): Int = try {
        val count = channel.readAvailable(bytes, 0, bytes.size)
        if (count < 0) {
            (broken ?: channel.closedCause ?: engineFailure())?.let { throw ConnectionLostException(it) }
            onEnd()
        }
        count
    } catch (cancelled: CancellationException) {
        currentCoroutineContext().ensureActive() // else a plugin or the engine has cancelled the request, such as HttpTimeout
        throw ConnectionLostException(cancelled)
    } catch (failure: IOException) {
        throw ConnectionLostException(failure)
    }

    /** What the engine failed with: Ktor's Java engine may close the channel as if the body were complete, and cancel the response after that. */
    private suspend fun engineFailure(): Throwable? {
        val job = response.coroutineContext.job
        withTimeoutOrNull(SETTLE_TIME) { for (child in job.children) child.join() }
        return if (job.isCancelled) IOException("the engine cancelled the response") else null
    }

    /** A channel that broke is ready: [read] throws what broke it. */
    override val isReady: Boolean
        get() = try {
            channel.availableForRead > 0
        } catch (_: IOException) {
            true
        } catch (_: CancellationException) { // of the response, not of the caller: this does not suspend
            true
        }
}
