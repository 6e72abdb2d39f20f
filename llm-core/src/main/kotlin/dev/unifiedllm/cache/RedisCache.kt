package dev.unifiedllm.cache

import dev.unifiedllm.store.redis.Redis
import redis.clients.jedis.params.SetParams
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days

/** Keeps entries on a Redis server. One without a time to live is kept for 30 days. */
internal class RedisCache(private val redis: Redis) : CacheStore {
    override suspend fun get(key: String, warnings: MutableList<String>): ByteArray? = redis.call { it.get(name(key)) }

    override suspend fun put(key: String, entry: ByteArray, ttl: Duration?, warnings: MutableList<String>) {
        val millis = (ttl ?: LONGEST).coerceAtMost(LONGEST).inWholeMilliseconds.coerceAtLeast(1)
        redis.call { it.set(name(key), entry, SetParams.setParams().px(millis)) }
    }

    override suspend fun remove(key: String) {
        redis.call { it.del(name(key)) }
    }

    private fun name(key: String) = "$PREFIX$key".encodeToByteArray()

    /** The server is that of the client. */
    override fun close() {}

    private companion object {
        const val PREFIX = "unified-llm:cache:"
        val LONGEST = 30.days
    }
}
