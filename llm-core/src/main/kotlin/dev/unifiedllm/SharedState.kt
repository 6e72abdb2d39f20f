package dev.unifiedllm

import dev.unifiedllm.store.SharedBudgetStore
import dev.unifiedllm.store.SharedRateStore
import dev.unifiedllm.store.redis.Redis
import dev.unifiedllm.store.redis.RedisBudgetStore
import dev.unifiedllm.store.redis.RedisRateStore

/** What the clients of several processes share on one server. */
internal class SharedState private constructor(val redis: Redis) : AutoCloseable {
    val budgets: SharedBudgetStore = SharedBudgetStore(RedisBudgetStore(redis), redis.address)
    val limits: SharedRateStore = SharedRateStore(RedisRateStore(redis))

    override fun close(): Unit = redis.close()

    companion object {
        /** @throws LlmException.Configuration if [url] is none of Redis, or the library for it is not on the class path */
        fun of(url: String): SharedState = SharedState(Redis.of(url))
    }
}
