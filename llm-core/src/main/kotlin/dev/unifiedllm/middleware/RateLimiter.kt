package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.RateLimits
import dev.unifiedllm.chat.Request
import dev.unifiedllm.store.MemoryRateStore
import dev.unifiedllm.store.RateStore
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.withContext
import java.time.Instant
import java.util.UUID
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicLong
import kotlin.math.ceil
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration

/**
 * Lets the attempts of a client begin, in the order in which they arrive, as their limits and their providers allow.
 *
 * An attempt goes through the queue of its target and then through those of its limits, the most special one first. See [RateLine]. It takes all that it
 * needs at once, as the first one of all of them. While its consumer takes a [Delta.Waiting], it is the first one of none: a consumer that is slow loses its
 * turn to attempts that are ready, and keeps no other waiting.
 *
 * @param now the clock of the resets that providers name
 */
internal class RateLimiter(
    private val time: TimeSource = TimeSource.Monotonic,
    private val store: RateStore = MemoryRateStore(time),
    private val now: () -> Instant = Instant::now,
) {
    private val prefix = UUID.randomUUID().toString()
    private val count = AtomicLong()
    private val line = RateLine()

    /**
     * Waits until an attempt may begin. A wait is emitted to [out] before it begins.
     *
     * @param rules that hold for [target], the most special one first
     * @param tokens an estimate of what the attempt uses
     * @return what the attempt must settle when it ends; null if there are no rules
     * @throws LlmException.RateLimited if the wait would be longer than the call may take
     */
    suspend fun enter(target: AttemptTarget, rules: List<RateRule>, request: Request, tokens: Long, out: FlowCollector<Delta>): RatePermit? {
        val state = target.state
        if (store.isShared) target.sharedName?.let { name -> store.paused(name())?.let { pause(state, it) } }
        if (rules.isEmpty() && pause(target.id, state) == null) return null
        val parts = rules.flatMap { it.parts(tokens) }
        return Turn(target.id, state, rules, parts, request.context.deadline, out).take()
    }

    /** Remembers that the provider wants no requests for [time]. Too long a pause is not kept: then the provider decides again. */
    suspend fun pause(target: AttemptTarget, time: Duration) {
        if (time > LONGEST) return
        pause(target.state, time)
        if (store.isShared) target.sharedName?.let { store.pause(it(), time) }
    }

    private fun pause(state: TargetState, time: Duration): Unit = state.pause(this.time.markNow() + time)

    private fun pause(id: ModelId, state: TargetState): Hold? {
        val asked = state.pausedUntil?.let { -it.elapsedNow() }?.takeIf { it.isPositive() }
        if (asked != null) return Hold(0, asked, "$id asked for a pause (status 429)", "Try again later, raise timeouts.total")
        val left = state.rateLimits?.let { limits -> -state.availableAt(limits) { time.markNow() + untilAvailable(limits) }.elapsedNow() }
        if (left == null || !left.isPositive()) return null
        return Hold(0, left, "$id has said that its rate limit is used up until then", "Try again later, raise timeouts.total")
    }

    /** How long [limits] allow no request from now on; zero if that is too long to be kept. */
    private fun untilAvailable(limits: RateLimits): Duration {
        val at = now()
        return listOfNotNull(
            limits.requestsResetAt?.takeIf { limits.requestsRemaining == 0L }?.let { untilOne(at, it, limits.requestLimit) },
            limits.tokensResetAt?.takeIf { limits.tokensRemaining == 0L }?.let { java.time.Duration.between(at, it).toKotlinDuration() },
        ).filter { it.isPositive() && it <= LONGEST }.maxOrNull() ?: Duration.ZERO
    }

    /** Why an attempt cannot begin. @property level the number of the queue in which it waits @property remedy the beginning of a sentence */
    private class Hold(val level: Int, val wait: Duration, val reason: String, val remedy: String)

    private inner class Turn(
        private val id: ModelId,
        private val state: TargetState,
        private val rules: List<RateRule>,
        private val parts: List<RateRule.Part>,
        private val deadline: TimeMark?,
        private val out: FlowCollector<Delta>,
    ) {
        private val claims = parts.map { it.claim }
        private val shown = HashSet<Any>()
        private val place = line.join(listOf(state.queue) + rules.map { it.queue })

        suspend fun take(): RatePermit? {
            try {
                while (true) {
                    place.blocked()?.let { (queue, ahead) -> showQueued(queue, ahead) }
                    place.awaitFirst()
                    awaitChange(pause(id, state) ?: if (claims.isEmpty()) return null else reserve() ?: return permit())
                }
            } finally {
                place.leave()
            }
        }

        private var reservation: String = ""

        private fun permit() = RatePermit(store, line, reservation, rules, parts)

        private suspend fun reserve(): Hold? {
            reservation = "$prefix ${count.incrementAndGet()}"
            var isKnown = false
            try {
                val refusal = store.reserve(reservation, claims)
                currentCoroutineContext().ensureActive() // a call that was cancelled meanwhile sends nothing
                isKnown = true
                if (refusal == null) return null
                val part = parts[refusal.claim]
                return Hold(rules.indexOf(part.rule) + 1, refusal.wait, part.reason, "Raise ${part.setting} or timeouts.total, start fewer calls at a time")
            } finally {
                if (!isKnown) withContext(NonCancellable) { store.settle(reservation, claims.associate { it.key to 0L }) }
            }
        }

        private suspend fun showQueued(queue: RateQueue, ahead: Int) {
            val level = if (queue === state.queue) 0 else rules.indexOfFirst { it.queue === queue } + 1
            val many = if (ahead > 1) "$ahead earlier requests wait" else "an earlier request waits"
            show("$many for ${if (level == 0) id else rules[level - 1].title}", expected(level, queue, ahead), QUEUED, queue)
        }

        /** How long it takes at least until all that wait in [queue] have begun, as far as it is known. */
        private fun expected(level: Int, queue: RateQueue, ahead: Int): Duration? {
            val shared = if (level == 0) rules else listOf(rules[level - 1])
            val windows = shared.mapNotNull { rule -> rule.requestsPerMinute?.let { rule.window * (ahead / it) } }.maxOrNull() ?: Duration.ZERO
            val ofFirst = place.left(queue) ?: Duration.ZERO // which may wait further on
            return (ofFirst + windows).takeIf { it.isPositive() }
        }

        /** Waits for what [hold] needs, or emits that it is to be waited for: after that the limits may have changed. */
        private suspend fun awaitChange(hold: Hold) {
            place.hold(hold.level + 1)
            val wait = hold.wait.takeIf { it.isFinite() }
            if (!show(hold.reason, wait, hold.remedy)) {
                place.awaitChange(hold.wait, wait?.let { time.markNow() + it })
                leaveThread()
            }
            place.advance()
        }

        /**
         * Steps aside and emits a [Delta.Waiting], once for each [key]. True if it was emitted.
         *
         * @throws LlmException.RateLimited if [wait] is too long
         */
        private suspend fun show(reason: String, wait: Duration?, remedy: String, key: Any = reason): Boolean {
            val left = deadline?.let { -it.elapsedNow() }
            if (wait != null && left != null && wait > left) throw tooLong(reason, wait, left, remedy)
            if (!shown.add(key)) return false // for each key once, so that two attempts cannot let each other go first forever
            place.stepAside()
            out.emit(Delta.Waiting(id, reason, wait?.toJavaDuration()))
            place.comeBack()
            leaveThread()
            return true
        }

        private fun tooLong(reason: String, wait: Duration, left: Duration, remedy: String) = LlmException.RateLimited(
            "The request to $id was not sent: $reason. It would have to wait ${shown(wait)}, but timeouts.total leaves ${shown(left)}. " +
                "$remedy$OR_ADD_A_FALLBACK",
            details = LlmException.Details(id, shouldRetry = false, retryAfter = wait),
        )
    }

    private fun shown(time: Duration): String = (ceil(time.inWholeMilliseconds / STEP) * STEP).toLong().coerceAtLeast(0).milliseconds.toString()

    private companion object {
        /** The longest pause that is kept for a provider. */
        val LONGEST = 120.seconds

        const val STEP = 100.0
        const val QUEUED = "Start fewer calls at a time, raise the limit or timeouts.total"
    }
}

/** What an attempt has taken of its limits. Settled once, by the first call; the others do nothing. */
internal class RatePermit(
    private val store: RateStore,
    private val line: RateLine,
    private val id: String,
    private val rules: List<RateRule>,
    private val parts: List<RateRule.Part>,
) {
    private val isSettled = AtomicBoolean()

    /** The attempt has ended. @param tokens that it has used; null: as many as were estimated */
    suspend fun settle(tokens: Long?): Unit = settle(if (tokens == null) emptyMap() else parts.filter { it.isOfTokens }.associate { it.claim.key to tokens })

    /** Nothing was sent. */
    suspend fun giveBack(): Unit = settle(parts.associate { it.claim.key to 0L })

    private suspend fun settle(amounts: Map<String, Long>) {
        if (!isSettled.compareAndSet(false, true)) return
        withContext(NonCancellable) { store.settle(id, amounts) }
        rules.forEach { line.changed(it.queue) }
    }
}

/** How long it is until one request may be sent. Providers state when all of [limit] are there again, and add them evenly until then. */
private fun untilOne(at: Instant, resetAt: Instant, limit: Long?): Duration {
    val all = java.time.Duration.between(at, resetAt).toKotlinDuration()
    return if (limit == null || limit <= 0) all else all / limit.toDouble()
}
