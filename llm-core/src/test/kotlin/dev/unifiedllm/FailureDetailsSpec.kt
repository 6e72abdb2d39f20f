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
})
