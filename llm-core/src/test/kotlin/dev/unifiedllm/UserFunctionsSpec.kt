package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RunningFunctions
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.flow.flow
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CountDownLatch
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

private const val MANY = 200

class UserFunctionsSpec : FunSpec({
    test("200 functions that each wait for another call of the same client all end") {
        client().use { llm ->
            val outer = Models.simple { prompt -> llm.chat(saying("test/inner", prompt, "!"), "x").get().text }
            val futures = List(MANY) { llm.chat(outer, "$it").toFuture() }
            futures.mapIndexed { index, future -> future.get(30, SECONDS).text shouldBe "$index!" }
        }
    }

    test("asking which functions are left is safe while they begin and end") {
        val functions = RunningFunctions()
        val isOver = AtomicBoolean()
        val other = thread {
            while (!isOver.get()) RunningFunctions.Running("f").let { one -> functions.began(one).also { functions.ended(one) } }
        }
        try {
            repeat(20_000) { functions.left() }
        } finally {
            isOver.set(true)
            other.join()
        }
    }

    test("so do interceptors that wait for another call in the middle of a call, in Kotlin and by publishers") {
        val kotlin = Interceptor { request, next -> if (request.context.task == "inner") next.stream(request) else nested(request, next) }
        val java = Interceptor.of { request, next ->
            if (request.context.task != "inner") inner()
            next.publisher(request)
        }
        for (interceptor in listOf(kotlin, java)) {
            client { intercept(interceptor) }.use { llm ->
                nestedClient = llm
                val futures = List(MANY) { llm.chat(saying("test/m", "ok"), "hi").toFuture() }
                futures.forEach { it.get(60, SECONDS).text shouldBe "ok" }
            }
        }
    }

    test("a function is interrupted at the deadline, and the call ends then") {
        val interrupted = CompletableFuture<Boolean>()
        val slow = Models.simple {
            try {
                CountDownLatch(1).await()
                "never"
            } catch (interrupt: InterruptedException) {
                interrupted.complete(true)
                throw interrupt
            }
        }
        client { timeouts { total = 100.milliseconds } }.use { llm ->
            val mark = TimeSource.Monotonic.markNow()
            val failure = shouldThrow<LlmException.Timeout> { llm.chat(slow, "hi").await() }
            mark.elapsedNow() shouldBeLessThan 2.seconds
            failure.phase shouldBe LlmException.Timeout.Phase.TOTAL
            interrupted.get(5, SECONDS) shouldBe true
            failure.partial.shouldNotBeNull().warnings.shouldBeEmpty()
        }
    }

    test("a function that ignores the interrupt does not keep the call: a warning says that its thread runs on") {
        val release = CountDownLatch(1)
        val stubborn = Models.simple {
            while (release.count > 0) {
                try {
                    release.await()
                } catch (_: InterruptedException) {
                    continue
                }
            }
            "late"
        }
        try {
            client { timeouts { total = 100.milliseconds } }.use { llm ->
                val failure = shouldThrow<LlmException.Timeout> { llm.chat(stubborn, "hi").await() }
                failure.partial.shouldNotBeNull().warnings.single() shouldContain "did not react to its interrupt"
            }
        } finally {
            release.countDown()
        }
    }

    test("cancelling a reply interrupts its function") {
        val begun = CompletableFuture<Unit>()
        val interrupted = CompletableFuture<Unit>()
        val slow = Models.simple {
            begun.complete(Unit)
            try {
                CountDownLatch(1).await()
            } catch (_: InterruptedException) {
                interrupted.complete(Unit)
            }
            "never"
        }
        client().use { llm ->
            val reply = llm.chat(slow, "hi")
            val future = reply.toFuture()
            begun.get(5, SECONDS)
            reply.cancel()
            interrupted.get(5, SECONDS)
            shouldThrow<LlmException.Cancelled> { reply.get() }
            shouldThrow<ExecutionException> { future.get(5, SECONDS) }
        }
    }
})

@Volatile
private lateinit var nestedClient: Llm

/** Blocks for another call of the same client. */
private fun inner() {
    nestedClient.chat(saying("test/inner", "x")) {
        user("x")
        task = "inner"
    }.get().text shouldBe "x"
}

private fun nested(request: Request, next: Model) = flow<Delta> {
    inner()
    next.stream(request).collect { emit(it) }
}
