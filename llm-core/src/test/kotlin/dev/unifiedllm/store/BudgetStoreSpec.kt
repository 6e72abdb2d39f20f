package dev.unifiedllm.store

import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.PostgresServer
import dev.unifiedllm.e2e.RedisServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.redis.Redis
import dev.unifiedllm.store.redis.RedisBudgetStore
import dev.unifiedllm.store.sql.Database
import dev.unifiedllm.store.sql.DatabaseUrl
import dev.unifiedllm.store.sql.SqlBudgetStore
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import java.nio.file.Files
import java.sql.DriverManager
import java.time.Duration
import java.time.Instant
import kotlin.random.Random
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TestTimeSource
import kotlin.time.TimeSource

private const val DOLLAR = 1_000_000_000_000L

private suspend fun BudgetStore.held(account: String): Pair<Long, Long> = amounts(listOf(account)).single().let { it.spent to it.reserved }

/** All stores do the same. @param open a store at the place of that name, as another process would have it */
private fun FunSpec.same(title: String, open: (place: String, now: () -> Long) -> BudgetStore) {
    test("$title: what is reserved is given back or spent, once, and a limit holds to the last unit") {
        val store = open("a", System::currentTimeMillis)
        val claims = listOf(BudgetClaim("all", 3 * DOLLAR), BudgetClaim("day/it's", 2 * DOLLAR + 1, Instant.now().plusSeconds(3_600)))
        store.reserve("1", DOLLAR, claims).shouldBeNull()
        store.reserve("2", DOLLAR + 2, claims).shouldNotBeNull().map { it.spent to it.reserved } shouldBe List(2) { 0L to DOLLAR }
        store.reserve("2", DOLLAR + 1, claims).shouldBeNull()
        store.settle("1", 5, claims).map { it.spent to it.reserved } shouldBe List(2) { 5L to DOLLAR + 1 }
        store.settle("1", 5, claims).first().spent shouldBe 5
        store.settle("2", 0, claims).map { it.spent to it.reserved } shouldBe List(2) { 5L to 0L }
        store.reserve("3", 0, listOf(BudgetClaim("all", 0))).shouldBeNull()
        store.settle("3", 3 * DOLLAR, listOf(BudgetClaim("all", 0))).single().spent shouldBe 3 * DOLLAR + 5
        store.reserve("4", 0, claims).shouldBeNull()
        store.reserve("5", 1, claims).shouldNotBeNull()
        store.add(7, claims)
        store.held("day/it's") shouldBe (12L to 0L)
        store.held("nobody's") shouldBe (0L to 0L)
    }

    test("$title: of many reservations at a time by two clients exactly those that fit are made") {
        val stores = List(2) { open("b", System::currentTimeMillis) }
        val claims = listOf(BudgetClaim("x", 100), BudgetClaim("y", 1_000))
        coroutineScope {
            val made = List(60) { index -> async(Dispatchers.Default) { stores[index % 2].reserve("$index", 10, claims) == null } }.awaitAll()
            made.count { it } shouldBe 10
            stores.first().held("x") shouldBe (0L to 100L)
            made.mapIndexed { index, isMade -> async(Dispatchers.Default) { if (isMade) stores[1 - index % 2].settle("$index", 3, claims) } }.awaitAll()
        }
        stores.last().held("x") shouldBe (30L to 0L)
        stores.first().held("y") shouldBe (30L to 0L)
    }

    test("$title: random reservations and settlements are those of the store in memory") {
        val random = Random(7)
        val store = open("c", System::currentTimeMillis)
        val memory = MemoryBudgetStore()
        val claims = List(3) { BudgetClaim("account $it", random.nextLong(50) * DOLLAR) }
        repeat(150) { step ->
            val some = claims.filter { random.nextBoolean() }.ifEmpty { claims }
            val id = "$step"
            val amount = random.nextLong(5 * DOLLAR)
            val isMade = memory.reserve(id, amount, some) == null
            (store.reserve(id, amount, some) == null) shouldBe isMade
            if (isMade && random.nextInt(3) > 0) {
                val spent = random.nextLong(amount + 1)
                memory.settle(id, spent, some)
                store.settle(id, spent, some)
            }
            for (claim in claims) store.held(claim.account) shouldBe memory.held(claim.account)
        }
    }

    test("fault 198, $title: what a process has reserved that ended then counts for ever, and as spent after ten minutes") {
        val now = System.currentTimeMillis()
        val claims = listOf(BudgetClaim("left", 10))
        open("d") { now }.reserve("left", 6, claims).shouldBeNull()
        open("d") { now + BudgetStore.LEASE - 1 }.held("left") shouldBe (0L to 6L)
        val later = open("d") { now + BudgetStore.LEASE + 1 }
        later.held("left") shouldBe (6L to 0L)
        later.reserve("new", 5, claims).shouldNotBeNull()
        later.reserve("new", 4, claims).shouldBeNull()
        later.settle("left", 2, claims).single().spent shouldBe 2 // it had not ended
        later.held("left") shouldBe (2L to 4L)
    }
}

class BudgetStoreSpec : FunSpec({
    val folder = Files.createTempDirectory("budgets")
    val databases = mutableListOf<AutoCloseable>()
    afterSpec {
        databases.forEach { it.close() }
        folder.toFile().deleteRecursively()
    }

    fun sql(url: String, now: () -> Long) = SqlBudgetStore(now) { Database.open(DatabaseUrl.of(url)).also(databases::add) }
    same("SQLite") { place, now -> sql("${folder.resolve("$place.db")}", now) }

    test("SQLite: an account is deleted 40 days after its end, with what was reserved there") {
        val file = "${folder.resolve("old.db")}"
        val now = System.currentTimeMillis()
        val old = listOf(BudgetClaim("old", 10, Instant.ofEpochMilli(now)))
        sql(file) { now }.run {
            add(1, old)
            reserve("left", 2, old).shouldBeNull()
        }
        val later = sql(file) { now + Duration.ofDays(40).toMillis() + 1 }
        later.held("old") shouldBe (3L to 0L)
        later.add(1, listOf(BudgetClaim("new", 10)))
        later.held("old") shouldBe (0L to 0L)
    }

    needs(OptionalProgram.POSTGRES) {
        val server by lazy { PostgresServer() }
        val urls = HashMap<String, String>()
        afterSpec { server.close() }
        same("PostgreSQL") { place, now -> sql(urls.getOrPut(place) { server.database(place) }, now) }

        test("PostgreSQL: a response does not wait for a database that hangs, and is counted when it goes on") {
            val url = server.database("hanging")
            val store = SharedBudgetStore(sql(url, System::currentTimeMillis), "there")
            val claims = listOf(BudgetClaim("x", 100))
            store.reserve("1", 50, claims).shouldBeNull()
            DriverManager.getConnection(url).use { other ->
                other.autoCommit = false
                other.createStatement().use { it.execute("LOCK TABLE budget_reservation") }
                val begun = TimeSource.Monotonic.markNow()
                store.settleOrLater("1", 20, claims).shouldBeNull()
                begun.elapsedNow() shouldBeLessThan 2.seconds
                other.rollback()
            }
            eventually(10.seconds) { store.held("x") shouldBe (20L to 0L) }
        }
    }

    needs(OptionalProgram.REDIS) {
        val server by lazy { RedisServer() }
        afterSpec { server.close() }
        fun redis(place: String) = Redis.of("${server.url}/${place.first() - 'a'}").also(databases::add)
        same("Redis") { place, now -> RedisBudgetStore(redis(place), now) }

        test("Redis: while the server is gone nothing is reserved, and what has ended meanwhile is told to it when it is back") {
            val time = TestTimeSource()
            RedisServer().use { own ->
                val redis = Redis.of(own.url, time).also(databases::add)
                val store = SharedBudgetStore(RedisBudgetStore(redis), "there", time = time)
                val claims = listOf(BudgetClaim("x", 100))
                store.reserve("1", 50, claims).shouldBeNull()
                own.pause()
                shouldThrow<StoreException> { store.reserve("2", 10, claims) }
                store.settleOrLater("2", 0, claims).shouldBeNull() // the server may do it when it goes on
                store.settleOrLater("1", 20, claims).shouldBeNull()
                store.addLater(5, claims)
                own.goOn()
                time += Redis.PAUSE
                store.held("x") shouldBe (25L to 0L)
                own.kill()
                time += Redis.PAUSE
                shouldThrow<StoreException> { store.reserve("3", 10, claims) }
                own.start() // without data
                time += Redis.PAUSE
                store.reserve("4", 100, claims).shouldBeNull()
                store.held("x") shouldBe (0L to 100L)
                (store.settleOrLater("4", 1, claims) != null).shouldBeTrue()
            }
        }
    }
})
