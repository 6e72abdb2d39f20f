package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.awaitCancellation
import kotlin.time.Duration.Companion.milliseconds

private val refused = { LlmException.Authentication("The key of a/one was refused. Check it.") }
private val busy = { LlmException.Overloaded("a/one is overloaded: try again later$OR_ADD_A_FALLBACK", details = LlmException.Details(shouldRetry = false)) }

/** What the message of a failure says about models that were not tried, about settings that do not help, and about what failed before. */
class FailureMessagesSpec : FunSpec({
    test("a chain that ends with a refused key names the models that it did not try, and the setting that tries them") {
        client { }.use { llm ->
            val failure = shouldThrow<LlmException.Authentication> {
                llm.chat(failing("a/one", refused)) {
                    fallback(saying("b/two", "ok"), saying("c/three", "ok"))
                    user("hi")
                }.await()
            }
            failure.message shouldBe "The key of a/one was refused. Check it. " +
                "b/two and c/three were not tried after this failure: fallbackOnAnyError = true tries models after any failure."
        }
    }

    test("after other failures, too") {
        client { }.use { llm ->
            val failure = shouldThrow<LlmException.AllFailed> {
                llm.chat(failing("a/one", busy)) {
                    fallback(failing("b/two", refused), saying("c/three", "ok"))
                    user("hi")
                }.await()
            }
            failure.message.shouldNotBeNull() shouldContain "c/three was not tried after this failure"
        }
    }

    test("a chain whose last model is refused says nothing of others") {
        client { }.use { llm ->
            val failure = shouldThrow<LlmException.AllFailed> {
                llm.chat(failing("b/two", busy)) {
                    fallback(failing("a/one", refused))
                    user("hi")
                }.await()
            }
            failure.message.shouldNotBeNull() shouldNotContain "not tried"
        }
    }

    test("a fallback is advised only where it would be used") {
        client { }.use { llm ->
            suspend fun message(mayFallBack: Boolean?) = shouldThrow<LlmException.Overloaded> {
                llm.chat(failing("a/one", busy)) {
                    enableFallback = mayFallBack
                    user("hi")
                }.await()
            }.message.shouldNotBeNull()
            message(null) shouldEndWith "try again later, or add a fallback."
            message(false) shouldEndWith "try again later."
        }
        client("LITELLM_FALLBACK_ENABLED" to "false") { }.use { llm ->
            shouldThrow<LlmException.Overloaded> { llm.chat(failing("a/one", busy), "hi").await() }.message.shouldNotBeNull() shouldEndWith "try again later."
        }
    }

    test("a call that runs out of time quotes the failure of the attempt before") {
        client { timeouts { total = 100.milliseconds } }.use { llm ->
            val reply = llm.chat(failing("a/one", busy)) {
                fallback(Scripted("b/two") { awaitCancellation() })
                user("hi")
            }
            val failure = shouldThrow<LlmException.Timeout> { reply.await() }
            failure.message.shouldNotBeNull() shouldContain "was not done within 100ms"
            failure.message.shouldNotBeNull() shouldEndWith "The attempt before failed: a/one is overloaded: try again later."
            failure.attempts.map { it.model.toString() } shouldContainExactly listOf("a/one", "a/one")
        }
    }

    test("a group says which of its targets has the refused key") {
        LoopbackServer { whole("""{"error":{"message":"Incorrect API key"}}""", 401) }.use { server ->
            client("OPENAI_BASE_URL" to server.url + "/v1") { }.use { llm ->
                val group = Models.group("pool") {
                    target("openai/gpt-4o") { apiKey = "sk-first-of-the-group" }
                    target("openai/gpt-4o") { apiKey = "sk-second-of-the-group" }
                }
                val reply = llm.chat(group, "hi")
                val failure = shouldThrow<LlmException.AllFailed> { reply.await() }
                for (number in 1..2) failure.message.shouldNotBeNull() shouldContain "This was target $number of the group."
                failure.message.shouldNotBeNull() shouldNotContain "sk-"
            }
        }
    }

    test("the name of a time limit that nothing has is a warning, until a model has it") {
        client { timeouts("opnai") { total = 100.milliseconds } }.use { llm ->
            val warnings = llm.chat(saying("a/one", "ok"), "hi").await().warnings
            warnings shouldContainExactly
                listOf("timeouts(\"opnai\") limits nothing: no provider, model or alias of this name is known, did you mean \"openai\"?")
        }
        client { timeouts("mine") { total = 10_000.milliseconds } }.use { llm ->
            llm.chat(saying("mine/one", "ok"), "hi").await().warnings shouldContainExactly emptyList()
            llm.chat(saying("a/one", "ok"), "hi").await().warnings shouldContainExactly emptyList()
        }
        client { timeouts("openai") { total = 10_000.milliseconds } }.use { llm ->
            llm.chat(saying("a/one", "ok"), "hi").events().let { events ->
                events.collect { if (it is Delta.Warning) error(it.message) }
            }
        }
    }
})
