package dev.unifiedllm.store.redis

import dev.unifiedllm.store.BudgetAmounts
import dev.unifiedllm.store.BudgetClaim
import dev.unifiedllm.store.BudgetStore
import dev.unifiedllm.store.BudgetStore.Companion.LEASE
import java.time.Duration

/**
 * Budgets on a Redis server, for the processes that share it. An account is a hash: what is `spent` and `held`, and each reservation with the time of its
 * lease. It is deleted 8 days after its end.
 *
 * Scripts compare amounts as double numbers, whose error is far below a micro dollar up to a million dollars; sums are exact.
 */
internal class RedisBudgetStore(private val redis: Redis, private val now: () -> Long = System::currentTimeMillis) : BudgetStore {
    private val reserving = RedisScript(RESERVE)
    private val settling = RedisScript(SETTLE)
    private val renewing = RedisScript(RENEW)

    override suspend fun reserve(id: String, amount: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? {
        val limits = claims.flatMap { listOf("${it.limit}", "${keptUntil(it)}") }
        val held = redis.call { reserving.run(it, keys(claims), listOf(id, "$amount", "${now() + LEASE}") + limits) } as List<*>
        return if (held.isEmpty()) null else held.chunked(2) { (spent, reserved) -> BudgetAmounts("$spent".toLong(), "$reserved".toLong()) }
    }

    override suspend fun settle(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts> {
        redis.call { settling.run(it, keys(claims), listOf(id, "$spent") + claims.map { claim -> "${keptUntil(claim)}" }) }
        return amounts(claims.map { it.account })
    }

    override suspend fun renew(id: String, claims: List<BudgetClaim>) {
        redis.call { renewing.run(it, keys(claims), listOf(id, "${now() + LEASE}")) }
    }

    override suspend fun add(spent: Long, claims: List<BudgetClaim>) {
        redis.call { settling.run(it, keys(claims), listOf("", "$spent") + claims.map { claim -> "${keptUntil(claim)}" }) }
    }

    override suspend fun amounts(accounts: List<String>): List<BudgetAmounts> = redis.call { redis -> accounts.map { amounts(redis.hgetAll(PREFIX + it)) } }

    /** A reservation whose time is over counts as spent: its process has ended, and the request may have been billed. */
    private fun amounts(fields: Map<String, String>): BudgetAmounts {
        val at = now()
        val over = fields.filterKeys { it.startsWith(RESERVATION) }.values.sumOf { value ->
            val (amount, lease) = value.split(' ').map(String::toLong)
            if (lease > at) 0 else amount
        }
        return BudgetAmounts((fields["spent"]?.toLong() ?: 0) + over, (fields["held"]?.toLong() ?: 0) - over)
    }

    private fun keys(claims: List<BudgetClaim>) = claims.map { PREFIX + it.account }

    /** In milliseconds; 0: for ever. */
    private fun keptUntil(claim: BudgetClaim): Long = claim.endsAt?.plus(KEPT)?.toEpochMilli() ?: 0

    private companion object {
        /** In braces: what decides which server of a cluster has the key. */
        const val PREFIX = "{unified-llm}:budget:"
        const val RESERVATION = "r:"
        val KEPT: Duration = Duration.ofDays(8)

        const val RESERVE = """
            local amount = tonumber(ARGV[2])
            local held, fits = {}, true
            for i, key in ipairs(KEYS) do
              local has = redis.call('HMGET', key, 'spent', 'held')
              held[2 * i - 1], held[2 * i] = has[1] or '0', has[2] or '0'
              if tonumber(held[2 * i - 1]) + tonumber(held[2 * i]) + amount > tonumber(ARGV[2 + 2 * i]) then fits = false end
            end
            if amount > 0 and not fits then return held end
            for i, key in ipairs(KEYS) do
              redis.call('HINCRBY', key, 'held', ARGV[2])
              redis.call('HSET', key, 'r:' .. ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
              if ARGV[3 + 2 * i] ~= '0' then redis.call('PEXPIREAT', key, ARGV[3 + 2 * i]) end
            end
            return {}
        """

        const val RENEW = """
            for i, key in ipairs(KEYS) do
              local reservation = redis.call('HGET', key, 'r:' .. ARGV[1])
              if reservation then redis.call('HSET', key, 'r:' .. ARGV[1], string.match(reservation, '^%d+') .. ' ' .. ARGV[2]) end
            end
            return {}
        """

        const val SETTLE = """
            for i, key in ipairs(KEYS) do
              local counts = ARGV[1] == ''
              local reservation = redis.call('HGET', key, 'r:' .. ARGV[1])
              if reservation then
                counts = true
                local amount = string.match(reservation, '^%d+')
                if amount ~= '0' then redis.call('HINCRBY', key, 'held', '-' .. amount) end
                redis.call('HDEL', key, 'r:' .. ARGV[1])
              end
              if counts then
                redis.call('HINCRBY', key, 'spent', ARGV[2])
                if ARGV[2 + i] ~= '0' then redis.call('PEXPIREAT', key, ARGV[2 + i]) end
              end
            end
            return {}
        """
    }
}
