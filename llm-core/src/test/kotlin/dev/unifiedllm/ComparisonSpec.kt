package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.comparables.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private fun overloaded() = LlmException.Overloaded("too many requests at once")

/** Answers at once with 100 tokens for [usd]. @param usd null: the price is not known */
private fun costing(id: String, usd: String?, reason: FinishReason = FinishReason.STOP): Scripted {
    lateinit var model: Scripted
    return Scripted(id) {
        emit(Delta.Start(null, model.id))
        emit(Delta.Text("ok"))
        emit(Delta.Finish(reason, Usage.of(0, 100), if (usd == null) Cost.Unknown("no price") else Cost.Known(Usd.of(usd), "test")))
    }.also { model = it }
}

class ComparisonSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    suspend fun <T> soon(block: suspend () -> T): T = withTimeout(5.seconds) { block() }

    fun compare(vararg models: ModelRef) = llm.compare(*models) { user("hello") }

    test("building it, looking at it and printing it send nothing") {
        val one = saying("test/a", "hi")
        val two = saying("test/b", "ho")
        val comparison = compare(one, two)
        comparison.replies.map { it.state } shouldContainExactly List(2) { Reply.State.NEW }
        comparison.replies.map { "${it.model}" } shouldContainExactly listOf("test/a", "test/b")
        "$comparison" shouldBe "Comparison(test/a, test/b)"
        comparison.again().replies.map { it.state } shouldContainExactly List(2) { Reply.State.NEW }
        (one.calls + two.calls) shouldBe 0
    }

    test("the first terminal sends all, the later ones get the same answers in the order of the models") {
        val one = saying("test/a", "hi")
        val two = saying("test/b", "h", "o")
        val comparison = compare(one, two)
        val answers = comparison.await()
        answers.map { "${it.model}" } shouldContainExactly listOf("test/a", "test/b")
        answers.map { it.text } shouldContainExactly listOf("hi", "ho")
        answers.map { it.failure } shouldContainExactly listOf(null, null)
        answers.map { it.usage?.outputTokens } shouldContainExactly listOf(1L, 2L)
        comparison.get() shouldBeSameInstanceAs answers
        comparison.toFuture().get() shouldBeSameInstanceAs answers
        comparison.replies.map { it.await().text } shouldContainExactly listOf("hi", "ho")
        (one.calls to two.calls) shouldBe (1 to 1)
        comparison.again().await().map { it.text } shouldContainExactly listOf("hi", "ho")
        (one.calls to two.calls) shouldBe (2 to 2)
    }

    test("all run at once: each has begun before any has ended") {
        val valves = List(3) { Valve("test/valve$it") }
        val comparison = compare(*valves.toTypedArray())
        coroutineScope {
            val answers = async { comparison.await() }
            valves.forEach { it.send("a") }
            eventually(5.seconds) { comparison.replies.map { it.partial?.text } shouldContainExactly List(3) { "a" } }
            valves.forEach { it.finish() }
            soon { answers.await() }.size shouldBe 3
        }
    }

    test("one that fails leaves the others as they are, and its failure is data") {
        val comparison = compare(saying("test/a", "hi"), failing("test/b", ::overloaded), failing("test/c") { IllegalStateException("mine") })
        val answers = comparison.await()
        answers.map { it.text } shouldContainExactly listOf("hi", "", "")
        answers[1].response.shouldBeNull()
        answers[1].failure.shouldBeInstanceOf<LlmException.Overloaded>()
        answers[1].cost shouldBe Cost.Unknown("the call failed")
        answers[2].failure.shouldBeInstanceOf<IllegalStateException>()
        "${answers[1]}" shouldBe "test/b failed: too many requests at once"
        comparison.replies.map { it.state } shouldContainExactly listOf(Reply.State.DONE, Reply.State.FAILED, Reply.State.FAILED)
    }

    test("if all fail the result has all failures, and neither a cheapest nor a fastest one") {
        val answers = compare(failing("test/a", ::overloaded), failing("test/b", ::overloaded)).await()
        answers.size shouldBe 2
        answers.cheapest.shouldBeNull()
        answers.fastest.shouldBeNull()
        answers[0].latency.shouldBeNull()
    }

    test("a call that is cut keeps its times and its estimated usage, and is not the cheapest") {
        val cut = Scripted("test/cheap") {
            emit(Delta.Start(null, llm.model("test/cheap").id))
            emit(Delta.Text("half"))
            throw LlmException.StreamInterrupted("lost")
        }
        val answer = compare(cut).await().single()
        answer.failure.shouldBeInstanceOf<LlmException.StreamInterrupted>().partial!!.text shouldBe "half"
        answer.latency.shouldNotBeNull()
        answer.usage.shouldNotBeNull()
        compare(cut).await().cheapest.shouldBeNull()
    }

    test("the cheapest is one with a known cost; failed, filtered and unpriced answers never are") {
        val models = arrayOf(
            costing("test/unpriced", null),
            costing("test/dear", "0.0005"),
            failing("test/cheap", ::overloaded),
            costing("test/filtered", "0.000001", FinishReason(FinishReason.Kind.CONTENT_FILTER)),
            costing("test/cheap", "0.0001"),
        )
        val answers = compare(*models).await()
        answers.cheapest shouldBe answers[4]
        answers.cheapest!!.cost.usd() shouldBe Usd.of("0.0001")
        "$answers" shouldContain Regex("test/cheap: \\$0\\.000100, [0-9.]+s, cheapest")
        compare(models[0], models[2]).await().cheapest.shouldBeNull()
        compare(models[1], Models.simple { "free" }).await().cheapest!!.cost shouldBe Cost.Free
    }

    test("a demo model, whose cost is made up, is the cheapest among its like only") {
        val demo = costing("demo/own", "0.000001")
        compare(demo, costing("test/dear", "5")).await().cheapest!!.model.name shouldBe "dear"
        compare(demo, costing("test/unpriced", null)).await().cheapest!!.model.name shouldBe "own"
        compare(demo, costing("demo/dear", "5")).await().cheapest!!.model.name shouldBe "own"
    }

    test("the fastest is the one with the shortest time, which a filtered answer never is") {
        val slow = Valve("test/slow")
        val filtered = costing("test/filtered", "0.000001", FinishReason(FinishReason.Kind.REFUSAL))
        val comparison = compare(slow, filtered, saying("test/b", "hi"))
        coroutineScope {
            val answers = async { comparison.await() }
            val time = comparison.replies[2].await().latency
            eventually(5.seconds) { (comparison.replies[0].partial?.latency ?: Duration.ZERO) shouldBeGreaterThan time }
            slow.finish()
            soon { answers.await() }.fastest!!.model.name shouldBe "b"
        }
    }

    test("each model has its rows in the ledger, its own retries and fallbacks") {
        var failures = 0
        client {
            retry {
                maxRetries = 1
                baseDelay = 1.milliseconds
            }
        }.use { own ->
            val flaky = Scripted("test/flaky") { if (failures++ == 0) throw overloaded() else says(own.model("test/flaky").id, "hi") }
            val answers = own.compare(flaky, failing("test/down", ::overloaded)) {
                user("hello")
                fallback(saying("test/spare", "spare"))
            }.await()
            answers.map { it.text } shouldContainExactly listOf("hi", "spare")
            answers[0].response!!.attempts.size shouldBe 2
            "${answers[1].model}, ${answers[1].response!!.model}" shouldBe "test/down, test/spare"
            own.costs().associate { it.name to it.calls } shouldBe mapOf("test/flaky" to 2, "test/down" to 2, "test/spare" to 1)
        }
    }

    test("cancel() ends the calls to all models and is thrown to those who wait") {
        val valves = listOf(Valve("test/v1"), Valve("test/v2"))
        val comparison = compare(*valves.toTypedArray(), saying("test/a", "hi"))
        coroutineScope {
            val waiting = async { shouldThrow<LlmException.Cancelled> { comparison.await() } }
            eventually(5.seconds) { valves.map { it.calls } shouldContainExactly listOf(1, 1) }
            comparison.cancel()
            soon { waiting.await() }.message shouldContain "test/v1, test/v2"
        }
        valves.forEach { it.awaitEnd().shouldBeInstanceOf<CancellationException>() }
        shouldThrow<LlmException.Cancelled> { comparison.get() }
    }

    test("cancel() before the first terminal: nothing is ever sent") {
        val model = saying("test/a", "hi")
        val comparison = compare(model)
        comparison.cancel()
        shouldThrow<LlmException.Cancelled> { comparison.await() }
        shouldThrow<LlmException.Cancelled> { comparison.replies.single().await() }
        model.calls shouldBe 0
    }

    test("when the last consumer leaves all calls are cancelled but one that has a consumer of its own") {
        val left = Valve("test/left")
        val kept = Valve("test/kept")
        val comparison = compare(left, kept)
        coroutineScope {
            val leaving = launch { comparison.await() }
            val staying = async { comparison.replies[1].deltas().toList() }
            eventually(5.seconds) { listOf(left.calls, kept.calls) shouldContainExactly listOf(1, 1) }
            leaving.cancel()
            leaving.join()
            left.awaitEnd().shouldBeInstanceOf<CancellationException>()
            kept.send("a")
            kept.finish()
            soon { staying.await() } shouldContainExactly listOf("a")
        }
        kept.awaitEnd().shouldBeNull()
        shouldThrow<LlmException.Cancelled> { comparison.await() }.message shouldContain "its last consumer stopped waiting"
    }

    test("one reply that is cancelled by itself is an answer among the others") {
        val valve = Valve()
        val comparison = compare(valve, saying("test/a", "hi"))
        coroutineScope {
            val answers = async { comparison.await() }
            eventually(5.seconds) { valve.calls shouldBe 1 }
            comparison.replies[0].cancel()
            soon { answers.await() }.map { it.text } shouldContainExactly listOf("", "hi")
            answers.await()[0].failure.shouldBeInstanceOf<LlmException.Cancelled>()
        }
    }

    test("a terminal of one reply sends only that one; the comparison then takes what it has") {
        val one = saying("test/a", "hi")
        val two = saying("test/b", "ho")
        val comparison = compare(one, two)
        comparison.replies[0].get().text shouldBe "hi"
        two.calls shouldBe 0
        comparison.get().map { it.text } shouldContainExactly listOf("hi", "ho")
        one.calls shouldBe 1
    }

    test("the block runs once; a key, headers and options go to models of the same provider only") {
        val all = CopyOnWriteArrayList<ChatRequest>()
        var runs = 0
        val recorder = Interceptor { request, _ ->
            all += request as ChatRequest
            flow { says(request.model, "hi") }
        }
        client { intercept(recorder, Level.CALL) }.use { own ->
            own.compare("groq/one", "openai/two", "groq/three") {
                runs++
                user("hello")
                temperature = 0.5
                apiKey = "k-1"
                providerOptions { put("service_tier", "flex") }
            }.await().map { it.text } shouldContainExactly List(3) { "hi" }
        }
        runs shouldBe 1
        val sent = all.associateBy { it.model.name }
        listOf("one", "two", "three").map { sent.getValue(it).temperature } shouldContainExactly List(3) { 0.5 }
        listOf("one", "two", "three").map { sent.getValue(it).providerOptions.size } shouldContainExactly listOf(1, 0, 1)
        listOf("one", "two", "three").map { sent.getValue(it).context.apiKey } shouldContainExactly listOf(ApiKey.of("k-1"), null, ApiKey.of("k-1"))
    }

    test("no model is a mistake of the caller; a bad name as well") {
        shouldThrow<IllegalArgumentException> { llm.compare(emptyList()) { user("hi") } }.message shouldContain "compare needs models"
        shouldThrow<IllegalArgumentException> { llm.compare("a b") { user("hi") } }
    }

    test("on a closed client it fails as a whole") {
        val own = client()
        val comparison = own.compare("demo/echo", "demo/storyteller") { user("hi") }
        own.close()
        shouldThrow<LlmException.Configuration> { comparison.await() }
    }

    test("a model that does not exist is one failed answer") {
        val answers = llm.compare("demo/echo", "demo/nobody", "nowhere/model") { user("hi") }.await()
        answers[0].text shouldContain "hi"
        answers[1].failure.shouldBeInstanceOf<LlmException.NotFound>()
        answers[2].failure.shouldBeInstanceOf<LlmException>()
    }
})
