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
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import kotlin.time.Duration.Companion.seconds

class ReplySpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    suspend fun <T> soon(block: suspend () -> T): T = withTimeout(5.seconds) { block() }

    test("building, looking at it and printing it send nothing") {
        val model = saying("test/a", "hi")
        val reply = llm.chat(model, "hello")
        reply.state shouldBe Reply.State.NEW
        reply.partial.shouldBeNull()
        "$reply" shouldBe "Reply(test/a, NEW)"
        reply.again().state shouldBe Reply.State.NEW
        reply.deltas()
        reply.events()
        reply.stream()
        reply.toPublisher()
        delay(50)
        model.calls shouldBe 0
    }

    test("the first terminal sends it once; the later ones get the same answer") {
        val model = saying("test/a", "a", "b")
        val reply = llm.chat(model, "hello")
        reply.await().text shouldBe "ab"
        reply.state shouldBe Reply.State.DONE
        reply.await() shouldBeSameInstanceAs reply.get()
        reply.deltas().toList() shouldContainExactly listOf("ab") // joined after the end
        reply.partial.shouldNotBeNull().text shouldBe "ab"
        "$reply" shouldBe "Reply(test/a, DONE)"
        model.calls shouldBe 1
    }

    test("two consumers share one call, and a late one gets all of it from the beginning") {
        val valve = Valve()
        val reply = llm.chat(valve, "hello")
        coroutineScope {
            val one = async { reply.deltas().toList() }
            val two = async { reply.await().text }
            valve.send("a", "b")
            eventually(5.seconds) { reply.partial?.text shouldBe "ab" }
            reply.state shouldBe Reply.State.RUNNING
            val late = async { reply.deltas().toList() }
            valve.send("c")
            valve.finish()
            soon { one.await() } shouldContainExactly listOf("a", "b", "c")
            soon { late.await() } shouldContainExactly listOf("a", "b", "c")
            soon { two.await() } shouldBe "abc"
        }
        valve.calls shouldBe 1
        reply.events().toList().map { it::class.simpleName } shouldContainExactly listOf("Start", "Text", "Finish") // joined after the end
    }

    test("one of two consumers is cancelled and the other goes on") {
        val valve = Valve()
        val reply = llm.chat(valve, "hello")
        coroutineScope {
            val leaving = launch { reply.await() }
            val staying = async { reply.deltas().toList() }
            valve.send("a")
            eventually(5.seconds) { reply.partial?.text shouldBe "a" }
            leaving.cancel()
            leaving.join()
            valve.send("b")
            valve.finish()
            soon { staying.await() } shouldContainExactly listOf("a", "b")
        }
        valve.awaitEnd().shouldBeNull()
        reply.state shouldBe Reply.State.DONE
    }

    test("when the last consumer leaves the call is cancelled, and a later terminal gets Cancelled with what had arrived") {
        val valve = Valve()
        val reply = llm.chat(valve, "hello")
        valve.send("a", "b")
        reply.deltas().take(2).toList() shouldContainExactly listOf("a", "b")
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
        val cancelled = soon { shouldThrow<LlmException.Cancelled> { reply.await() } }
        currentCoroutineContext().ensureActive()
        cancelled.partial.shouldNotBeNull().text shouldBe "ab"
        cancelled.message shouldContain "its last consumer stopped waiting"
        reply.state shouldBe Reply.State.CANCELLED
        shouldThrow<LlmException.Cancelled> { reply.get() }
        shouldThrow<LlmException.Cancelled> { reply.deltas().toList() }
        "$reply" shouldBe "Reply(test/valve, CANCELLED)"
    }

    test("cancelling a consumer that replays, or the ended reply, changes nothing") {
        val reply = llm.chat(saying("test/a", "a", "b", "c"), "hello")
        reply.await()
        coroutineScope {
            val replaying = launch { reply.deltas().onEach { delay(1.seconds) }.toList() }
            delay(20)
            replaying.cancel()
        }
        reply.deltas().first() shouldBe "abc"
        reply.cancel()
        reply.state shouldBe Reply.State.DONE
        reply.await().text shouldBe "abc"
    }

    test("cancel() ends the call for all who wait, and says that it was asked to") {
        val valve = Valve()
        val reply = llm.chat(valve, "hello")
        coroutineScope {
            val waiting = async { shouldThrow<LlmException.Cancelled> { reply.await() } }
            val collecting = async { shouldThrow<LlmException.Cancelled> { reply.deltas().toList() } }
            valve.send("a")
            eventually(5.seconds) { reply.partial?.text shouldBe "a" }
            reply.cancel()
            val cancelled = soon { waiting.await() }
            cancelled.partial.shouldNotBeNull().text shouldBe "a"
            cancelled.message shouldContain "cancelled"
            cancelled.message shouldNotContain "left"
            soon { collecting.await() }
        }
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
    }

    test("cancel() before the first terminal: nothing is ever sent") {
        val model = saying("test/a", "a")
        val reply = llm.chat(model, "hello")
        reply.cancel()
        reply.cancel()
        reply.state shouldBe Reply.State.CANCELLED
        shouldThrow<LlmException.Cancelled> { reply.await() }.partial.shouldBeNull()
        model.calls shouldBe 0
        reply.again().await().text shouldBe "a"
    }

    test("again() asks anew, whatever became of the first") {
        var turn = 0
        val model = Scripted("test/a") {
            if (turn++ == 0) throw LlmException.ServerError("down")
            says(it.model, "ok")
        }
        val reply = llm.chat(model, "hello")
        shouldThrow<LlmException.ServerError> { reply.await() }
        val second = reply.again()
        second.state shouldBe Reply.State.NEW
        second.await().text shouldBe "ok"
        shouldThrow<LlmException.ServerError> { reply.await() }
        model.calls shouldBe 2
    }

    test("a failure carries the partial answer and the attempts, and is replayed") {
        val model = Scripted("test/a") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("half"))
            throw LlmException.StreamInterrupted("cut", details = LlmException.Details(it.model))
        }
        val reply = llm.chat(model, "hello")
        val failure = shouldThrow<LlmException.StreamInterrupted> { reply.await() }
        failure.partial.shouldNotBeNull().text shouldBe "half"
        failure.partial.shouldNotBeNull().finishReason.shouldBeNull()
        failure.attempts.map { it.model } shouldContainExactly listOf(model.id)
        failure.attempts.single().error shouldBeSameInstanceAs failure
        shouldThrow<LlmException.StreamInterrupted> { reply.get() } shouldBeSameInstanceAs failure
        reply.state shouldBe Reply.State.FAILED
        reply.partial.shouldNotBeNull().text shouldBe "half"
        val seen = mutableListOf<String>()
        shouldThrow<LlmException.StreamInterrupted> { reply.deltas().collect { seen += it } }
        seen shouldContainExactly listOf("half")
        model.calls shouldBe 1
    }

    test("whatever a function throws reaches all consumers") {
        val reply = llm.chat(Models.simple { error("no such luck") }, "hello")
        coroutineScope {
            val one = async { shouldThrow<IllegalStateException> { reply.await() } }
            val two = async { shouldThrow<IllegalStateException> { reply.deltas().toList() } }
            soon { one.await() }.message shouldBe "no such luck"
            soon { two.await() }.message shouldBe "no such luck"
        }
        reply.state shouldBe Reply.State.FAILED
        val worse = llm.chat(Models.simple { throw StackOverflowError("deep") }, "hello")
        soon { shouldThrow<StackOverflowError> { worse.await() } }.message shouldBe "deep"
    }

    test("a model that throws CancellationException by itself fails its call; it does not pass for the caller's cancelling") {
        val reply = llm.chat(Scripted { throw CancellationException("the model's own") }, "hello")
        val failure = soon { shouldThrow<Exception> { reply.await() } }
        (failure is CancellationException) shouldBe false
        currentCoroutineContext().ensureActive()
        reply.state shouldBe Reply.State.FAILED
    }

    test("on a closed client nothing hangs: a new call says that the client is closed, one that had ended still replays") {
        val closed = client()
        val done = closed.chat(saying("test/a", "a"), "hello")
        done.await()
        val never = saying("test/b", "b")
        val reply = closed.chat(never, "hello")
        closed.close()
        closed.close()
        val failure = soon { shouldThrow<LlmException.Configuration> { reply.await() } }
        failure.message shouldContain "closed"
        soon { shouldThrow<LlmException.Configuration> { closed.chat(never, "hello").deltas().toList() } }
        shouldThrow<LlmException.Configuration> { closed.chat(never, "hello").get() }
        shouldThrow<LlmException.Configuration> { closed.chat(never, "hello").forEachDelta { } }
        never.calls shouldBe 0
        done.get().text shouldBe "a"
        done.deltas().toList() shouldContainExactly listOf("a")
    }

    test("closing the client ends running calls: Cancelled, with what had arrived, and the reason") {
        val closing = client()
        val valve = Valve()
        val reply = closing.chat(valve, "hello")
        coroutineScope {
            val waiting = async { shouldThrow<LlmException.Cancelled> { reply.await() } }
            valve.send("a")
            eventually(5.seconds) { reply.partial?.text shouldBe "a" }
            closing.close()
            val cancelled = soon { waiting.await() }
            cancelled.message shouldContain "client was closed"
            cancelled.partial.shouldNotBeNull().text shouldBe "a"
        }
        reply.state shouldBe Reply.State.CANCELLED
    }

    test("a mistake of the caller's is thrown while building, everything else when the call is made") {
        shouldThrow<IllegalArgumentException> { llm.chat("ollama/llama3") { temperature = 3.0 } }
        shouldThrow<IllegalArgumentException> { llm.chat("", "hello") }
        val unknown = llm.chat("nonsense/llama3", "hello")
        shouldThrow<LlmException.Configuration> { unknown.await() }
    }
})
