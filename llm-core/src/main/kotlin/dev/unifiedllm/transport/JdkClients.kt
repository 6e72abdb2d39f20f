package dev.unifiedllm.transport

import java.lang.ref.WeakReference
import java.net.ProxySelector
import java.net.http.HttpClient
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit.MILLISECONDS
import javax.net.ssl.SSLContext
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlin.time.toJavaDuration

/**
 * The JDK's HTTP clients, one for each connect timeout: a call may set its own timeout, and the JDK sets it for a whole client.
 *
 * At most [MAX_CLIENTS] are kept, always including the one with [connectTimeout]; of the others the least recently used is dropped. A client that has not
 * been used for [idleTime] is dropped as well, since the JDK keeps each connection of its pool for minutes. The exchanges of a dropped client end normally.
 * Its connections close when it is closed, or collected where the JDK has no close (before 21). Clients share no connections. Thread-safe.
 *
 * @param sslContext null for the JDK's default when the first client is made
 * @param proxies null for the JDK's default
 */
internal class JdkClients(
    private val connectTimeout: Duration,
    private val sslContext: SSLContext?,
    private val proxies: ProxySelector? = null,
    private val idleTime: Duration = IDLE_TIME,
) : AutoCloseable {
    private val threads = HttpThreads()
    private val pooled = LinkedHashMap<Duration, PooledClient>(MAX_CLIENTS, LOAD_FACTOR, true)
    private var isWatched = false

    /** How many clients are kept now. */
    val size: Int get() = synchronized(pooled) { pooled.size }

    /** The client with [connectTimeout]; null for that of all clients. */
    operator fun get(connectTimeout: Duration?): HttpClient = synchronized(pooled) { pooledClient(connectTimeout) }.client

    /** The client with [connectTimeout], which is in use until its [PooledClient.release]. */
    fun use(connectTimeout: Duration?): PooledClient = synchronized(pooled) { pooledClient(connectTimeout).also { it.running++ } }

    /**
     * A new client with [connectTimeout], whose first request cannot get a pooled connection: with the JDK there is no other way to a new one.
     *
     * It is for one request. It ends when it is unreachable and its exchange has ended; before JDK 21 it cannot be closed.
     */
    fun unpooled(connectTimeout: Duration?): PooledClient = PooledClient(client(connectTimeout ?: this.connectTimeout), false)

    private fun pooledClient(connectTimeout: Duration?): PooledClient {
        val key = connectTimeout ?: this.connectTimeout
        return pooled[key] ?: PooledClient(client(key), true).also {
            pooled[key] = it
            if (pooled.size > MAX_CLIENTS) pooled.keys.first { other -> other != this.connectTimeout && other != key }.let(pooled::remove)
        }
    }

    private fun client(connectTimeout: Duration): HttpClient = HttpClient.newBuilder()
        .executor(threads)
        .followRedirects(HttpClient.Redirect.NEVER) // a redirect would send the key to another host
        .connectTimeout(connectTimeout.coerceAtMost(LONGEST).toJavaDuration())
        .also { builder -> sslContext?.let(builder::sslContext) }
        .also { builder -> proxies?.let(builder::proxy) }
        .build()

    /** Looks for idle clients after [time]. */
    private fun watch(time: Duration) {
        if (isWatched || idleTime.isInfinite()) return
        isWatched = true
        val clients = WeakReference(this) // the timer keeps no closed client
        CompletableFuture.delayedExecutor(time.inWholeMilliseconds.coerceAtLeast(1), MILLISECONDS, threads).execute { clients.get()?.dropIdle() }
    }

    private fun dropIdle(): Unit = synchronized(pooled) {
        isWatched = false
        val idle = pooled.filterValues { it.running == 0 && it.used.elapsedNow() >= idleTime }
        for ((timeout, client) in idle) {
            pooled.remove(timeout)
            close(client.client)
        }
        pooled.values.filter { it.running == 0 }.maxOfOrNull { it.used.elapsedNow() }?.let { watch(idleTime - it + 1.milliseconds) }
    }

    /** Drops all clients. Exchanges that still run end normally. */
    override fun close(): Unit = synchronized(pooled) {
        for (client in pooled.values) close(client.client)
        pooled.clear()
    }

    /** Since JDK 21 clients can be closed. That waits for the exchanges that run. */
    private fun close(client: Any) {
        if (client is AutoCloseable) threads.execute(client::close)
    }

    /** A client, and how much it is used. */
    inner class PooledClient(val client: HttpClient, private val isPooled: Boolean) {
        var running = 0
        var used = TimeSource.Monotonic.markNow()

        fun release() {
            if (!isPooled) return close(client)
            synchronized(pooled) {
                used = TimeSource.Monotonic.markNow()
                if (--running == 0) watch(idleTime)
            }
        }
    }

    companion object {
        const val MAX_CLIENTS: Int = 4
        val IDLE_TIME: Duration = 60.seconds
        private const val LOAD_FACTOR = 0.75f

        /** The JDK adds the timeout to the current time, which overflows for an infinite one. */
        private val LONGEST = 1.days
    }
}
