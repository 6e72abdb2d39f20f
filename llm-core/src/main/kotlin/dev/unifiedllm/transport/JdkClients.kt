package dev.unifiedllm.transport

import java.net.http.HttpClient
import javax.net.ssl.SSLContext
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.toJavaDuration

/**
 * The JDK's HTTP clients, one for each connect timeout: a call may set its own timeout, and the JDK sets it for a whole client.
 *
 * At most [MAX_CLIENTS] are kept, always including the one with [connectTimeout]; of the others the least recently used is dropped. The exchanges of
 * a dropped client end normally. Clients share no connections. Thread-safe.
 *
 * @param sslContext null for the JDK's default when the first client is made
 */
internal class JdkClients(private val connectTimeout: Duration, private val sslContext: SSLContext?) {
    private val threads = HttpThreads()
    private val default = lazy { client(connectTimeout) }
    private val others = object : LinkedHashMap<Duration, HttpClient>(MAX_CLIENTS, LOAD_FACTOR, true) {
        override fun removeEldestEntry(eldest: MutableMap.MutableEntry<Duration, HttpClient>): Boolean = size > MAX_CLIENTS - 1
    }

    /** The client with [connectTimeout]; null for that of all clients. */
    operator fun get(connectTimeout: Duration?): HttpClient {
        if (connectTimeout == null || connectTimeout == this.connectTimeout) return default.value
        return synchronized(others) { others.getOrPut(connectTimeout) { client(connectTimeout) } }
    }

    /**
     * A new client with [connectTimeout], whose first request cannot get a pooled connection: with the JDK there is no other way to a new one.
     *
     * It is for one request. It ends when it is unreachable and its exchange has ended; before JDK 21 it cannot be closed.
     */
    fun unpooled(connectTimeout: Duration?): HttpClient = client(connectTimeout ?: this.connectTimeout)

    private fun client(connectTimeout: Duration): HttpClient = HttpClient.newBuilder()
        .executor(threads)
        .followRedirects(HttpClient.Redirect.NEVER) // a redirect would send the key to another host
        .connectTimeout(connectTimeout.coerceAtMost(LONGEST).toJavaDuration())
        .also { builder -> sslContext?.let(builder::sslContext) }
        .build()

    companion object {
        const val MAX_CLIENTS: Int = 4
        private const val LOAD_FACTOR = 0.75f

        /** The JDK adds the timeout to the current time, which overflows for an infinite one. */
        private val LONGEST = 1.days
    }
}
