package dev.unifiedllm.store

import java.util.concurrent.ConcurrentLinkedDeque

/**
 * A store that other processes use as well, and that can be gone for a while. What has ended meanwhile is told to it when it is back; until then [standIn]
 * counts for this process what may go on without it.
 *
 * @property place for messages
 */
internal class SharedBudgetStore(private val store: BudgetStore, val place: String) : BudgetStore {
    private val late = ConcurrentLinkedDeque<Late>()

    @Volatile
    var standIn: BudgetStore = MemoryBudgetStore()
        private set

    override suspend fun reserve(id: String, amount: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? {
        catchUp()
        return store.reserve(id, amount, claims)
    }

    /** What the accounts hold; null if the store cannot be used: then it is told later. */
    suspend fun settleOrLater(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? = try {
        store.settle(id, spent, claims)
    } catch (_: StoreException) { // the next reservation says so
        later(Late(id, spent, claims))
        null
    }

    /** Tells the store later what a request has cost that it has no reservation for. */
    fun addLater(spent: Long, claims: List<BudgetClaim>) {
        if (spent > 0) later(Late(null, spent, claims))
    }

    override suspend fun settle(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts> = store.settle(id, spent, claims)

    override suspend fun add(spent: Long, claims: List<BudgetClaim>): Unit = store.add(spent, claims)

    override suspend fun amounts(accounts: List<String>): List<BudgetAmounts> {
        catchUp()
        return store.amounts(accounts)
    }

    private fun later(one: Late) {
        if (late.size < CAPACITY) late.addLast(one)
    }

    private suspend fun catchUp() {
        if (late.isEmpty()) return
        while (true) {
            val one = late.pollFirst() ?: break
            var isTold = false
            try {
                if (one.id == null) store.add(one.spent, one.claims) else store.settle(one.id, one.spent, one.claims)
                isTold = true
            } finally {
                if (!isTold) late.addFirst(one)
            }
        }
        standIn = MemoryBudgetStore()
    }

    private class Late(val id: String?, val spent: Long, val claims: List<BudgetClaim>)

    private companion object {
        const val CAPACITY = 100_000
    }
}
