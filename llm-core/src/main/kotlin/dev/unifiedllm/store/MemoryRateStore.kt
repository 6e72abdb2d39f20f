package dev.unifiedllm.store

import kotlin.time.Duration
import kotlin.time.TimeSource

/** The limits of one process. */
internal class MemoryRateStore(time: TimeSource = TimeSource.Monotonic) : RateStore {
    private val origin = time.markNow()
    private val counts = HashMap<String, Count>()
    private val open = HashMap<String, List<Taken>>()

    /** The number of reservations that have not been settled. */
    val reserved: Int get() = synchronized(counts) { open.size }

    override suspend fun reserve(id: String, claims: List<RateClaim>): RateRefusal? = synchronized(counts) {
        val now = origin.elapsedNow()
        var refusal: RateRefusal? = null
        claims.forEachIndexed { index, claim ->
            val wait = counts.getOrPut(claim.key, ::Count).wait(claim, now)
            if (wait > (refusal?.wait ?: Duration.ZERO)) refusal = RateRefusal(index, wait)
        }
        if (refusal == null) open[id] = claims.map { Taken(it, now).also(counts.getValue(it.key)::add) }
        refusal
    }

    /** Counts [claims] under the name [id], whatever their limits are: they have been taken elsewhere. */
    fun take(id: String, claims: List<RateClaim>): Unit = synchronized(counts) {
        val now = origin.elapsedNow()
        open[id] = claims.map { Taken(it, now).also(counts.getOrPut(it.key, ::Count)::add) }
    }

    override suspend fun settle(id: String, amounts: Map<String, Long>): Unit = synchronized(counts) {
        for (taken in open.remove(id).orEmpty()) {
            val amount = if (taken.claim.window == null) 0 else amounts[taken.claim.key] ?: taken.amount
            counts.getValue(taken.claim.key).change(taken, amount)
        }
    }

    private class Taken(val claim: RateClaim, val at: Duration) {
        var amount: Long = claim.amount
    }

    /** What counts for one key, oldest first. */
    private class Count {
        private val all = LinkedHashSet<Taken>()
        private var sum = 0L

        fun add(taken: Taken) {
            all += taken
            sum += taken.amount
        }

        /** Does nothing if [taken] no longer counts. */
        fun change(taken: Taken, amount: Long) {
            if (taken !in all) return
            sum += amount - taken.amount
            taken.amount = amount
            if (amount == 0L) all -= taken
        }

        /** How long until [claim] can be taken; infinite if that is not known. */
        fun wait(claim: RateClaim, now: Duration): Duration {
            val window = claim.window
            if (window != null) expire(now - window)
            var excess = sum + minOf(claim.amount, claim.limit) - claim.limit
            if (excess <= 0) return Duration.ZERO
            if (window == null) return Duration.INFINITE
            for (taken in all) {
                excess -= taken.amount
                if (excess <= 0) return taken.at + window - now
            }
            return Duration.INFINITE
        }

        private fun expire(until: Duration) {
            val oldest = all.iterator()
            while (oldest.hasNext()) {
                val taken = oldest.next()
                if (taken.at > until) return
                oldest.remove()
                sum -= taken.amount
            }
        }
    }
}
