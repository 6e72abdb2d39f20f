package dev.unifiedllm

import dev.unifiedllm.middleware.SharedCooldowns
import dev.unifiedllm.store.SharedBudgetStore
import dev.unifiedllm.store.SharedRateStore
import dev.unifiedllm.store.StoreException
import dev.unifiedllm.store.addDependency
import dev.unifiedllm.store.redis.Redis
import dev.unifiedllm.store.redis.RedisBudgetStore
import dev.unifiedllm.store.redis.RedisCooldownStore
import dev.unifiedllm.store.redis.RedisRateStore

/** What the clients of several processes share on one server. */
internal class SharedState private constructor(val redis: Redis) : AutoCloseable {
    val budgets: SharedBudgetStore = SharedBudgetStore(RedisBudgetStore(redis), redis.address)
    val limits: SharedRateStore = SharedRateStore(RedisRateStore(redis))
    val cooldowns: SharedCooldowns = SharedCooldowns(RedisCooldownStore(redis))

    /** @throws StoreException if the server cannot be used */
    suspend fun ping() {
        redis.call { it.ping() }
    }

    override fun close(): Unit = redis.close()

    companion object {
        /** @throws LlmException.Configuration if [url] is none of Redis, or the library for it is not on the class path */
        fun of(url: String): SharedState = try {
            SharedState(Redis.of(url))
        } catch (absent: NoClassDefFoundError) { // when the class that uses the library is loaded
            throw LlmException.Configuration(
                "State on Redis needs a library that is not on the class path. ${addDependency("redis.clients:jedis", "7.0.0")}",
                absent,
            )
        }
    }
}
