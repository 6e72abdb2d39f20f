package dev.unifiedllm.store

import java.time.Instant

/**
 * The part that a budget has in a reservation. Amounts are in pico dollars (1e-12).
 *
 * @property account what is spent and reserved under one name counts together
 * @property limit the most that may be spent and reserved there
 * @property endsAt when nothing is reserved there any more; null if it has no end
 */
internal class BudgetClaim(val account: String, val limit: Long, val endsAt: Instant? = null)

/** What an account holds. @property spent by requests that have ended @property reserved by requests that run */
internal class BudgetAmounts(val spent: Long, val reserved: Long) {
    companion object {
        val NONE: BudgetAmounts = BudgetAmounts(0, 0)
    }
}

/**
 * What has been spent and reserved of budgets. Thread-safe. Each operation is atomic, over all processes that share the store.
 *
 * A reservation that is never settled, because its process has ended, counts for ever: its request may have been billed. [LEASE] after it was made or renewed
 * it counts as spent.
 *
 * All functions throw [StoreException] if the store cannot be used.
 */
internal interface BudgetStore {
    /** Reserves [amount] in all of [claims], whose accounts differ, under the new name [id]; an amount of 0 always. Null: it is reserved. Else what they hold. */
    suspend fun reserve(id: String, amount: Long, claims: List<BudgetClaim>): List<BudgetAmounts>?

    /** Replaces the reservation [id] by what was [spent]; nothing happens if there is no such reservation. @return what the accounts of [claims] hold then */
    suspend fun settle(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts>

    /** Begins the lease of the reservation [id] again: its request runs still. */
    suspend fun renew(id: String, claims: List<BudgetClaim>)

    /** Adds what was [spent] without a reservation. */
    suspend fun add(spent: Long, claims: List<BudgetClaim>)

    suspend fun amounts(accounts: List<String>): List<BudgetAmounts>

    companion object {
        /** How long a reservation counts as that of a running request, in milliseconds. */
        const val LEASE: Long = 600_000
    }
}

/** The budgets of one process. */
internal class MemoryBudgetStore : BudgetStore {
    private class Account {
        var spent = 0L
        var reserved = 0L

        fun amounts() = BudgetAmounts(spent, reserved)
    }

    private val accounts = HashMap<String, Account>()
    private val open = HashMap<String, Long>()

    override suspend fun reserve(id: String, amount: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? = synchronized(accounts) {
        val held = of(claims)
        val fits = amount == 0L || claims.indices.all { held[it].spent + held[it].reserved + amount <= claims[it].limit }
        if (!fits) return held.map { it.amounts() }
        for (account in held) account.reserved += amount
        open[id] = amount
        null
    }

    override suspend fun settle(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts> = synchronized(accounts) {
        val held = of(claims)
        open.remove(id)?.let { amount ->
            for (account in held) {
                account.reserved -= amount
                account.spent += spent
            }
        }
        held.map { it.amounts() }
    }

    override suspend fun renew(id: String, claims: List<BudgetClaim>): Unit = Unit

    override suspend fun add(spent: Long, claims: List<BudgetClaim>): Unit = synchronized(accounts) {
        for (account in of(claims)) account.spent += spent
    }

    override suspend fun amounts(accounts: List<String>): List<BudgetAmounts> = synchronized(this.accounts) {
        accounts.map { this.accounts[it]?.amounts() ?: BudgetAmounts.NONE }
    }

    private fun of(claims: List<BudgetClaim>) = claims.map { accounts.getOrPut(it.account, ::Account) }
}
