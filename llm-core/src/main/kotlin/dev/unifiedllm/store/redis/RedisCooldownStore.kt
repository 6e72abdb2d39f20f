package dev.unifiedllm.store.redis

import dev.unifiedllm.store.Cooldown
import dev.unifiedllm.store.CooldownStore
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds

/** Cooldowns on a Redis server, whose clock decides. One that nobody has ended is forgotten after an hour. */
internal class RedisCooldownStore(private val redis: Redis) : CooldownStore {
    private val beginning = RedisScript(BEGIN)
    private val reading = RedisScript(READ)
    private val ending = RedisScript(END)

    override suspend fun began(target: String, rest: Duration) {
        redis.call { beginning.run(it, listOf(key(target)), listOf("${rest.inWholeMilliseconds}", "${KEPT.inWholeMilliseconds}")) }
    }

    override suspend fun ended(target: String, ago: Duration) {
        redis.call { ending.run(it, listOf(key(target)), listOf("${ago.inWholeMilliseconds}")) }
    }

    override suspend fun of(targets: List<String>): List<Cooldown?> {
        val times = redis.call { reading.run(it, targets.map(::key), emptyList()) } as List<*>
        return times.chunked(2) { (since, rest) -> "$since".toLong().takeIf { it >= 0 }?.let { Cooldown(it.milliseconds, "$rest".toLong().milliseconds) } }
    }

    private fun key(target: String) = hashedKey("cooldown", target)

    private companion object {
        val KEPT = 1.hours

        const val BEGIN = """
            local clock = redis.call('TIME')
            local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
            local old = redis.call('GET', KEYS[1])
            local rest = now + tonumber(ARGV[1])
            if old then rest = math.max(rest, tonumber(string.match(old, ' (%d+)$'))) end
            redis.call('SET', KEYS[1], string.format('%.0f %.0f', now, rest), 'PX', ARGV[2])
            return {}
        """

        const val END = """
            local clock = redis.call('TIME')
            local recovered = clock[1] * 1000 + math.floor(clock[2] / 1000) - tonumber(ARGV[1])
            local value = redis.call('GET', KEYS[1])
            if value and tonumber(string.match(value, '^%d+')) <= recovered then redis.call('DEL', KEYS[1]) end
            return {}
        """

        const val READ = """
            local clock = redis.call('TIME')
            local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
            local times = {}
            for i, key in ipairs(KEYS) do
              local value = redis.call('GET', key)
              if value then
                local failed, rest = string.match(value, '^(%d+) (%d+)$')
                times[2 * i - 1], times[2 * i] = math.max(0, now - tonumber(failed)), tonumber(rest) - now
              else
                times[2 * i - 1], times[2 * i] = -1, 0
              end
            end
            return times
        """
    }
}
