package dev.unifiedllm.store

import kotlin.time.Duration

/**
 * A part of a limit that an attempt takes.
 *
 * @property key of the limit: what has been taken from one key counts together
 * @property amount such as 1 request or 800 tokens. An amount above [limit] is taken when nothing else counts.
 * @property limit the most that may count at any time
 * @property window how long an amount counts from when it was taken; null: until its reservation is settled
 */
internal class RateClaim(val key: String, val amount: Long, val limit: Long, val window: Duration?)

/**
 * A reservation was not made.
 *
 * @property claim the index of the claim that has the longest wait
 * @property wait after which the reservation is worth another try; infinite if it is not before something has been settled
 */
internal class RateRefusal(val claim: Int, val wait: Duration)

/**
 * What has been taken from limits. Thread-safe.
 *
 * Both operations are atomic and complete in one step, so that an implementation can be shared between processes. It lets a reservation expire whose
 * process never settles it, and never answers with an infinite wait: another process may settle.
 */
internal interface RateStore {
    /** True if other processes use it as well. */
    val isShared: Boolean get() = false

    /** Takes all of [claims] under the name [id], or nothing. Null: they are taken. Claims of one reservation have different keys. */
    suspend fun reserve(id: String, claims: List<RateClaim>): RateRefusal?

    /**
     * Ends the reservation [id]: what counted until now ends to count, and the others count as what [amounts] says for their key, from when they were taken.
     * A key that [amounts] leaves out keeps its amount; 0 gives it back. Nothing happens if there is no such reservation.
     */
    suspend fun settle(id: String, amounts: Map<String, Long>)

    /** The provider of [target] wants no requests for [time]. */
    suspend fun pause(target: String, time: Duration) {}

    /** How long the provider of [target] wants no requests, as other processes know; null if they know nothing. */
    suspend fun paused(target: String): Duration? = null
}
