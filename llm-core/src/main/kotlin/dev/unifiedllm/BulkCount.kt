package dev.unifiedllm

import dev.unifiedllm.chat.Usd
import kotlin.time.Duration
import kotlin.time.TimeMark
import kotlin.time.TimeSource

/** Counts the results of a bulk, and says when it is to stop. Thread-safe. */
internal class BulkCount(private val total: Long?, private val maxCost: Usd?) {
    private var startedAt: TimeMark = TimeSource.Monotonic.markNow()
    private var done = 0L
    private var failed = 0L
    private var notStarted = 0L
    private var resumed = 0L
    private var cost = Usd.ZERO
    private var unpriced = 0L
    private var elapsed: Duration? = null // when it has ended
    private val warnings = linkedSetOf<String>()

    /** Why no more calls are to start; null while they are. */
    @Volatile
    var stop: Throwable? = null
        private set

    val progress: BulkProgress
        @Synchronized get() = BulkProgress(
            done,
            failed,
            notStarted,
            resumed,
            total,
            cost,
            unpriced,
            elapsed ?: startedAt.elapsedNow(),
            stop?.let { it.message ?: "$it" },
            elapsed != null,
            warnings.toList(),
            FromKotlin.CALL,
        )

    @Synchronized
    fun begin() {
        startedAt = TimeSource.Monotonic.markNow()
    }

    /** @return false if it has ended before */
    @Synchronized
    fun end(): Boolean {
        if (elapsed != null) return false
        elapsed = startedAt.elapsedNow()
        return true
    }

    @Synchronized
    fun warn(warning: String) {
        warnings += warning
    }

    @Synchronized
    fun stop(why: Throwable) {
        if (stop == null) stop = why
    }

    @Synchronized
    fun spentBefore(amount: Usd): Unit = spend(amount)

    /** With the last one of a known number it has ended. */
    @Synchronized
    fun add(result: BulkResult<*, *>) {
        when (result.state) {
            BulkResult.State.DONE -> done++
            BulkResult.State.FAILED -> failed++
            BulkResult.State.NOT_STARTED -> notStarted++
        }
        if (result.isResumed) resumed++
        if (done + failed + notStarted == total) end()
    }

    /** The costs of a call that has ended. */
    @Synchronized
    fun spent(costs: CallCosts) {
        if (costs.isIncomplete) unpriced++
        spend(costs.known)
    }

    private fun spend(amount: Usd) {
        cost += amount
        if (maxCost != null && cost >= maxCost && stop == null) {
            stop = LlmException.BudgetExceeded(
                "The calls of the bulk have cost $cost, which reaches its maxCost of $maxCost: no more are made. Raise maxCost to go on; " +
                    "with a checkpoint nothing is sent again.",
            )
        }
    }
}
