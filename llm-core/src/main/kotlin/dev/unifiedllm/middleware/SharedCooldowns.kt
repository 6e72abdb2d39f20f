package dev.unifiedllm.middleware

import dev.unifiedllm.store.Cooldown
import dev.unifiedllm.store.CooldownStore
import dev.unifiedllm.store.StoreException
import dev.unifiedllm.store.storeThreads
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/** The cooldowns of targets that other processes use as well. While the store is gone, or does not answer at once, each process knows its own. */
internal class SharedCooldowns(private val store: CooldownStore) {
    private val asking = CoroutineScope(SupervisorJob() + storeThreads)

    /** One after the other, so that what is told later counts. */
    private val telling = CoroutineScope(SupervisorJob() + storeThreads.limitedParallelism(1))

    /** Tells the targets what other processes know of them. */
    suspend fun learn(targets: List<RoutedTarget>) {
        val named = targets.mapNotNull { target -> target.sharedName?.let { it() to target.health } }
        if (named.isEmpty()) return
        val answer = asking.async { unlessGone { store.of(named.map { it.first }) } }
        val known: List<Cooldown?> = withTimeoutOrNull(PATIENCE) { answer.await() } ?: return
        known.forEachIndexed { index, cooldown -> cooldown?.let { named[index].second.learn(it.since, it.rest) } }
    }

    fun began(target: String, rest: Duration) {
        telling.launch { unlessGone { store.began(target, rest) } }
    }

    fun ended(target: String, ago: Duration) {
        telling.launch { unlessGone { store.ended(target, ago) } }
    }

    private inline fun <T> unlessGone(ask: () -> T): T? = try {
        ask()
    } catch (_: StoreException) {
        null
    }

    private companion object {
        val PATIENCE = 500.milliseconds
    }
}
