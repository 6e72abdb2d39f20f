package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.withTimeout
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.seconds

/** The terminals for those who have no coroutine: get, toFuture, forEachDelta, stream. */
class ReplyBlockingSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    /** Runs [block] on a thread of its own, interrupts it when [ready], and tells what came out and whether the flag was still set. */
    fun interrupted(ready: () -> Unit, block: () -> Unit): Pair<Throwable?, Boolean> {
        val outcome = CompletableFuture<Pair<Throwable?, Boolean>>()
        val thread = thread {
            val thrown = runCatching(block).exceptionOrNull()
            outcome.complete(thrown to Thread.currentThread().isInterrupted)
        }
        ready()
        thread.interrupt()
        return outcome.get(Valve.WAIT, TimeUnit.SECONDS)
    }

    test("an interrupted get() cancels the call, keeps the flag, and gives what had arrived") {
        val valve = Valve()
        val reply = llm.chat(valve, "hello")
        valve.send("a")
        val (thrown, flag) = interrupted({
            valve.awaitBegin()
            while (reply.partial?.text != "a") Thread.sleep(1)
        }) { reply.get() }
        flag shouldBe true
        thrown.shouldBeInstanceOf<LlmException.Cancelled>().partial.shouldNotBeNull().text shouldBe "a"
        thrown.message shouldContain "interrupted"
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
    }

    test("an interrupted get() leaves the call to others who wait for it") {
        val valve = Valve()
        val reply = llm.chat(valve, "hello")
        val future = reply.toFuture()
        interrupted({ valve.awaitBegin() }) { reply.get() }.first.shouldBeInstanceOf<LlmException.Cancelled>()
        valve.send("a")
        valve.finish()
        future.get(Valve.WAIT, TimeUnit.SECONDS).text shouldBe "a"
    }

    test("an interrupted forEachDelta() cancels the call and keeps the flag") {
        val valve = Valve()
        val seen = mutableListOf<String>()
        valve.send("a")
        val (thrown, flag) = interrupted({ while (seen.isEmpty()) Thread.sleep(1) }) { llm.chat(valve, "hello").forEachDelta { seen += it } }
        flag shouldBe true
        thrown.shouldBeInstanceOf<LlmException.Cancelled>()
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
    }

    test("toFuture(): the answer, or the failure; cancelling the last one cancels the call") {
        llm.chat(saying("test/a", "a"), "hello").toFuture().get(Valve.WAIT, TimeUnit.SECONDS).text shouldBe "a"
        val failed = llm.chat(failing("test/a") { LlmException.ServerError("down") }, "hello").toFuture()
        shouldThrow<ExecutionException> { failed.get(Valve.WAIT, TimeUnit.SECONDS) }.cause.shouldBeInstanceOf<LlmException.ServerError>()

        val valve = Valve()
        val reply = llm.chat(valve, "hello")
        val one = reply.toFuture()
        val two = reply.toFuture()
        valve.awaitBegin()
        one.cancel(true) shouldBe true
        one.cancel(true)
        delay(50)
        reply.state shouldBe Reply.State.RUNNING
        two.cancel(false)
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
        eventually(5.seconds) { reply.state shouldBe Reply.State.CANCELLED }
        two.isCancelled shouldBe true
    }

    test("a future that is given up by whatever means leaves the call") {
        val ways = listOf<(CompletableFuture<*>) -> Unit>(
            { it.orTimeout(1, TimeUnit.MILLISECONDS) },
            { it.completeOnTimeout(null, 1, TimeUnit.MILLISECONDS) },
            { it.completeExceptionally(IllegalStateException("enough")) },
        )
        for (giveUp in ways) {
            val valve = Valve()
            val reply = llm.chat(valve, "hello")
            giveUp(reply.toFuture())
            eventually(5.seconds) { reply.state shouldBe Reply.State.CANCELLED }
        }
    }

    test("a callback of the future may ask the same reply again") {
        val reply = llm.chat(saying("test/a", "a", "b"), "hello")
        val text = reply.toFuture().thenApply { reply.get().text + reply.stream().toList().joinToString("") }
        text.get(Valve.WAIT, TimeUnit.SECONDS) shouldBe "abab"
    }

    test("forEachDelta() runs on the calling thread and returns the whole answer") {
        val here = Thread.currentThread()
        val seen = mutableListOf<String>()
        val answer = llm.chat(saying("test/a", "a", "b"), "hello").forEachDelta {
            Thread.currentThread() shouldBe here
            seen += it
        }
        seen shouldContainExactly listOf("a", "b")
        answer.text shouldBe "ab"
    }

    test("what a forEachDelta() action throws is thrown, and the call is cancelled") {
        val valve = Valve()
        valve.send("a")
        shouldThrow<IllegalStateException> { llm.chat(valve, "hello").forEachDelta { error("enough") } }.message shouldBe "enough"
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
    }

    test("forEachEvent() hands out each delta on the calling thread, and returns the whole answer; a second one begins with the first delta") {
        val here = Thread.currentThread()
        val reply = llm.chat(Models.firstOf(failing("test/down") { LlmException.ServerError("down") }, saying("test/a", "a", "b")), "hello")
        val seen = mutableListOf<Delta>()
        reply.forEachEvent {
            Thread.currentThread() shouldBe here
            seen += it
        }.text shouldBe "ab"
        seen.map { it::class.simpleName } shouldContainExactly listOf("Attempt", "Start", "Text", "Text", "Finish")
        val again = mutableListOf<Delta>()
        reply.forEachEvent { again += it }.attempts.size shouldBe 2
        again.first() shouldBe seen.first()
        again.filterIsInstance<Delta.Text>().joinToString("") { it.text } shouldBe "ab"
        again.last() shouldBe seen.last()
    }

    test("forEachEvent() ends as forEachDelta() does: with the failure of the call, of its action, or of an interrupt") {
        val cut = Scripted("test/cut") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("a"))
            throw LlmException.StreamInterrupted("cut")
        }
        val seen = mutableListOf<Delta>()
        shouldThrow<LlmException.StreamInterrupted> { llm.chat(cut, "hello").forEachEvent { seen += it } }.partial.shouldNotBeNull().text shouldBe "a"
        seen.map { it::class.simpleName } shouldContainExactly listOf("Start", "Text")

        val valve = Valve()
        valve.send("a")
        shouldThrow<IllegalStateException> { llm.chat(valve, "hello").forEachEvent { error("enough") } }.message shouldBe "enough"
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()

        val waiting = Valve()
        waiting.send("a")
        val arrived = CompletableFuture<Unit>()
        val (thrown, flag) = interrupted({ arrived.get(Valve.WAIT, TimeUnit.SECONDS) }) { llm.chat(waiting, "hello").forEachEvent { arrived.complete(Unit) } }
        flag shouldBe true
        thrown.shouldBeInstanceOf<LlmException.Cancelled>()
        waiting.awaitEnd().shouldBeInstanceOf<CancellationException>()
    }

    test("closing a stream early cancels the call; closing it twice, or one that was never read, is harmless") {
        val valve = Valve()
        val reply = llm.chat(valve, "hello")
        valve.send("a", "b")
        reply.stream().use { pieces ->
            val each = pieces.iterator()
            each.next() shouldBe "a"
            each.next() shouldBe "b"
            pieces.close()
        }
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
        val unread = Valve()
        llm.chat(unread, "hello").stream().close()
        unread.calls shouldBe 0
    }

    test("a stream that is read to its end has left; one of a failed call throws the failure") {
        val valve = Valve()
        valve.send("a")
        valve.finish()
        val reply = llm.chat(valve, "hello")
        reply.stream().toList() shouldContainExactly listOf("a")
        valve.awaitEnd().shouldBeNull()
        reply.stream().limit(1).toList() shouldContainExactly listOf("a")
        shouldThrow<LlmException.ServerError> { llm.chat(failing("test/a") { LlmException.ServerError("down") }, "hello").stream().toList() }
    }

    test("get() on the client's own single thread refuses to block and names await()") {
        val executor = Executors.newSingleThreadExecutor()
        try {
            client { context = executor.asCoroutineDispatcher() }.use { own ->
                val inner = saying("test/inner", "a")
                val outer = Scripted("test/outer") { request ->
                    val text = own.chat(inner, "hello").get().text
                    says(request.model, text)
                }
                val failure = shouldThrow<IllegalStateException> { own.chat(outer, "hello").get() }
                failure.message shouldContain "await()"
                val waiting = Scripted("test/outer") { request -> says(request.model, own.chat(inner, "hello").await().text) }
                own.chat(waiting, "hello").get().text shouldBe "a"
                shouldThrow<IllegalStateException> { own.chat(Scripted { own.chat(inner, "hello").stream().toList() }, "hello").get() }
                shouldThrow<IllegalStateException> { own.chat(Scripted { own.chat(inner, "hello").forEachDelta { } }, "hello").get() }
                shouldThrow<IllegalStateException> { own.chat(Scripted { own.chat(inner, "hello").forEachEvent { } }, "hello").get() }
            }
        } finally {
            executor.shutdown()
        }
    }

    test("get() inside of a model's code works on the client's usual threads") {
        val outer = Models.simple { prompt -> llm.chat(saying("test/inner", prompt, "!"), "x").get().text }
        llm.chat(outer, "hello").get().text shouldBe "hello!"
    }

    test("200 blocked at once on Dispatchers.IO all get their answer") {
        val models = List(200) { Scripted("test/m$it") { request -> delay(20).also { _ -> says(request.model, "ok") } } }
        val texts = withTimeout(20.seconds) {
            coroutineScope { models.map { async(Dispatchers.IO) { runInterruptible { llm.chat(it, "hello").get().text } } }.awaitAll() }
        }
        texts.toSet() shouldBe setOf("ok")
    }
})
