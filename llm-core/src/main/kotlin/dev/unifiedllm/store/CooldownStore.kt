package dev.unifiedllm.store

import kotlin.time.Duration

/** What processes tell each other about targets that have failed lately. Thread-safe. All functions throw [StoreException] if the store cannot be used. */
internal interface CooldownStore {
    /** [target] has failed, and asks for no requests for [rest]. */
    suspend fun began(target: String, rest: Duration)

    /** [target] has answered again, [ago]. A failure that came later stays. */
    suspend fun ended(target: String, ago: Duration)

    /** The state of each of [targets]; null: it has not failed lately. */
    suspend fun of(targets: List<String>): List<Cooldown?>
}

/** @property since how long ago the target has failed @property rest how long it asks for no requests from now on; not positive: it does not ask any more */
internal class Cooldown(val since: Duration, val rest: Duration)
