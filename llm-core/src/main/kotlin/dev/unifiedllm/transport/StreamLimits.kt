package dev.unifiedllm.transport

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.withTimeoutOrNull
import java.net.URI
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration

/**
 * Limits how many requests run at a time to one origin over HTTP/2, where the JDK's client has one connection, and fails beyond the server's limit of
 * streams. More requests wait in the order in which they came. Thread-safe.
 *
 * @param limit of one origin
 */
internal class StreamLimits(private val limit: Int) {
    private val origins = ConcurrentHashMap<String, OriginStreams>()

    /** Null where HTTP/2 is not used. */
    fun of(uri: URI): OriginStreams? = if (uri.scheme == "https") origins.computeIfAbsent(uri.authority) { OriginStreams(limit) } else null
}

/** The streams to one origin. */
internal class OriginStreams(limit: Int) {
    private val permits = Semaphore(limit)
    private val most = AtomicInteger(limit)

    @Volatile
    private var isHttp1 = false

    /** How many may run at a time. It falls to what the server allows. */
    val limit: Int get() = most.get()

    /** Waits for a stream, unless the origin is known to speak HTTP/1.1; null if none is free within [time]. */
    suspend fun take(time: Duration): Stream? {
        if (isHttp1) return Stream(false)
        if (permits.tryAcquire()) return Stream(true)
        var taken: Stream? = null
        try {
            withTimeoutOrNull(time) {
                permits.acquire()
                taken = Stream(true)
            }
        } catch (cancelled: CancellationException) {
            taken?.end() // cancelled after it was taken
            throw cancelled
        }
        return taken
    }

    /** One running request. To end it twice is harmless. */
    inner class Stream(holds: Boolean) {
        private val holds = AtomicBoolean(holds)

        fun end() {
            if (holds.compareAndSet(true, false)) permits.release()
        }

        /** The response says which version the connection has. A connection of HTTP/1.1 carries nothing else, so that there is no limit. */
        fun hasVersion(isHttp2: Boolean) {
            isHttp1 = !isHttp2
            if (!isHttp2) end()
        }

        /** The server allows fewer streams than the limit: this one is not given to another request. */
        fun lowerLimit() {
            val isLast = most.getAndUpdate { maxOf(1, it - 1) } == 1
            if (isLast) end() else holds.set(false)
        }
    }

    companion object {
        /** What most servers allow, and the least that RFC 9113 recommends. */
        const val DEFAULT: Int = 100
    }
}
