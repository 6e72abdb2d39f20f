package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import kotlin.time.ComparableTimeMark
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/**
 * How one target has answered lately: its failures, its latency and its running requests. Thread-safe.
 *
 * A target cools down after a failure that does not pass at once (a refused or missing key, an unknown model, a rate limit), after one with a Retry-After,
 * and when more than half of its requests of the last minute have failed, of at least 5 requests or with more than 3 failures. After the cooldown one request
 * probes it: a response ends the state, a failure begins the next cooldown.
 */
internal class TargetHealth(private val time: TimeSource.WithComparableMarks = TimeSource.Monotonic) {
    private val window = FailureWindow(time)
    private var trippedAt: ComparableTimeMark? = null
    private var restsUntil: ComparableTimeMark? = null
    private var recoveredAt: ComparableTimeMark? = null
    private var hasRecovered = false
    private var answeredAt: ComparableTimeMark? = null
    private var probe: Place? = null
    private var average: Duration? = null
    private var measuredAt: ComparableTimeMark? = null

    /** The time of the last failure; null if there was none since the last recovery. */
    @get:Synchronized
    var failedAt: ComparableTimeMark? = null
        private set

    /** The requests that are running, or for which the target has been chosen. */
    @get:Synchronized
    var running: Int = 0
        private set

    /** The average time to the first content; null if no request of the last minutes has measured it. */
    val latency: Duration?
        @Synchronized get() = average?.takeIf { (measuredAt?.elapsedNow() ?: Duration.INFINITE) < LATENCY_LIFE }

    fun now(): ComparableTimeMark = time.markNow()

    /** False while the target cools down for [cooldown], or while another request probes it. With a cooldown of zero always true. */
    @Synchronized
    fun mayServe(cooldown: Duration): Boolean = trippedAt == null || !cooldown.isPositive() || (probe == null && !isCooling(cooldown))

    /** A place for a request, which is the probe if there is to be one; null if [mayServe] is false. */
    @Synchronized
    fun reserve(cooldown: Duration): Place? {
        if (!mayServe(cooldown)) return null
        return Place().also { if (trippedAt != null && cooldown.isPositive()) probe = it }
    }

    /** A place for a request that is sent whatever the state is. */
    @Synchronized
    fun reserveAnyway(): Place = Place()

    @Synchronized
    fun begin(): ComparableTimeMark = time.markNow().also { running++ }

    @Synchronized
    fun end() {
        running--
    }

    /** The first content of the request of [sentAt] has arrived. */
    @Synchronized
    fun delivered(sentAt: ComparableTimeMark) {
        answeredAt = time.markNow()
        measure(sentAt.elapsedNow())
        recover(sentAt)
    }

    /** The request of [sentAt] has been left without content: its latency would have been at least the time until now. */
    @Synchronized
    fun left(sentAt: ComparableTimeMark) {
        val elapsed = sentAt.elapsedNow()
        if (elapsed > (average ?: Duration.ZERO)) measure(elapsed)
    }

    /** The request of [sentAt] has its response. @return how long ago a cooldown has ended that other processes may know; null for none since the last call */
    @Synchronized
    fun succeeded(sentAt: ComparableTimeMark): Duration? {
        answeredAt = time.markNow()
        recover(sentAt)
        window.add(isFailure = false)
        val ago = recoveredAt?.elapsedNow()?.takeIf { hasRecovered }
        hasRecovered = false
        return ago
    }

    /** @return how long the target asks for no requests, if it cools down now; null if it does not */
    @Synchronized
    fun failed(failure: LlmException, sentAt: ComparableTimeMark): Duration? {
        when (failure.blame) {
            Blame.NONE -> return null
            Blame.REQUEST -> {
                hasRecovered = succeeded(sentAt) != null // told with the next response
                return null
            }
            Blame.TARGET, Blame.TARGET_FOR_LONGER -> Unit
        }
        val now = time.markNow()
        failedAt = now
        window.add(isFailure = true)
        val asked = failure.retryAfter?.takeIf { it.isPositive() }?.coerceAtMost(LONGEST_REST)
        if (asked != null) restsUntil = listOfNotNull(restsUntil, now + asked).max()
        val cools = trippedAt != null || asked != null || failure.blame == Blame.TARGET_FOR_LONGER || window.isBad()
        if (!cools) return null
        trippedAt = now
        hasRecovered = false
        return asked ?: Duration.ZERO
    }

    /** Another process knows that the target has failed [since] ago, and asks for no requests for [rest] from now on. */
    @Synchronized
    fun learn(since: Duration, rest: Duration) {
        val now = time.markNow()
        val at = now - since
        if (listOfNotNull(answeredAt, recoveredAt, trippedAt).any { it >= at }) return
        trippedAt = at
        failedAt = listOfNotNull(failedAt, at).max()
        if (rest.isPositive()) restsUntil = listOfNotNull(restsUntil, now + rest.coerceAtMost(LONGEST_REST)).max()
    }

    private fun isCooling(cooldown: Duration): Boolean {
        val tripped = trippedAt ?: return false
        return tripped.elapsedNow() < cooldown || restsUntil?.hasNotPassedNow() == true
    }

    /** Ends the state of failure, if the request of [sentAt] was sent after the last failure. */
    private fun recover(sentAt: ComparableTimeMark) {
        val failed = failedAt ?: return
        if (trippedAt == null || sentAt < failed) return
        trippedAt = null
        recoveredAt = time.markNow()
        hasRecovered = true
        restsUntil = null
        failedAt = null
        probe = null
        window.clear()
    }

    private fun measure(latency: Duration) {
        val known = this.latency
        average = if (known == null) latency else known * (1 - NEWEST_SHARE) + latency * NEWEST_SHARE
        measuredAt = time.markNow()
    }

    /** The place of one request at this target, from the choice of the target on. */
    inner class Place {
        private var isWaiting = true

        init {
            running++
        }

        /** The request begins: from now on it counts itself. */
        fun begin(): Unit = synchronized(this@TargetHealth) {
            if (isWaiting) running--
            isWaiting = false
        }

        fun end(): Unit = synchronized(this@TargetHealth) {
            begin()
            if (probe === this) probe = null
        }
    }

    private companion object {
        val LONGEST_REST = 120.seconds
        val LATENCY_LIFE = 5.minutes
        const val NEWEST_SHARE = 0.3
    }
}

/** The requests of the last minute, by the second. */
private class FailureWindow(time: TimeSource) {
    private val begun = time.markNow()
    private val seconds = LongArray(SECONDS) { -1 }
    private val requests = IntArray(SECONDS)
    private val failures = IntArray(SECONDS)

    fun add(isFailure: Boolean) {
        val second = begun.elapsedNow().inWholeSeconds
        val slot = (second % SECONDS).toInt()
        if (seconds[slot] != second) {
            seconds[slot] = second
            requests[slot] = 0
            failures[slot] = 0
        }
        requests[slot]++
        if (isFailure) failures[slot]++
    }

    fun clear(): Unit = seconds.fill(-1)

    fun isBad(): Boolean {
        val since = begun.elapsedNow().inWholeSeconds - SECONDS
        val slots = seconds.indices.filter { seconds[it] > since && seconds[it] >= 0 }
        val all = slots.sumOf { requests[it] }
        val failed = slots.sumOf { failures[it] }
        return failed * 2 > all && (all >= LEAST_REQUESTS || failed > ALLOWED_FAILURES)
    }

    private companion object {
        const val SECONDS = 60
        const val LEAST_REQUESTS = 5
        const val ALLOWED_FAILURES = 3
    }
}

/** What a failure says about its target. */
private enum class Blame {
    /** Nothing: it comes from this side. */
    NONE,

    /** The target responded, and refused the request. */
    REQUEST,

    TARGET,

    /** The next request would most probably fail as well. */
    TARGET_FOR_LONGER,
}

private val LlmException.blame: Blame
    get() = when (this) {
        is LlmException.Authentication, is LlmException.PermissionDenied, is LlmException.NotFound, is LlmException.QuotaExhausted,
        is LlmException.Configuration,
        -> Blame.TARGET_FOR_LONGER
        // One that is not retryable within its call is that of a limit of the user's.
        is LlmException.RateLimited -> if (status == null && !isRetryable) Blame.NONE else Blame.TARGET_FOR_LONGER
        is LlmException.Network, is LlmException.Overloaded, is LlmException.ServerError, is LlmException.MalformedResponse,
        is LlmException.StreamInterrupted,
        -> Blame.TARGET
        is LlmException.Timeout -> if (phase == LlmException.Timeout.Phase.TOTAL || phase == LlmException.Timeout.Phase.POOL) Blame.NONE else Blame.TARGET
        is LlmException.InvalidRequest, is LlmException.ContextLengthExceeded, is LlmException.ContentFiltered ->
            if (status == null) Blame.NONE else Blame.REQUEST
        is LlmException.AllFailed -> (cause as? LlmException)?.blame ?: Blame.NONE
        is LlmException.BudgetExceeded, is LlmException.Cancelled -> Blame.NONE
    }
