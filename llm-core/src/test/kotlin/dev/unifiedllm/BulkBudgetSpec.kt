package dev.unifiedllm

import dev.unifiedllm.BulkResult.State.DONE
import dev.unifiedllm.BulkResult.State.FAILED
import dev.unifiedllm.BulkResult.State.NOT_STARTED
import dev.unifiedllm.cache.CachedServer
import dev.unifiedllm.cache.MODEL
import dev.unifiedllm.cache.answer
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.longs.shouldBeGreaterThanOrEqual
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.withContext
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.atomic.AtomicInteger

/** Counts the tries that a budget has refused. */
private class Refusals(private val onRefused: () -> Unit = {}) : Interceptor {
    val count = AtomicInteger()

    override fun intercept(request: Request, next: Model): Flow<dev.unifiedllm.chat.Delta> = next.stream(request).catch { failure ->
        if (failure is LlmException.BudgetExceeded) {
            count.incrementAndGet()
            onRefused()
        }
        throw failure
    }
}

class BulkBudgetSpec : FunSpec({
    fun Llm.words(count: Int, concurrency: Int, limit: Int? = null): Bulk<String, *> = map(List(count) { "word $it" }, concurrency) { item ->
        chat(MODEL) {
            user(item)
            maxTokens = limit
        }
    }

    test("calls that a budget refuses because of what running ones reserve wait for their end") {
        // A call without a limit of its output may cost a cent: ten of them run, one with what is left, and five wait.
        val refused = CountDownLatch(5)
        CachedServer { request, text ->
            refused.await(10, SECONDS)
            answer(request, text)
        }.use { server ->
            val refusals = Refusals(refused::countDown)
            server.client {
                budget(Usd.of("0.10"), Period.CLIENT)
                intercept(refusals)
            }.use { llm ->
                val bulk = llm.words(100, 16)
                withContext(Dispatchers.IO) { bulk.get() }.groupingBy { it.state }.eachCount() shouldBe mapOf(DONE to 100)
                bulk.progress.stopReason.shouldBeNull()
                bulk.progress.cost shouldBe Usd.of("0.045")
                refusals.count.get() shouldBeGreaterThan 4
            }
            server.served shouldBe 100
        }
    }

    test("the bulk ends when what is spent leaves too little, not before") {
        CachedServer().use { server ->
            server.client { budget(Usd.of("0.01"), Period.CLIENT) }.use { llm ->
                val bulk = llm.words(100, 8, limit = 1_000)
                bulk.await()
                bulk.progress.done shouldBe 21 // 20 leave 0.001, of which a call may cost 0.0006 and does cost 0.00045
                bulk.progress.failed shouldBeGreaterThanOrEqual 1
                bulk.progress.finished shouldBe 100
                bulk.progress.stopReason.shouldNotBeNull() shouldContain "does not pay for this call"
            }
            server.served shouldBe 21
        }
    }

    test("the bulk ends when others hold the budget, and none of its own calls runs") {
        val open = CountDownLatch(1)
        CachedServer { request, text ->
            open.await(10, SECONDS)
            answer(request, text)
        }.use { server ->
            val refusals = Refusals()
            server.client {
                budget(Usd.of("0.001"), Period.CLIENT)
                intercept(refusals)
            }.use { llm ->
                val other = llm.chat(MODEL) {
                    user("x")
                    maxTokens = 1_500
                }.toFuture()
                withContext(Dispatchers.IO) { while (server.requests.isEmpty()) Thread.onSpinWait() }
                val bulk = llm.words(3, 1, limit = 1_000)
                bulk.await().map { it.state } shouldContainExactly listOf(FAILED, NOT_STARTED, NOT_STARTED)
                refusals.count.get() shouldBe 2 // it was tried again
                open.countDown()
                withContext(Dispatchers.IO) { other.get() }
                llm.words(1, 1, limit = 500).await().map { it.state } shouldContainExactly listOf(DONE)
            }
        }
    }

    test("a budget of each call refuses its item only") {
        CachedServer().use { server ->
            server.client { budget(Usd.of("0.001"), Period.CALL) }.use { llm ->
                val bulk = llm.map(List(20) { if (it == 3) "x".repeat(60_000) else "word $it" }, concurrency = 2) { item ->
                    chat(MODEL) {
                        user(item)
                        maxTokens = 100
                    }
                }
                bulk.await().map { it.state } shouldContainExactly List(20) { if (it == 3) FAILED else DONE }
                bulk.progress.stopReason.shouldBeNull()
            }
        }
    }

    test("a budget of a tag refuses the items with that tag only") {
        CachedServer().use { server ->
            server.client { budget(Usd.of("0.0001"), Period.CLIENT) { tag = "expensive" } }.use { llm ->
                val bulk = llm.map(List(20) { it }, concurrency = 1) { item ->
                    chat(MODEL) {
                        user("word $item")
                        if (item % 10 == 3) tag("expensive")
                        maxTokens = 1_000
                    }
                }
                bulk.await().map { it.state } shouldContainExactly List(20) { if (it % 10 == 3) FAILED else DONE }
                bulk.progress.cost shouldBe Usd.of("0.0081")
            }
        }
    }

    test("a typed call that waited is kept in the checkpoint") {
        val refused = CountDownLatch(1)
        CachedServer { request, _ ->
            refused.await(10, SECONDS)
            answer(request, """{\"text\":\"x\"}""")
        }.use { server ->
            server.client {
                budget(Usd.of("0.001"), Period.CLIENT)
                intercept(Refusals(refused::countDown))
            }.use { llm ->
                val file = java.nio.file.Files.createTempFile("bulk", ".jsonl")
                fun bulk() = llm.map(listOf("a", "b"), concurrency = 2, options = { checkpoint = file }) { item ->
                    chat(MODEL) {
                        user(item)
                        maxTokens = 800
                    }.typed<Plain>()
                }
                withContext(Dispatchers.IO) { bulk().get() }.map { it.value } shouldContainExactly List(2) { Plain("x") }
                bulk().await().map { it.isResumed } shouldContainExactly listOf(true, true)
                java.nio.file.Files.delete(file)
            }
            server.served shouldBe 2
        }
    }
})
