package dev.unifiedllm.store.redis

import dev.unifiedllm.LlmException
import dev.unifiedllm.store.StoreException
import dev.unifiedllm.store.storeThreads
import kotlinx.coroutines.withContext
import redis.clients.jedis.ConnectionPoolConfig
import redis.clients.jedis.DefaultJedisClientConfig
import redis.clients.jedis.HostAndPort
import redis.clients.jedis.JedisPooled
import redis.clients.jedis.UnifiedJedis
import redis.clients.jedis.exceptions.JedisConnectionException
import redis.clients.jedis.exceptions.JedisException
import redis.clients.jedis.util.JedisURIHelper
import java.net.SocketTimeoutException
import java.net.URI
import java.net.URISyntaxException
import java.util.concurrent.atomic.AtomicReference
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource

/**
 * A Redis server that processes share. Connects when it is first used. After a connection has failed, calls fail at once for a second, so that a server that
 * is gone slows nothing down.
 *
 * @property address for messages, without user and password
 */
internal class Redis private constructor(private val uri: URI, private val time: TimeSource) : AutoCloseable {
    val address: String = "${uri.scheme}://${uri.host}:${port(uri)}"
    private val client = lazy { connect() }

    /** The last failure of a connection; null while the server can be used. */
    private val failed = AtomicReference<Failure?>()

    /** @property pause how long calls fail at once: longer each time that the server does not answer. One that refuses connections costs no time */
    private class Failure(val at: TimeMark, val pause: Duration)

    /** Runs [block], which blocks, on a thread for that. @throws StoreException if the server cannot be used */
    suspend fun <T> call(block: (UnifiedJedis) -> T): T = withContext(storeThreads) { blocking(block) }

    /** Runs [block] on this thread. @throws StoreException if the server cannot be used */
    fun <T> blocking(block: (UnifiedJedis) -> T): T {
        val before = failed.get()
        if (before != null && before.at.elapsedNow() < before.pause) throw StoreException("$address did not answer a moment ago.")
        try {
            return block(client.value).also { failed.set(null) }
        } catch (failure: JedisException) {
            if (failure is JedisConnectionException) {
                val pause = if (before != null && isHung(failure)) (before.pause * 2).coerceAtMost(LONGEST_PAUSE) else PAUSE
                failed.compareAndSet(before, Failure(time.markNow(), pause)) // once for all calls that ran when it failed
            }
            throw StoreException("$address cannot be used: ${failure.message?.lineSequence()?.first()?.removeSuffix(".")}", failure)
        }
    }

    private fun isHung(failure: Throwable): Boolean =
        failure is SocketTimeoutException || failure.suppressed.any(::isHung) || failure.cause?.let(::isHung) == true

    private fun connect(): UnifiedJedis {
        val config = DefaultJedisClientConfig.builder()
            .connectionTimeoutMillis(TIMEOUT_MILLIS)
            .socketTimeoutMillis(TIMEOUT_MILLIS)
            .user(JedisURIHelper.getUser(uri))
            .password(JedisURIHelper.getPassword(uri))
            .database(JedisURIHelper.getDBIndex(uri))
            .ssl(uri.scheme == TLS)
            .clientName("unified-llm")
            .build()
        val pool = ConnectionPoolConfig().apply {
            testOnBorrow = true // one that was idle may be closed by now
            maxTotal = CONNECTIONS
            setMaxWait(java.time.Duration.ofMillis(TIMEOUT_MILLIS.toLong()))
        }
        return JedisPooled(HostAndPort(uri.host, port(uri)), config, pool)
    }

    override fun close() {
        if (client.isInitialized()) client.value.close()
    }

    companion object {
        private const val TLS = "rediss"
        private const val PORT = 6379
        private const val TIMEOUT_MILLIS = 2_000
        private const val CONNECTIONS = 32

        /** How long calls fail at once after a connection has failed. */
        val PAUSE: Duration = 1.seconds
        private val LONGEST_PAUSE = 30.seconds

        /** @throws LlmException.Configuration if [url] is none of Redis @throws NoClassDefFoundError if the library is not on the class path */
        fun of(url: String, time: TimeSource = TimeSource.Monotonic): Redis {
            val uri = try {
                URI(url)
            } catch (_: URISyntaxException) { // its message has the URL, and that a password
                null
            }
            if (uri?.scheme !in setOf("redis", TLS) || uri?.host == null) {
                throw LlmException.Configuration(
                    "The URL of shared state must be redis://host:port or rediss://host:port, with user and password before the host if needed.",
                )
            }
            try {
                JedisURIHelper.getDBIndex(uri)
            } catch (_: NumberFormatException) {
                throw LlmException.Configuration("The database of redis://host:port/database must be a number, as in redis://host:6379/0.")
            }
            return Redis(uri, time)
        }

        private fun port(uri: URI) = if (uri.port < 0) PORT else uri.port
    }
}
