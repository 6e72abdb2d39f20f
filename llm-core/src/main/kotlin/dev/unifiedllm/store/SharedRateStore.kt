package dev.unifiedllm.store

import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration

/**
 * The limits of [shared], which other processes use as well. Without it they are those of this process: [local] has all that this process has taken, so that
 * they hold from the first request on that [shared] does not count.
 */
internal class SharedRateStore(private val shared: RateStore, private val local: MemoryRateStore = MemoryRateStore()) : RateStore {
    override val isShared: Boolean get() = true

    /** The reservations that [shared] has. */
    private val known: MutableSet<String> = ConcurrentHashMap.newKeySet()

    override suspend fun reserve(id: String, claims: List<RateClaim>): RateRefusal? {
        try {
            known += id
            shared.reserve(id, claims)?.let { refusal ->
                known -= id
                return refusal
            }
            local.take(id, claims)
            return null
        } catch (_: StoreException) { // what it may have counted expires
            known -= id
        }
        return local.reserve(id, claims)
    }

    override suspend fun settle(id: String, amounts: Map<String, Long>) {
        local.settle(id, amounts)
        if (known.remove(id)) unlessGone { shared.settle(id, amounts) }
    }

    override suspend fun pause(target: String, time: Duration): Unit = unlessGone { shared.pause(target, time) } ?: Unit

    override suspend fun paused(target: String): Duration? = unlessGone { shared.paused(target) }

    private inline fun <T> unlessGone(ask: () -> T): T? = try {
        ask()
    } catch (_: StoreException) { // limits count in this process alone meanwhile
        null
    }
}
