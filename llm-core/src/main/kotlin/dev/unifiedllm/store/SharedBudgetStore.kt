package dev.unifiedllm.store

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.delay
import kotlinx.coroutines.job
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedDeque
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource

/**
 * A store that other processes use as well, and that can be gone for a while. What has ended meanwhile is told to it when it is back; until then [standIn]
 * counts what may go on without it. The leases of reservations whose requests run for long are renewed.
 *
 * A reservation waits for the store for [patience]. After that, and after a failure, those of the next second fail at once.
 *
 * @property place for messages
 */
internal class SharedBudgetStore(
    private val store: BudgetStore,
    val place: String,
    private val patience: Duration = 10.seconds,
    private val renewEvery: Duration = (BudgetStore.LEASE / 3).milliseconds,
    private val time: TimeSource = TimeSource.Monotonic,
) : BudgetStore, AutoCloseable {
    private val background = CoroutineScope(SupervisorJob() + storeThreads)
    private val late = ConcurrentLinkedDeque<Late>()
    private val catchingUp = Mutex()
    private val open = ConcurrentHashMap<String, Held>()
    private val isRenewing = AtomicBoolean()

    @Volatile
    private var renewer: Job? = null

    @Volatile
    private var failedAt: TimeMark? = null

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
        if (failedAt?.let { it.elapsedNow() < PAUSE } == true) throw StoreException("$place did not answer a moment ago.")
        val isDecided = AtomicBoolean()
        val reserving = background.async {
            val held = try {
                catchUp()
                store.reserve(id, amount, claims)
            } catch (failure: StoreException) {
                return@async Result.failure(failure)
            }
            if (!isDecided.compareAndSet(false, true)) settleOrLater(id, 0, claims) // nobody waits for it any more
            Result.success(held)
        }
        val held = answer(reserving, isDecided)
        if (held == null) hold(id, claims) else learn(claims.map(BudgetClaim::account), held)
        return held
    }

    private suspend fun <T> answer(asking: Deferred<Result<T>>, isDecided: AtomicBoolean): T {
        var isAnswered = false
        try {
            val answer = withTimeoutOrNull(patience) { asking.await() }
            isAnswered = answer != null || !isDecided.compareAndSet(false, true)
            val result = answer ?: if (isAnswered) asking.await() else null
            failedAt = if (result?.isSuccess == true) null else time.markNow()
            return (result ?: throw StoreException("$place did not answer within $patience.")).getOrThrow()
        } finally {
            if (!isAnswered) isDecided.set(true)
        }
    }

    /** What the accounts hold; null if the store cannot be used, or takes longer than [MOMENT]: the response that has arrived does not wait for it. */
    suspend fun settleOrLater(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? {
        open -= id
        val settling = background.async {
            try {
                store.settle(id, spent, claims).also { learn(claims.map(BudgetClaim::account), it) }
            } catch (_: StoreException) { // the next reservation says so
                settleLater(id, spent, claims)
                null
            } catch (cancelled: CancellationException) { // the client is closed
                settleLater(id, spent, claims)
                throw cancelled
            } catch (_: RuntimeException) { // of a driver: as if the store were gone, and the next reservation fails with it
                settleLater(id, spent, claims)
                null
            }
        }
        return withTimeoutOrNull(MOMENT) { settling.await() }
    }

    /** Ends a reservation later that the store may have made. */
    fun settleLater(id: String, spent: Long, claims: List<BudgetClaim>) {
        open -= id
        later(Late(id, spent, claims))
    }

    /** Tells the store later what a request has cost that it has no reservation for. */
    fun addLater(spent: Long, claims: List<BudgetClaim>) {
        if (spent > 0) later(Late(null, spent, claims))
    }

    override suspend fun settle(id: String, spent: Long, claims: List<BudgetClaim>): List<BudgetAmounts> {
        open -= id
        return store.settle(id, spent, claims)
    }

    override suspend fun renew(id: String, claims: List<BudgetClaim>): Unit = store.renew(id, claims)

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

    private fun hold(id: String, claims: List<BudgetClaim>) {
        open[id] = Held(claims)
        if (isRenewing.compareAndSet(false, true)) renewer = background.launch { renewLeases() }
    }

    private suspend fun renewLeases() {
        while (true) {
            delay(renewEvery)
            isRenewing.set(false)
            if (open.isEmpty() || !isRenewing.compareAndSet(false, true)) return
            for ((id, held) in open) {
                if (held.since.elapsedNow() < renewEvery) continue
                try {
                    store.renew(id, held.claims)
                } catch (_: StoreException) { // the next time
                    break
                } catch (cancelled: CancellationException) {
                    throw cancelled
                } catch (_: RuntimeException) { // of a driver: the others may be renewed; the settlement meets it again
                    continue
                }
            }
        }
    }

    /** Waits a moment for what is being told, and tells once more what could not be told. What is still unknown then counts as its reservation. */
    override fun close() {
        renewer?.cancel()
        val running = background.coroutineContext.job
        runBlocking {
            withTimeoutOrNull(CLOSING) {
                running.children.toList().joinAll()
                background.launch { tellOnce() }.join()
            }
        }
        running.cancelChildren()
    }

    private suspend fun tellOnce() = try {
        catchUp()
    } catch (_: StoreException) { // the server is gone still
    }

    private class Late(val id: String?, val spent: Long, val claims: List<BudgetClaim>)

    private class Held(val claims: List<BudgetClaim>) {
        val since: TimeMark = TimeSource.Monotonic.markNow()
    }

    private companion object {
        const val CAPACITY = 100_000
        val MOMENT = 1.seconds
        val PAUSE = 1.seconds
        val CLOSING = 2.seconds
    }
}
