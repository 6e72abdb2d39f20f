package dev.unifiedllm.store

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TestTimeSource

class MemoryRateStoreSpec : FunSpec({
    val time = TestTimeSource()
    fun requests(limit: Long, amount: Long = 1) = RateClaim("requests", amount, limit, 60.seconds)
    fun running(limit: Long) = RateClaim("running", 1, limit, null)

    test("a reservation is made whole or not at all") {
        val store = MemoryRateStore(time)
        store.reserve("a", listOf(requests(2), running(1))).shouldBeNull()
        val refusal = store.reserve("b", listOf(requests(2), running(1))).shouldNotBeNull()
        refusal.claim shouldBe 1
        refusal.wait shouldBe Duration.INFINITE
        store.reserve("c", listOf(requests(2))).shouldBeNull()
        store.reserved shouldBe 2
    }

    test("a refusal names the claim with the longest wait") {
        val store = MemoryRateStore(time)
        store.reserve("a", listOf(RateClaim("short", 1, 1, 10.seconds), RateClaim("long", 1, 1, 60.seconds))).shouldBeNull()
        time += 4.seconds
        val refusal = store.reserve("b", listOf(RateClaim("long", 1, 1, 60.seconds), RateClaim("short", 1, 1, 10.seconds))).shouldNotBeNull()
        refusal.claim shouldBe 0
        refusal.wait shouldBe 56.seconds
    }

    test("an amount counts for its window, from when it was taken, whenever it is settled") {
        val store = MemoryRateStore(time)
        store.reserve("a", listOf(requests(10, 6))).shouldBeNull()
        time += 20.seconds
        store.reserve("b", listOf(requests(10, 4))).shouldBeNull()
        store.settle("b", mapOf("requests" to 3))
        store.reserve("c", listOf(requests(10, 1))).shouldBeNull()
        store.reserve("d", listOf(requests(10, 6))).shouldNotBeNull().wait shouldBe 40.seconds
        store.reserve("d", listOf(requests(10, 7))).shouldNotBeNull().wait shouldBe 60.seconds
        time += 40.seconds
        store.reserve("d", listOf(requests(10, 6))).shouldBeNull()
    }

    test("what is settled once is not settled again, and what has expired is not given back") {
        val store = MemoryRateStore(time)
        store.reserve("a", listOf(requests(2), running(1))).shouldBeNull()
        store.settle("a", mapOf("requests" to 0))
        store.settle("a", mapOf("requests" to 9))
        store.settle("unknown", mapOf("requests" to 9))
        store.reserve("b", listOf(requests(2, 2), running(1))).shouldBeNull()
        time += 61.seconds
        store.reserve("c", listOf(requests(2, 2))).shouldBeNull()
        store.settle("b", mapOf("requests" to 0))
        store.reserve("d", listOf(requests(2))).shouldNotBeNull().wait shouldBe 60.seconds
        store.reserved shouldBe 1
    }

    test("an amount above the limit is taken when nothing else counts") {
        val store = MemoryRateStore(time)
        store.reserve("a", listOf(requests(10, 50))).shouldBeNull()
        store.reserve("b", listOf(requests(10, 1))).shouldNotBeNull()
        time += 60.seconds
        store.reserve("b", listOf(requests(10, 1))).shouldBeNull()
        store.reserve("c", listOf(requests(10, 50))).shouldNotBeNull().wait shouldBe 60.seconds
    }
})
