package dev.unifiedllm.middleware

import dev.unifiedllm.store.CooldownStore
import dev.unifiedllm.store.StoreException
import kotlin.time.Duration

/** The cooldowns of targets that other processes use as well. While the store is gone, each process knows its own. */
internal class SharedCooldowns(private val store: CooldownStore) {
    /** Tells the targets what other processes know of them. */
    suspend fun learn(targets: List<RoutedTarget>) {
        val named = targets.mapNotNull { target -> target.sharedName?.let { it() to target.health } }
        if (named.isEmpty()) return
        val known = unlessGone { store.of(named.map { it.first }) } ?: return
        known.forEachIndexed { index, cooldown -> cooldown?.let { named[index].second.learn(it.since, it.rest) } }
    }

    suspend fun began(target: String, rest: Duration) {
        unlessGone { store.began(target, rest) }
    }

    suspend fun ended(target: String) {
        unlessGone { store.ended(target) }
    }

    private inline fun <T> unlessGone(ask: () -> T): T? = try {
        ask()
    } catch (_: StoreException) {
        null
    }
}
