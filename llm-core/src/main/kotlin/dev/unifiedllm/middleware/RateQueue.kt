package dev.unifiedllm.middleware

import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration
import kotlin.time.TimeMark

/**
 * Attempts in the order in which they arrived. The first one, its head, waits for time or for a change; all others wait for the one before them.
 *
 * Thread-safe. An attempt that is cancelled leaves the queue.
 */
internal class RateQueue {
    private val head = Mutex()
    private val changes = Channel<Unit>(Channel.CONFLATED)
    private val line = AtomicInteger()

    /** What its head waits for; null if it does not wait. */
    @Volatile
    private var headWait: HeadWait? = null

    /** How many are in it, its head included. */
    val size: Int get() = line.get()

    /** How long its head still waits; null if that is not known. */
    val left: Duration? get() = headWait?.until?.let { -it.elapsedNow() }?.takeIf { it.isPositive() }

    /** Becomes the head if the queue is empty, or if its head is about to leave. */
    fun tryEnter(): Boolean {
        repeat(SPINS) {
            if (head.tryLock()) {
                line.incrementAndGet()
                return true
            }
            if (headWait != null) return false
            Thread.onSpinWait()
        }
        return false
    }

    /** Waits to become the head. */
    suspend fun enter() {
        line.incrementAndGet()
        var isHead = false
        try {
            head.lock()
            isHead = true
        } finally {
            if (!isHead) line.decrementAndGet()
        }
    }

    /** The head leaves. */
    fun leave() {
        line.decrementAndGet()
        head.unlock()
    }

    /** The head is about to wait. @param until null if that is not known */
    fun willWait(until: TimeMark?) {
        headWait = HeadWait(until)
    }

    /** The head waits for a change, for [time] at most. */
    suspend fun awaitChange(time: Duration) {
        if (time.isInfinite()) changes.receive() else withTimeoutOrNull(time) { changes.receive() }
    }

    fun hasWaited() {
        headWait = null
    }

    /** Something has been given back: its head tries again. */
    fun changed() {
        changes.trySend(Unit)
    }

    private class HeadWait(val until: TimeMark?)

    private companion object {
        /** A head that need not wait leaves within microseconds. */
        const val SPINS = 50
    }
}
