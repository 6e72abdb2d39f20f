package dev.unifiedllm.transport

import dev.unifiedllm.transport.error.networkError
import dev.unifiedllm.transport.error.tlsSettingsError
import io.ktor.client.HttpClient
import io.ktor.client.engine.java.Java
import io.ktor.client.request.header
import io.ktor.client.request.prepareRequest
import io.ktor.client.request.setBody
import io.ktor.client.statement.HttpResponse
import io.ktor.client.statement.bodyAsChannel
import io.ktor.http.ContentType
import io.ktor.http.HttpMethod
import io.ktor.http.content.ByteArrayContent
import io.ktor.utils.io.ByteReadChannel
import io.ktor.utils.io.availableForRead
import io.ktor.utils.io.readAvailable
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.io.IOException
import java.io.UncheckedIOException
import java.net.URI
import java.nio.channels.UnresolvedAddressException
import javax.net.ssl.SSLContext
import kotlin.coroutines.ContinuationInterceptor
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.time.Duration
import kotlin.time.toJavaDuration
import java.net.http.HttpClient as JdkClient

/**
 * Ktor's client over the JDK's: one instance for http, one for https, each made when it is first needed.
 *
 * Its engine throws away what has arrived when a connection breaks, and does not close one that is cancelled before its head: hence
 * [JdkTransport] is the default.
 *
 * @param sslContext null for the JDK's default when the first request is sent
 */
internal class KtorTransport(private val connectTimeout: Duration, private val sslContext: SSLContext? = null) : Transport {
    // An offer of h2c makes some servers drop the body, and the JDK's client makes one to every http:// server unless told otherwise.
    private val plain = lazy { client(JdkClient.Version.HTTP_1_1) }
    private val encrypted = lazy { client(JdkClient.Version.HTTP_2) }

    private val threads = Dispatchers.IO.limitedParallelism(THREADS, "unified-llm-http") // callers may block all of their own

    private fun client(version: JdkClient.Version) = HttpClient(Java) {
        expectSuccess = false
        followRedirects = false // a redirect would carry the key to another host
        engine {
            dispatcher = threads
            protocolVersion = version
            config {
                connectTimeout(connectTimeout.toJavaDuration())
                this@KtorTransport.sslContext?.let { sslContext(it) }
            }
        }
    }

    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T {
        val client = if (request.url.startsWith("https://")) encrypted.value else plain.value
        val home = currentCoroutineContext()[ContinuationInterceptor] ?: EmptyCoroutineContext
        var begun = false
        val uri = URI(request.url)
        try {
            return coroutineScope {
                val deadline = launch {
                    delay(deadlines.firstByte)
                    throw FirstByteExpired()
                }
                val statement = client.prepareRequest(request.url) {
                    method = HttpMethod(request.method)
                    for ((name, value) in request.headers) header(name, value)
                    if (request.method != "GET") setBody(ByteArrayContent(request.body, ContentType.parse(request.contentType)))
                }
                statement.execute { response ->
                    deadline.cancel()
                    begun = true
                    withContext(home) { block(KtorResponse(response, response.bodyAsChannel())) } // the engine's dispatcher is not the caller's
                }
            }
        } catch (expired: FirstByteExpired) {
            throw deadlines.expired(uri.authority, expired)
        } catch (broken: UncheckedIOException) {
            throw if (begun) broken else tlsSettingsError(broken, deadlines.details)
        } catch (failure: IOException) {
            throw if (begun) failure else networkError(failure, uri, deadlines.details)
        } catch (failure: UnresolvedAddressException) {
            throw if (begun) failure else networkError(failure, uri, deadlines.details)
        }
    }

    override fun close() {
        for (client in listOf(plain, encrypted)) if (client.isInitialized()) client.value.close()
    }
}

/** Thrown by the timer beside a request. Not a CancellationException: it must end the scope. */
private class FirstByteExpired : RuntimeException("no response in time", null, false, false)

private const val THREADS = 16
private const val READ_BYTES = 16 * 1024

private class KtorResponse(private val response: HttpResponse, private val channel: ByteReadChannel) : TransportResponse {
    override val status: Int get() = response.status.value

    override fun header(name: String): String? = response.headers[name]

    override val bytes = ByteArray(READ_BYTES)

    override suspend fun read(): Int = try {
        channel.readAvailable(bytes, 0, bytes.size)
    } catch (cancelled: CancellationException) {
        throw cancelled
    } catch (failure: IOException) {
        throw ConnectionLostException(failure)
    }

    override val isReady: Boolean get() = channel.availableForRead > 0
}
