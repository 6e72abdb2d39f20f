package dev.unifiedllm.store

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedDeque
import kotlin.time.Duration.Companion.seconds

/**
 * A store that other processes use as well, and that can be gone for a while. What has ended meanwhile is told to it when it is back; until then [standIn]
 * counts what may go on without it.
 *
 * @property place for messages
 */
internal class SharedBudgetStore(private val store: BudgetStore, val place: String) : BudgetStore {
    private val late = ConcurrentLinkedDeque<Late>()
    private val catchingUp = Mutex()

    /** What accounts have spent, as far as [store] has told. */
    private val known = ConcurrentHashMap<String, Long>()
    private val inMemory = MemoryBudgetStore()

    /** A store in memory, which has what is known to be spent in the accounts of [claims]. */
    suspend fun standIn(claims: List<BudgetClaim>): BudgetStore {
        for (claim in claims) {
            val missing = known[claim.account]?.let { it - inMemory.amounts(listOf(claim.account)).single().spent } ?: 0
            if (missing > 0) inMemory.add(missing, listOf(claim))
        }
        return inMemory
    }

    override suspend fun reserve(id: String, amount: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? {
        catchUp()
        return store.reserve(id, amount, claims).also { held -> held?.let { learn(claims.map(BudgetClaim::account), it) } }
    }

    /** What the accounts hold; null if the store cannot be used, or takes longer than [PATIENCE]: the response that has arrived does not wait for it. */
    suspend fun settleOrLater(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? {
        val settling = background.async {
            try {
                store.settle(id, spent, claims).also { learn(claims.map(BudgetClaim::account), it) }
            } catch (_: StoreException) { // the next reservation says so
                settleLater(id, spent, claims)
                null
            }
        }
        return withTimeoutOrNull(PATIENCE) { settling.await() }
    }

    /** Ends a reservation later that the store may have made. */
    fun settleLater(id: String, spent: Long, claims: List<BudgetClaim>): Unit = later(Late(id, spent, claims))

    /** Tells the store later what a request has cost that it has no reservation for. */
    fun addLater(spent: Long, claims: List<BudgetClaim>) {
        if (spent > 0) later(Late(null, spent, claims))
    }

    override suspend fun settle(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts> = store.settle(id, spent, claims)

    override suspend fun add(spent: Long, claims: List<BudgetClaim>): Unit = store.add(spent, claims)

    override suspend fun amounts(accounts: List<String>): List<BudgetAmounts> {
        catchUp()
        return store.amounts(accounts).also { learn(accounts, it) }
    }

    private fun learn(accounts: List<String>, held: List<BudgetAmounts>) {
        accounts.forEachIndexed { index, account -> known[account] = held[index].spent }
    }

    private fun later(one: Late) {
        if (late.size < CAPACITY) late.addLast(one)
    }

    /** One at a time, so that no reservation is made before what came earlier is told. */
    private suspend fun catchUp() {
        if (late.isNotEmpty()) catchingUp.withLock { tellAll() }
    }

    private suspend fun tellAll() {
        while (true) {
            val one = late.peekFirst() ?: return
            if (one.id == null) store.add(one.spent, one.claims) else store.settle(one.id, one.spent, one.claims)
            late.removeFirst() // only now: others wait while there is something
        }
    }

    private class Late(val id: String?, val spent: Long, val claims: List<BudgetClaim>)

    private companion object {
        const val CAPACITY = 100_000
        val PATIENCE = 1.seconds

        /** Of settlements that no response waits for any more. */
        val background = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    }
}
