package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.protocol.Bursts
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import java.util.concurrent.CompletableFuture
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/** What has arrived of one call: written by one producer, read by any number of consumers from the beginning, while it grows or afterwards. */
internal class DeltaLog : Bursts {
    val startedAt: Long = System.nanoTime()

    @Volatile
    private var endedAt: Long? = null

    @Volatile
    private var deltas = arrayOfNulls<Delta>(INITIAL)

    @Volatile
    private var times = LongArray(INITIAL)

    @Volatile
    var size: Int = 0
        private set

    /** Completed once, when nothing more comes: with null, or the failure. */
    val end = CompletableFuture<Throwable?>()

    private val version = MutableStateFlow(0)
    private val lock = ReentrantLock()
    private val grown = lock.newCondition()

    @Volatile
    private var waiting = 0

    @Volatile
    private var isInBurst = false
    private var wokenAt = startedAt

    operator fun get(index: Int): Delta = deltas[index]!!

    fun append(delta: Delta) {
        val index = size
        if (index == deltas.size) {
            times = times.copyOf(index * 2)
            deltas = deltas.copyOf(index * 2)
        }
        val now = System.nanoTime()
        times[index] = now
        deltas[index] = delta
        size = index + 1 // volatile: publishes the delta
        // To wake a consumer costs more than to read a delta: a burst wakes it by its first content and at its end, and if it takes long.
        if (!isInBurst || (delta.isContent && now - wokenAt > BURST_NANOS)) wake(now)
    }

    override fun beginBurst() {
        isInBurst = true
    }

    override fun endBurst() {
        isInBurst = false
        if (version.value < size) wake(System.nanoTime())
    }

    private fun wake(now: Long) {
        wokenAt = now
        version.value = size
        if (waiting > 0) lock.withLock { grown.signalAll() }
    }

    fun end(failure: Throwable?) {
        endedAt = System.nanoTime()
        end.complete(failure)
        version.value = ENDED
        lock.withLock { grown.signalAll() }
    }

    /** Suspends until there are more than [seen] deltas, or nothing more comes. */
    suspend fun awaitMore(seen: Int) {
        version.first { it > seen || it == ENDED }
    }

    /** Blocks until there are more than [seen] deltas, or nothing more comes. */
    fun blockForMore(seen: Int) {
        lock.withLock {
            waiting++
            try {
                while (size <= seen && !end.isDone) grown.await()
            } finally {
                waiting--
            }
        }
    }

    /** The answer as far as it has come; null if nothing has. Linear in its length. */
    fun response(): ChatResponse? {
        val count = size
        if (count == 0) return null
        val until = endedAt
        val fold = ResponseFold({ until ?: System.nanoTime() }, startedAt)
        for (index in 0 until count) fold.add(this[index], times[index])
        return fold.response()
    }

    companion object {
        /** How long a burst may keep what it brings from those who wait. */
        const val BURST_NANOS: Long = 500_000
        private const val INITIAL = 32
        private const val ENDED = Int.MAX_VALUE
    }
}
