package dev.unifiedllm.store.redis

import dev.unifiedllm.store.RateClaim
import dev.unifiedllm.store.RateRefusal
import dev.unifiedllm.store.RateStore
import dev.unifiedllm.store.StoreException
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration
import kotlin.time.Duration.Companion.microseconds
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes

/**
 * Limits on a Redis server, for the processes that share it; its clock decides. A key has what counts in the order of its time (`t`), the amounts (`a`) and
 * their sum. What counts until it is settled ends to count after [lease], if its process has ended.
 */
internal class RedisRateStore(private val redis: Redis, private val lease: Duration = 10.minutes) : RateStore {
    private val reserving = RedisScript(RESERVE)
    private val settling = RedisScript(SETTLE)
    private val pausing = RedisScript(PAUSE)
    private val open = ConcurrentHashMap<String, List<RateClaim>>()

    override suspend fun reserve(id: String, claims: List<RateClaim>): RateRefusal? {
        open[id] = claims
        val values = claims.flatMap { listOf(it.amount, it.limit, it.window?.inWholeMicroseconds ?: 0) }.map { "$it" }
        val refusal = try {
            redis.call { reserving.run(it, keys(claims), listOf(id, "${lease.inWholeMicroseconds}") + values) } as List<*>
        } catch (failure: StoreException) { // what the server may have done expires
            open -= id
            throw failure
        }
        if (refusal.isEmpty()) return null
        open -= id
        val wait = (refusal[1] as Long).microseconds
        return RateRefusal((refusal[0] as Long).toInt() - 1, if (wait.isNegative()) POLL else wait.coerceAtLeast(SHORTEST))
    }

    override suspend fun settle(id: String, amounts: Map<String, Long>) {
        val claims = open.remove(id) ?: return
        val changed = claims.filter { it.window == null || it.key in amounts }
        if (changed.isEmpty()) return
        val values = changed.map { "${if (it.window == null) 0 else amounts.getValue(it.key)}" }
        redis.call { settling.run(it, keys(changed), listOf(id) + values) }
    }

    override suspend fun pause(target: String, time: Duration) {
        redis.call { pausing.run(it, listOf(pauseKey(target)), listOf("${time.inWholeMilliseconds.coerceAtLeast(1)}")) }
    }

    override suspend fun paused(target: String): Duration? = redis.call { it.pttl(pauseKey(target)) }.takeIf { it > 0 }?.milliseconds

    private fun keys(claims: List<RateClaim>) = claims.flatMap { claim -> PARTS.map { "$PREFIX$it:${claim.key}" } }

    private fun pauseKey(target: String): String = hashedKey("limit:pause", target)

    private companion object {
        /** In braces: what decides which server of a cluster has the key. */
        const val PREFIX = "{unified-llm}:limit:"
        val PARTS = listOf("t", "a")

        /** Another process may settle at any time. */
        val POLL = 100.milliseconds
        val SHORTEST = 1.milliseconds

        const val RESERVE = """
            local clock = redis.call('TIME')
            local now = clock[1] * 1000000 + clock[2]
            local worst, wait = 0, 0
            for i = 1, #KEYS / 2 do
              local times, amounts = KEYS[2 * i - 1], KEYS[2 * i]
              local amount, limit, window = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
              local life = window > 0 and window or tonumber(ARGV[2])
              for _, old in ipairs(redis.call('ZRANGEBYSCORE', times, '-inf', now - life)) do
                local gone = redis.call('HGET', amounts, old) or '0'
                if gone ~= '0' then redis.call('HINCRBY', amounts, '', '-' .. gone) end
                redis.call('HDEL', amounts, old)
                redis.call('ZREM', times, old)
              end
              local excess = tonumber(redis.call('HGET', amounts, '') or '0') + math.min(amount, limit) - limit
              local rest = 0
              if excess > 0 then
                rest = -1
                local from = 0
                while window > 0 and rest < 0 do
                  local page = redis.call('ZRANGE', times, from, from + 99, 'WITHSCORES')
                  if #page == 0 then break end
                  for p = 1, #page, 2 do
                    excess = excess - tonumber(redis.call('HGET', amounts, page[p]) or '0')
                    if excess <= 0 then rest = page[p + 1] + window - now break end
                  end
                  from = from + 100
                end
                if worst == 0 or (wait >= 0 and (rest < 0 or rest > wait)) then worst, wait = i, rest end
              end
            end
            if worst > 0 then return {worst, wait} end
            for i = 1, #KEYS / 2 do
              local times, amounts = KEYS[2 * i - 1], KEYS[2 * i]
              local window = tonumber(ARGV[3 * i + 2])
              local life = math.ceil((window > 0 and window or tonumber(ARGV[2])) / 1000) + 1000
              redis.call('ZADD', times, string.format('%.0f', now), ARGV[1])
              redis.call('HSET', amounts, ARGV[1], ARGV[3 * i])
              redis.call('HINCRBY', amounts, '', ARGV[3 * i])
              redis.call('PEXPIRE', times, life)
              redis.call('PEXPIRE', amounts, life)
            end
            return {}
        """

        /** Keeps the longer one of two pauses. */
        const val PAUSE = """
            if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
            return {}
        """

        const val SETTLE = """
            for i = 1, #KEYS / 2 do
              local times, amounts, amount = KEYS[2 * i - 1], KEYS[2 * i], ARGV[1 + i]
              local old = redis.call('HGET', amounts, ARGV[1])
              if old then
                redis.call('HINCRBY', amounts, '', string.format('%.0f', amount - old))
                if amount == '0' then
                  redis.call('HDEL', amounts, ARGV[1])
                  redis.call('ZREM', times, ARGV[1])
                else
                  redis.call('HSET', amounts, ARGV[1], amount)
                end
              end
            end
            return {}
        """
    }
}
