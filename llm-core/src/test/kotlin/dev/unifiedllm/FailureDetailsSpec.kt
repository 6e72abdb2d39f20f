package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.flow.toList

class FailureDetailsSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    val cut = Scripted("test/cut") {
        emit(Delta.Start(null, ModelId.parse("test/cut")))
        emit(Delta.Text("half"))
        throw LlmException.StreamInterrupted("cut")
    }

    test("a cold flow's failure has its attempts and what had arrived, as a reply's has") {
        val request = ChatRequest.build("demo/cut") {
            user("hi")
            providerOptions { put("tokensPerSecond", 0) }
        }
        val ofFlow = shouldThrow<LlmException.StreamInterrupted> { llm.model("demo/cut").stream(request).collect { } }
        val ofReply = shouldThrow<LlmException.StreamInterrupted> { llm.chat(request).await() }
        for (failure in listOf(ofFlow, ofReply)) {
            failure.partial.shouldNotBeNull().text shouldContain "This is the demo model"
            failure.attempts.map { "${it.model}" to it.error } shouldContainExactly listOf("demo/cut" to failure)
        }
    }

    test("the attempts are in the failure in order, each once, also through two clients") {
        client().use { other ->
            val chain = ChatRequest.build(Models.firstOf("demo/error", "demo/error2")) { user("hi") }
            val failure = shouldThrow<LlmException> { llm.chat(Models.firstOf(other.model("demo/error"), cut), "hi").await() }
            failure.attempts.map { "${it.model}" } shouldContainExactly listOf("demo/error", "test/cut")
            failure.partial.shouldNotBeNull().text shouldBe "half"
            chain.model.toString() shouldBe "demo/error"
        }
    }

    test("a failure that the consumer of a cold flow throws is left as it is") {
        val own = LlmException.ServerError("the consumer's")
        shouldThrow<LlmException.ServerError> { llm.model("demo/echo").stream(ChatRequest.build("demo/echo") { user("hi") }).collect { throw own } }
        own.partial.shouldBeNull()
        own.attempts.shouldBeEmpty()
    }

    test("AllFailed does not advise a fallback: there was one") {
        val failure = shouldThrow<LlmException.AllFailed> {
            llm.chat("demo/error") {
                user("hi")
                fallback(failing("test/a") { LlmException.ServerError("test/a is down. Try again, or add a fallback.") })
            }.await()
        }
        failure.message!!.contains("add a fallback") shouldBe false
        failure.message!! shouldContain "test/a is down. Try again."
    }

    val advising = listOf<(String) -> LlmException>(
        { LlmException.Network(it, LlmException.Network.Phase.SEND) },
        { LlmException.Timeout(it, LlmException.Timeout.Phase.FIRST_BYTE) },
        { LlmException.StreamInterrupted(it) },
        { LlmException.MalformedResponse(it) },
        { LlmException.NotFound(it) },
        { LlmException.RateLimited(it) },
        { LlmException.QuotaExhausted(it) },
        { LlmException.Overloaded(it) },
        { LlmException.ServerError(it, isRetryable = false) },
    )

    test("a failed attempt before a fallback does not advise one, of whatever type: in the response, in the events and in the failure") {
        for (advise in advising) {
            val original = advise("test/a failed. Try again, or add a fallback.")
            val first = failing("test/a") { original }
            val reply = llm.chat(Models.firstOf(first, saying("test/b", "hi")), "hi")
            val error = reply.await().attempts.first().error.shouldNotBeNull()
            error.message shouldBe "test/a failed. Try again."
            error::class shouldBe original::class
            error.isRetryable shouldBe original.isRetryable
            error.stackTrace.toList() shouldBe original.stackTrace.toList()
            reply.events().toList().filterIsInstance<Delta.Attempt>().single().error shouldBe error
            val all = shouldThrow<LlmException.AllFailed> { llm.chat(Models.firstOf(first, failing("test/b") { original }), "hi").await() }
            all.attempts.map { it.error?.message } shouldContainExactly List(2) { "test/a failed. Try again." }
            all.cause?.message shouldBe "test/a failed. Try again."
        }
    }

    test("a failure of a call without a fallback still advises one, in its attempts, too") {
        val failure = shouldThrow<LlmException.ServerError> {
            llm.chat(failing("test/a") { LlmException.ServerError("test/a is down. Try again, or add a fallback.") }, "hi").await()
        }
        failure.message shouldBe "test/a is down. Try again, or add a fallback."
        failure.attempts.single().error shouldBe failure
    }

    test("leaving the advice out keeps the details, the phase and what was suppressed; a failure without it stays the same object") {
        val details = LlmException.Details(ModelId.parse("test/a"), 408, "req-1")
        val failure = LlmException.Timeout("Slow, or add a fallback.", LlmException.Timeout.Phase.IDLE, IllegalStateException("cause"), details)
        failure.addSuppressed(IllegalStateException("aside"))
        val changed = failure.withoutFallbackAdvice() as LlmException.Timeout
        listOf<Any?>(changed.message, changed.phase, changed.model, changed.status, changed.requestId, changed.cause) shouldContainExactly
            listOf<Any?>("Slow.", failure.phase, failure.model, 408, "req-1", failure.cause)
        changed.suppressed.map { it.message } shouldContainExactly listOf("aside")
        val plain = LlmException.ServerError("down")
        (plain.withoutFallbackAdvice() === plain) shouldBe true
    }
})
