package dev.unifiedllm.store.sql

import dev.unifiedllm.LlmException
import dev.unifiedllm.store.BudgetAmounts
import dev.unifiedllm.store.BudgetClaim
import dev.unifiedllm.store.BudgetStore
import dev.unifiedllm.store.BudgetStore.Companion.LEASE
import dev.unifiedllm.store.StoreException
import dev.unifiedllm.store.storeThreads
import kotlinx.coroutines.withContext
import java.sql.Connection
import java.time.Duration

/** Budgets in a database, for the processes that share it. Accounts are deleted 40 days after their end. */
internal class SqlBudgetStore(private val now: () -> Long = System::currentTimeMillis, open: () -> Database) : BudgetStore {
    private val opened = lazy { open().also { it.migrate("budget", MIGRATIONS) } }
    private val database: Database
        get() = try {
            opened.value
        } catch (absent: LlmException.Configuration) { // a driver
            throw StoreException(absent.message.orEmpty(), absent)
        }

    override suspend fun reserve(id: String, amount: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? = write(claims) { connection ->
        val held = claims.map { connection.amounts(it.account) }
        val fits = amount == 0L || claims.indices.all { held[it].spent + held[it].reserved + amount <= claims[it].limit }
        if (!fits) return@write held
        for (claim in claims) {
            connection.update("INSERT INTO budget_reservation VALUES (?, ?, ?, ?)", claim.account, id, amount, now() + LEASE)
        }
        null
    }

    override suspend fun settle(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts> = write(claims) { connection ->
        for (claim in claims) {
            val isOpen = connection.update("DELETE FROM budget_reservation WHERE account = ? AND id = ?", claim.account, id) > 0
            if (isOpen && spent > 0) connection.spend(claim, spent)
        }
        claims.map { connection.amounts(it.account) }
    }

    override suspend fun renew(id: String, claims: List<BudgetClaim>): Unit = write(claims) { connection ->
        for (claim in claims) {
            connection.update("UPDATE budget_reservation SET lease = ? WHERE account = ? AND id = ?", now() + LEASE, claim.account, id)
        }
    }

    override suspend fun add(spent: Long, claims: List<BudgetClaim>): Unit = write(claims) { connection ->
        for (claim in claims) connection.spend(claim, spent)
    }

    override suspend fun amounts(accounts: List<String>): List<BudgetAmounts> = withContext(storeThreads) {
        database.read { connection -> accounts.map { connection.amounts(it) } }
    }

    /** Other processes wait for the accounts of [claims] until [block] has ended. */
    private suspend fun <T> write(claims: List<BudgetClaim>, block: (Connection) -> T): T = withContext(storeThreads) {
        database.write { connection ->
            claims.map { it.account }.sorted().forEach { database.dialect.lock(connection, "budget $it") }
            block(connection)
        }
    }

    /** A reservation whose time is over counts as spent: its process has ended, and the request may have been billed. */
    private fun Connection.amounts(account: String): BudgetAmounts {
        val spent = query("SELECT spent FROM budget_account WHERE account = ?", account) { it.getLong(1) }.singleOrNull() ?: 0
        val sums = "SELECT COALESCE(SUM(CASE WHEN lease > ? THEN 0 ELSE amount END), 0), COALESCE(SUM(CASE WHEN lease > ? THEN amount ELSE 0 END), 0)"
        val at = now()
        return query("$sums FROM budget_reservation WHERE account = ?", at, at, account) { BudgetAmounts(spent + it.getLong(1), it.getLong(2)) }.single()
    }

    private fun Connection.spend(claim: BudgetClaim, amount: Long) {
        val isKnown = update("UPDATE budget_account SET spent = spent + ? WHERE account = ?", amount, claim.account) > 0
        if (isKnown) return
        update("INSERT INTO budget_account VALUES (?, ?, ?)", claim.account, amount, claim.endsAt?.toEpochMilli() ?: NEVER)
        val until = now() - KEPT
        update("DELETE FROM budget_reservation WHERE account IN (SELECT account FROM budget_account WHERE ends_at < ?)", until)
        update("DELETE FROM budget_account WHERE ends_at < ?", until)
    }

    private companion object {
        val MIGRATIONS = listOf(
            "CREATE TABLE budget_account (account TEXT PRIMARY KEY, spent BIGINT NOT NULL, ends_at BIGINT NOT NULL);\n" +
                "CREATE TABLE budget_reservation (account TEXT NOT NULL, id TEXT NOT NULL, amount BIGINT NOT NULL, lease BIGINT NOT NULL, " +
                "PRIMARY KEY (account, id))",
        )
        const val NEVER = Long.MAX_VALUE
        val KEPT = Duration.ofDays(40).toMillis()
    }
}
