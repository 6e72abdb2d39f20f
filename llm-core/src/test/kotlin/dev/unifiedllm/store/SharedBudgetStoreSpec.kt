package dev.unifiedllm.store

import dev.unifiedllm.store.sql.Database
import dev.unifiedllm.store.sql.DatabaseUrl
import dev.unifiedllm.store.sql.SqlBudgetStore
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import java.nio.file.Files
import java.util.concurrent.atomic.AtomicLong
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

private val CLAIMS = listOf(BudgetClaim("TOTAL/job", 100, null))
private val ACCOUNTS = CLAIMS.map { it.account }

/** A store whose reservations wait for [answers], and which fails while [isGone]. */
private class SlowStore(val answers: CompletableDeferred<Unit> = CompletableDeferred()) : BudgetStore {
    val inside = MemoryBudgetStore()

    @Volatile
    var isGone = false

    override suspend fun reserve(id: String, amount: Long, claims: List<BudgetClaim>): List<BudgetAmounts>? {
        answers.await()
        return unlessGone { inside.reserve(id, amount, claims) }
    }

    override suspend fun settle(id: String, spent: Long, claims: List<BudgetClaim>) = unlessGone { inside.settle(id, spent, claims) }

    override suspend fun renew(id: String, claims: List<BudgetClaim>) = unlessGone { inside.renew(id, claims) }

    override suspend fun add(spent: Long, claims: List<BudgetClaim>) = unlessGone { inside.add(spent, claims) }

    override suspend fun amounts(accounts: List<String>) = unlessGone { inside.amounts(accounts) }

    private inline fun <T> unlessGone(use: () -> T): T = if (isGone) throw StoreException("it is gone.") else use()
}

class SharedBudgetStoreSpec : FunSpec({
    val folder = Files.createTempDirectory("shared-budgets")
    afterSpec { folder.toFile().deleteRecursively() }

    test("the lease of a request that runs for long is renewed; that of one that has ended is not") {
        val clock = AtomicLong(1_000_000)
        val file = DatabaseUrl.of(folder.resolve("renewed.db"))
        fun store() = SqlBudgetStore(clock::get) { Database.open(file) }
        SharedBudgetStore(store(), "the file", renewEvery = 20.milliseconds).use { shared ->
            val other = store()
            shared.reserve("long", 40, CLAIMS) shouldBe null
            other.reserve("dead", 30, CLAIMS) shouldBe null // its process has ended
            clock.addAndGet(BudgetStore.LEASE - 1)
            eventually(10.seconds) {
                clock.addAndGet(1)
                other.amounts(ACCOUNTS).single().run { spent to reserved } shouldBe (30L to 40L)
            }
            clock.addAndGet(BudgetStore.LEASE - 1)
            eventually(10.seconds) {
                clock.addAndGet(1)
                other.amounts(ACCOUNTS).single().run { spent to reserved } shouldBe (30L to 40L)
            }
            shared.settle("long", 5, CLAIMS)
            other.amounts(ACCOUNTS).single().run { spent to reserved } shouldBe (35L to 0L)
        }
    }

    test("a store that does not answer is waited for once; what it reserves later is given back") {
        val store = SlowStore()
        SharedBudgetStore(store, "the server", patience = 50.milliseconds).use { shared ->
            shouldThrow<StoreException> { shared.reserve("a", 40, CLAIMS) }.message!! shouldContain "the server did not answer within 50ms"
            shouldThrow<StoreException> { shared.reserve("b", 40, CLAIMS) }.message!! shouldContain "did not answer a moment ago"
            store.answers.complete(Unit)
            eventually(10.seconds) { shared.reserve("c", 100, CLAIMS) shouldBe null }
        }
    }

    test("a reservation that is cancelled while it waits is given back") {
        val store = SlowStore()
        SharedBudgetStore(store, "the server", patience = 1.minutes).use { shared ->
            val waiting = async(start = CoroutineStart.UNDISPATCHED) { shared.reserve("a", 100, CLAIMS) }
            waiting.cancelAndJoin()
            store.answers.complete(Unit)
            eventually(10.seconds) {
                shared.reserve("b", 100, CLAIMS) shouldBe null
            }
        }
    }

    test("what could not be told is told when the client is closed") {
        val store = SlowStore(CompletableDeferred(Unit))
        val shared = SharedBudgetStore(store, "the server")
        shared.reserve("a", 40, CLAIMS) shouldBe null
        store.isGone = true
        shared.settleOrLater("a", 7, CLAIMS) shouldBe null
        store.isGone = false
        shared.close()
        store.inside.amounts(ACCOUNTS).single().run { spent to reserved } shouldBe (7L to 0L)
    }

    test("a server that is gone does not hold up the end of a client") {
        val store = SlowStore(CompletableDeferred(Unit))
        val shared = SharedBudgetStore(store, "the server")
        store.isGone = true
        shared.addLater(7, CLAIMS)
        shared.close()
        store.isGone = false
        store.inside.amounts(ACCOUNTS).single().spent shouldBe 0
    }
})
