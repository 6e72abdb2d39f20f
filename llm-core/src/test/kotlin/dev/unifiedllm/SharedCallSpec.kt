package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.filterNot
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withContext
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.time.Duration.Companion.seconds

class SharedCallSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    val unfinished = Scripted("my/unfinished") {
        emit(Delta.Start("r", it.model))
        emit(Delta.Text("half a text"))
    }

    test("a stream without a finish is a failure with what had arrived, for each terminal and the ledger, and a fallback is tried only before content") {
        client().use { own ->
            val reply = own.chat(unfinished, "hi")
            val failure = shouldThrow<LlmException.StreamInterrupted> { reply.await() }
            failure.message!! shouldContain "my/unfinished"
            failure.partial.shouldNotBeNull().text shouldBe "half a text"
            shouldThrow<ExecutionException> { reply.toFuture().get(5, SECONDS) }.cause shouldBe failure
            own.costs().single().failed shouldBe 1
            val replaced = own.model("demo/echo").with(Interceptor { request, _ -> unfinished.stream(request) })
            shouldThrow<LlmException.StreamInterrupted> { own.chat(replaced, "hi").await() }
        }
        val begun = Scripted("my/begun") { emit(Delta.Start("r", it.model)) }
        llm.chat(begun) {
            user("hi")
            fallback("demo/echo")
        }.await().model.toString() shouldBe "demo/echo"
    }

    test("a stream without any delta is a failure, not a call that never ends") {
        val future = llm.chat(Scripted("my/empty") { }, "hi").toFuture()
        val failure = shouldThrow<ExecutionException> { future.get(5, SECONDS) }.cause.shouldBeInstanceOf<LlmException.MalformedResponse>()
        failure.message!! shouldContain "my/empty"
    }

    test("an interceptor that swallows the finish makes the call fail") {
        client { intercept { request, next -> next.stream(request).filterNot { it is Delta.Finish } } }.use { own ->
            shouldThrow<LlmException.StreamInterrupted> { own.chat(saying("my/m", "a"), "hi").await() }
        }
    }

    test("a start and a finish without content are a response") {
        val response = llm.chat(
            Scripted("my/quiet") {
                emit(Delta.Start("r", it.model))
                emit(Delta.Finish(FinishReason.STOP, null))
            },
            "hi",
        ).await()
        response.text shouldBe ""
        response.parts.shouldBeEmpty()
        response.timeToFirstToken shouldBe null
    }

    test("times count from sending, not from building the reply") {
        val reply = llm.chat(saying("my/m", "a"), "hi")
        val built = System.nanoTime()
        while (System.nanoTime() - built < 400_000_000) Thread.onSpinWait()
        val response = reply.await()
        response.latency shouldBeLessThan 0.3.seconds
        response.timeToFirstToken.shouldNotBeNull() shouldBeLessThan 0.3.seconds
    }

    test("the thread of the first consumer prepares a call that runs no code of the user") {
        val threads = CopyOnWriteArrayList<Thread>()
        fun record(): String? = null.also { threads += Thread.currentThread() }
        Llm.builder().retry { maxRetries = 0 }.environment { record() }.build().use { own ->
            shouldThrow<LlmException.Configuration> { own.chat("openai/gpt-4o", "hi").get() }
        }
        threads.distinct() shouldContainExactly listOf(Thread.currentThread())
    }

    test("readers are woken before the callbacks of futures run: a callback that blocks keeps neither get() nor a collector waiting") {
        val valve = Valve()
        val reply = llm.chat(valve, "hi")
        val release = CompletableFuture<Unit>()
        coroutineScope {
            val blocking = reply.toFuture().thenApply { release.get(10, SECONDS) }
            val collected = async { reply.deltas().toList() }
            val got = async(Dispatchers.IO) { reply.get().text }
            valve.awaitBegin()
            valve.send("a", "b")
            valve.finish()
            withContext(Dispatchers.IO) { got.await() } shouldBe "ab"
            collected.await().joinToString("") shouldBe "ab"
            blocking.isDone shouldBe false
            release.complete(Unit)
        }
    }

    test("after the end a call holds one delta for each run of text, reasoning and arguments, which fold to the same response") {
        val deltas = listOf(
            Delta.Reasoning("a"), Delta.Reasoning("b", "signed"), Delta.Reasoning("c"), Delta.Text("1"), Delta.Text("2"), Delta.Text("3", choice = 1),
            Delta.Text("4"), Delta.ToolCallDelta(0, "x", "f", "{"), Delta.ToolCallDelta(0, null, null, "}"), Delta.ToolCallDelta(1, "y", "g", "{}"),
            Delta.Reasoning("", "hidden", isRedacted = true), Delta.Reasoning("d"),
        )
        val model = Scripted("my/m") {
            emit(Delta.Start("r", it.model))
            for (delta in deltas) emit(delta)
            emit(Delta.Finish(FinishReason.STOP, null))
        }
        val reply = llm.chat(model, "hi")
        val streamed = reply.events().toList()
        val replayed = reply.events().toList()
        streamed.drop(1).dropLast(1) shouldContainExactly deltas
        replayed.drop(1).dropLast(1) shouldContainExactly listOf(
            Delta.Reasoning("ab", "signed"), Delta.Reasoning("c"), Delta.Text("12"), Delta.Text("3", choice = 1), Delta.Text("4"),
            Delta.ToolCallDelta(
                0,
                "x",
                "f",
                "{}",
            ),
            Delta.ToolCallDelta(1, "y", "g", "{}"), Delta.Reasoning("", "hidden", isRedacted = true), Delta.Reasoning("d"),
        )
        ChatResponse.of(streamed).messages shouldBe reply.await().messages
        reply.await().alternatives.single().size shouldBe 1
    }
})
