package dev.unifiedllm.middleware

import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Period
import dev.unifiedllm.store.BudgetAmounts
import dev.unifiedllm.store.BudgetStore
import dev.unifiedllm.store.MemoryBudgetStore
import dev.unifiedllm.store.SharedBudgetStore
import dev.unifiedllm.store.StoreException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.withContext
import java.math.BigDecimal
import java.time.Instant
import java.util.UUID

/** Where the amounts of budgets are, by their periods. */
internal class BudgetPlaces(
    private val client: BudgetStore = MemoryBudgetStore(),
    private val session: BudgetStore = client,
    private val lasting: BudgetStore = client,
) {
    /** @param context of the call; null for a report */
    fun of(period: Period, context: CallContext?): BudgetStore = when (period) {
        Period.CALL -> context?.values?.of(MemoryBudgetStore::class.java, ::MemoryBudgetStore) ?: MemoryBudgetStore()
        Period.CLIENT -> client
        Period.SESSION -> session
        Period.DAY, Period.MONTH, Period.TOTAL -> lasting
    }
}

/** What one attempt reserves of the budgets [held], in each place of them. Not thread-safe. */
internal class BudgetReservation(held: List<BudgetRule>, places: BudgetPlaces, context: CallContext, private val at: Instant) {
    private val groups = held.groupBy { places.of(it.period, context) }.map { (store, rules) -> Group(store, rules) }
    private var id = ""
    private var amount = 0L
    private var isOpen = false

    /** @property held what is spent and reserved in the account of [rule] */
    class Refusal(val rule: BudgetRule, val held: BudgetAmounts, val left: Long)

    /**
     * Reserves [amount] in all places or in none. Null: it is reserved.
     *
     * @throws StoreException if a place cannot be used, and a budget of it does not go on without it
     */
    suspend fun make(amount: Long): Refusal? {
        var tried = 0
        id = UUID.randomUUID().toString() // a new one: the end of an earlier try may be told late
        try {
            for (group in groups) {
                tried++
                val refusal = group.reserve(amount) ?: continue
                tried--
                return refusal
            }
            this.amount = amount
            isOpen = true
            return null
        } finally {
            if (!isOpen && tried > 0) withContext(NonCancellable) { groups.take(tried).forEach { it.settle(0) } }
        }
    }

    /** The places that cannot be used. */
    fun places(): List<String> = groups.mapNotNull { it.unavailable }

    /** Does nothing the second time. @param cost null or Unknown: counts as what is reserved. @return warnings about shares that have been reached */
    suspend fun settle(cost: Cost?): List<String> {
        if (!isOpen) return emptyList()
        isOpen = false
        val spent = cost?.usd()?.let { BudgetRule.pico(it.amount.min(HIGHEST)) } ?: amount
        val held = withContext(NonCancellable) { groups.map { it.settle(spent) } }
        return groups.zip(held).flatMap { (group, amounts) -> if (amounts == null) emptyList() else group.warn(amounts, spent) }
    }

    private inner class Group(private val store: BudgetStore, private val rules: List<BudgetRule>) {
        /** Budgets with one account have the lowest of their limits. */
        private val claims = rules.map { it.claim(at) }.groupBy { it.account }.values.map { same -> same.minBy { it.limit } }
        private var standIn: BudgetStore? = null

        val unavailable: String? get() = if (standIn == null) null else (store as SharedBudgetStore).place

        suspend fun reserve(amount: Long): Refusal? {
            standIn = null
            val held = try {
                store.reserve(id, amount, claims)
            } catch (failure: StoreException) {
                if (store !is SharedBudgetStore || rules.any { it.whenUnavailable == BudgetPolicy.REFUSE }) throw failure
                store.settleLater(id, 0, claims) // it may have been made
                store.standIn(claims).also { standIn = it }.reserve(id, amount, claims)
            } ?: return null
            val index = claims.indices.minBy { claims[it].limit - held[it].spent - held[it].reserved }
            val rule = rules.first { it.claim(at).run { account == claims[index].account && limit == claims[index].limit } }
            return Refusal(rule, held[index], claims[index].limit - held[index].spent - held[index].reserved)
        }

        /** What the accounts of [claims] hold then; null if that is not known. */
        suspend fun settle(spent: Long): List<BudgetAmounts>? {
            val other = standIn
            return when {
                store !is SharedBudgetStore -> store.settle(id, spent, claims)
                other == null -> store.settleOrLater(id, spent, claims)
                else -> other.settle(id, spent, claims).also { store.addLater(spent, claims) }
            }
        }

        fun warn(held: List<BudgetAmounts>, spent: Long): List<String> =
            rules.mapNotNull { rule -> rule.warn(held[claims.indexOfFirst { it.account == rule.claim(at).account }], spent, at) }
    }

    private companion object {
        /** The most that one response counts: what a server makes up must not spoil a budget. */
        val HIGHEST: BigDecimal = BigDecimal(10_000)
    }
}
