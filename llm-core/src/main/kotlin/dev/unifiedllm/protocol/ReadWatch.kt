package dev.unifiedllm.protocol

import dev.unifiedllm.transport.ReadInterruptedException
import dev.unifiedllm.transport.TransportResponse
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Job
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.atomic.AtomicLong
import kotlin.time.Duration
import kotlin.time.Duration.Companion.nanoseconds

/**
 * Ends reads of [response] that take too long. One timer looks after all of them: a stream has thousands of reads, and a timer for each costs more than the
 * read.
 */
internal class ReadWatch(private val response: TransportResponse) {
    /** The number of the read that waits; 0 if none does. */
    private val waiting = AtomicLong()
    private var reads = 0L

    /** When the read that waits has taken too long, by [System.nanoTime]. */
    @Volatile
    private var until = 0L

    /** When the timer looks next. */
    @Volatile
    private var looksAt = 0L
    private var timer: Job? = null

    @Volatile
    var isInterrupted: Boolean = false
        private set

    /** As [TransportResponse.read]; [TOO_LATE] if nothing comes within [limit]. */
    suspend fun read(limit: Duration): Int {
        if (!response.canInterrupt) return withTimeoutOrNull(limit) { return@withTimeoutOrNull response.read() } ?: TOO_LATE
        if (isInterrupted) return TOO_LATE
        until = System.nanoTime() + limit.inWholeNanoseconds
        if (timer == null || looksAt - until > 0) start()
        waiting.set(++reads)
        try {
            return response.read()
        } catch (_: ReadInterruptedException) {
            return TOO_LATE
        } finally {
            waiting.set(0)
        }
    }

    private suspend fun start() {
        timer?.cancel()
        timer = CoroutineScope(currentCoroutineContext()).launch(start = CoroutineStart.UNDISPATCHED) { look() }
    }

    private suspend fun look() {
        while (true) {
            val next = until
            looksAt = next
            if (until - next < 0) continue // meanwhile a read with a shorter limit has begun
            delay((next - System.nanoTime()).coerceAtLeast(0).nanoseconds)
            val read = waiting.get() // before [until], which is then its own or that of a later one
            if (until - System.nanoTime() > 0) continue
            if (read != 0L && waiting.compareAndSet(read, 0)) {
                isInterrupted = true
                return response.interrupt()
            }
            // The consumer is at work: the next read starts the timer again if it needs it earlier.
            looksAt = System.nanoTime() + PAUSE_NANOS
            if (until - System.nanoTime() <= 0) delay(PAUSE_NANOS.nanoseconds)
        }
    }

    fun end() {
        timer?.cancel()
    }

    companion object {
        const val TOO_LATE: Int = -2
        private const val PAUSE_NANOS = 10_000_000_000L
    }
}
