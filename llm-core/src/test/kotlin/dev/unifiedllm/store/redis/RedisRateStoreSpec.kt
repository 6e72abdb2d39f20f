package dev.unifiedllm.store.redis

import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.RedisServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.MemoryRateStore
import dev.unifiedllm.store.RateClaim
import dev.unifiedllm.store.RateStore
import dev.unifiedllm.store.SharedRateStore
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.comparables.shouldBeGreaterThan
import io.kotest.matchers.comparables.shouldBeLessThanOrEqualTo
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TestTimeSource

class RedisRateStoreSpec : FunSpec({
    needs(OptionalProgram.REDIS) {
        val server by lazy { RedisServer() }
        val opened = mutableListOf<Redis>()
        afterSpec {
            opened.forEach { it.close() }
            server.close()
        }

        fun store(database: Int, lease: Duration = 1.hours) = RedisRateStore(Redis.of("${server.url}/$database").also(opened::add), lease)

        test("random reservations and settlements of two clients are those of the store in memory") {
            val random = Random(3)
            val stores = List(2) { store(1) }
            val memory = MemoryRateStore()
            val claims = List(4) { RateClaim("limit $it", 0, 5L + 20 * it, if (it % 2 == 0) 1.hours else null) }
            val open = mutableListOf<Pair<String, RateStore>>()
            repeat(600) { step ->
                if (open.isNotEmpty() && random.nextInt(3) == 0) {
                    val (id, store) = open.removeAt(random.nextInt(open.size))
                    val amounts = claims.filter { random.nextBoolean() }.associate { it.key to random.nextLong(12) }
                    memory.settle(id, amounts)
                    store.settle(id, amounts)
                } else {
                    val id = "$step"
                    val some = claims.filter { random.nextBoolean() }.map { RateClaim(it.key, random.nextLong(1, 12), it.limit, it.window) }
                    val expected = memory.reserve(id, some)
                    val store = stores[step % 2]
                    val refusal = store.reserve(id, some)
                    withClue("step $step") {
                        (refusal == null) shouldBe (expected == null)
                        if (expected == null) open += id to store
                        if (refusal != null && expected!!.wait.isFinite()) {
                            refusal.claim shouldBe expected.claim
                            (refusal.wait - expected.wait).absoluteValue shouldBeLessThanOrEqualTo 5.seconds
                        }
                    }
                }
            }
        }

        test("of many requests at a time by two clients exactly as many are let through as the limit allows, and more when the window is over") {
            val stores = List(2) { store(2) }
            val window = 400.milliseconds
            val claims = listOf(RateClaim("a", 1, 7, window))
            val refusals = coroutineScope { List(40) { async(Dispatchers.Default) { stores[it % 2].reserve("$it", claims) } }.awaitAll() }
            val waits = refusals.filterNotNull().map { it.wait }
            if (waits.none { it <= 1.milliseconds }) waits.size shouldBe 33 // else the window was over meanwhile
            waits.forEach { it shouldBeLessThanOrEqualTo window }
            delay(waits.max())
            coroutineScope { List(7) { async(Dispatchers.Default) { stores[it % 2].reserve("again $it", claims) } }.awaitAll() }.count { it != null } shouldBe 0
        }

        test("what is taken until it is settled is given back by the other client, or after its lease") {
            val claims = listOf(RateClaim("running", 1, 1, null))
            val (one, two) = List(2) { store(3) }
            one.reserve("1", claims).shouldBeNull()
            two.reserve("2", claims).shouldNotBeNull().wait shouldBe 100.milliseconds
            one.settle("1", emptyMap())
            two.reserve("2", claims).shouldBeNull()
            val later = store(3, lease = Duration.ZERO)
            delay(2)
            later.reserve("3", claims).shouldBeNull()
        }

        test("what counts for nothing is taken and expires") {
            val claims = listOf(RateClaim("nothing", 0, 1, 1.milliseconds))
            repeat(3) {
                store(5).reserve("$it", claims).shouldBeNull()
                delay(3)
            }
        }

        test("a pause that a provider asks of one client holds for all") {
            val (one, two) = List(2) { store(4) }
            two.paused("test/m https://there").shouldBeNull()
            one.pause("test/m https://there", 30.seconds)
            two.paused("test/m https://there").shouldNotBeNull() shouldBeGreaterThan 20.seconds
            two.paused("test/m https://elsewhere").shouldBeNull()
            two.pause("test/m https://there", 1.seconds)
            one.paused("test/m https://there").shouldNotBeNull() shouldBeGreaterThan 20.seconds
        }

        test("without the server a limit counts what this process has taken, and all again when it is back") {
            val time = TestTimeSource()
            RedisServer().use { own ->
                val claims = listOf(RateClaim("a", 1, 3, 1.hours))
                fun client() = SharedRateStore(RedisRateStore(Redis.of(own.url, time).also(opened::add)))
                val (one, two) = List(2) { client() }
                one.reserve("1", claims).shouldBeNull()
                two.reserve("2", claims).shouldBeNull()
                own.kill()
                one.reserve("3", claims).shouldBeNull()
                one.reserve("4", claims).shouldBeNull()
                one.reserve("5", claims).shouldNotBeNull()
                two.reserve("6", claims).shouldBeNull()
                one.paused("x").shouldBeNull()
                one.pause("x", 1.seconds)
                own.start()
                time += Redis.PAUSE
                repeat(3) { two.reserve("new $it", claims).shouldBeNull() }
                one.reserve("7", claims).shouldNotBeNull()
            }
        }
    }
})
