package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Models
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.client
import dev.unifiedllm.failing
import dev.unifiedllm.lackingAbility
import dev.unifiedllm.saying
import dev.unifiedllm.says
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.flow.toList

private val tooLong = LlmException.ContextLengthExceeded("too long")
private val filtered = LlmException.ContentFiltered("fie")

class SpecialFallbackSpec : FunSpec({
    test("a request that is too long goes on with the models for long requests, not with the next fallback") {
        client().use { llm ->
            val usual = saying("test/usual", "no")
            val big = saying("test/big", "yes")
            val response = llm.chat(failing("test/small") { tooLong }) {
                user("hi")
                fallback(usual)
                contextWindowFallback(big)
            }.await()
            response.text shouldBe "yes"
            response.model shouldBe big.id
            response.fallbackUsed shouldBe true
            response.attempts.map { "${it.model} ${it.error?.javaClass?.simpleName}" } shouldContainExactly
                listOf("test/small ContextLengthExceeded", "test/big null")
            usual.calls shouldBe 0
        }
    }

    test("a filtered request goes on with the models for those; a failure there ends the call with all attempts") {
        client { contentPolicyFallback(failing("test/lax") { LlmException.ServerError("down") }) }.use { llm ->
            val failure = shouldThrow<LlmException.AllFailed> { llm.chat(failing("test/strict") { filtered }, "hi").await() }
            failure.attempts.map { "${it.model}" } shouldContainExactly listOf("test/strict", "test/lax")
        }
    }

    test("a fallback that is skipped for the length of the request leaves it to the models for long requests") {
        client().use { llm ->
            val big = saying("test/big", "yes")
            val response = llm.chat(failing("test/broken") { LlmException.ServerError("down") }) {
                user("word ".repeat(60_000))
                fallback("openai/gpt-3.5-turbo")
                contextWindowFallback(big)
                apiKey = "sk-test-a"
            }.await()
            response.text shouldBe "yes"
            response.attempts.map { "${it.model}" } shouldContainExactly listOf("test/broken", "openai/gpt-3.5-turbo", "test/big")
        }
    }

    test("a group of which one target finds the request too long goes on with the models for long requests") {
        client().use { llm ->
            val small = failing("test/small") { tooLong }
            val broken = failing("test/broken") { LlmException.ServerError("down") }
            val group = Models.group("any") {
                strategy = RoutingStrategy.IN_ORDER
                target(small)
                target(broken)
            }
            val response = llm.chat(group) {
                user("hi")
                fallbackOnAnyError = true
                contextWindowFallback(saying("test/big", "yes"))
            }.await()
            response.text shouldBe "yes"
        }
    }

    test("a special model that fails in the same way is tried once") {
        client().use { llm ->
            val big = failing("test/big") { tooLong }
            shouldThrow<LlmException.AllFailed> {
                llm.chat(failing("test/small") { tooLong }) {
                    user("hi")
                    contextWindowFallback(big)
                }.await()
            }
            big.calls shouldBe 1
        }
    }

    test("a special model that has been tried is not tried again") {
        client { contextWindowFallback("demo/long") }.use { llm ->
            val other = Scripted("demo/any") { throw tooLong }
            val failure = shouldThrow<LlmException> {
                llm.chat(other) {
                    user("hi")
                    contextWindowFallback(other)
                }.await()
            }
            failure.attempts.size shouldBe 1
            other.calls shouldBe 1
        }
    }

    test("without special models such a failure ends the call") {
        client().use { llm ->
            val other = saying("test/other", "no")
            for (failure in listOf(tooLong, filtered)) {
                shouldThrow<LlmException> {
                    llm.chat(failing("test/m") { failure }) {
                        user("hi")
                        fallback(other)
                    }.await()
                }
            }
            other.calls shouldBe 0
        }
    }

    context("with fallbackOnAnyError a call goes on also after") {
        withData<LlmException>(
            { it.javaClass.simpleName },
            LlmException.InvalidRequest("wrong"),
            LlmException.Authentication("who"),
            LlmException.PermissionDenied("no"),
            LlmException.Configuration("no key"),
            tooLong,
            filtered,
        ) { failure ->
            client { fallbackOnAnyError = true }.use { llm ->
                llm.chat(failing("test/m") { failure }) {
                    user("hi")
                    fallback(saying("test/other", "ok"))
                }.await().text shouldBe "ok"
                shouldThrow<LlmException> {
                    llm.chat(failing("test/m") { failure }) {
                        user("hi")
                        fallback(saying("test/other", "ok"))
                        fallbackOnAnyError = false
                    }.await()
                }
            }
        }
        withData<LlmException>(
            { "not after ${it.javaClass.simpleName}" },
            LlmException.BudgetExceeded("dear"),
            LlmException.Cancelled("stop"),
            LlmException.Timeout("all", LlmException.Timeout.Phase.TOTAL),
        ) { failure ->
            client { fallbackOnAnyError = true }.use { llm ->
                val other = saying("test/other", "no")
                shouldThrow<LlmException> {
                    llm.chat(failing("test/m") { failure }) {
                        user("hi")
                        fallback(other)
                    }.await()
                }
                other.calls shouldBe 0
            }
        }
    }

    test("RESTART goes on with the next model after content: the response is that of the fallback alone") {
        client { retry { onInterrupted = OnInterrupted.RESTART } }.use { llm ->
            val cut = Scripted("test/cut") {
                emit(Delta.Start("r0", ModelId("test", "cut")))
                emit(Delta.Text("half "))
                emit(Delta.Text("a text"))
                throw LlmException.StreamInterrupted("cut")
            }
            val deltas = llm.chat(cut) {
                user("hi")
                fallback(saying("test/other", "whole"))
            }.events().toList()
            deltas.map { it::class.simpleName } shouldContainExactly listOf("Start", "Text", "Text", "Reset", "Attempt", "Start", "Text", "Finish")
            val response = dev.unifiedllm.chat.ChatResponse.of(deltas)
            response.text shouldBe "whole"
            response.model.toString() shouldBe "test/other"
        }
    }

    test("enableFallback = false turns the special models off, too") {
        client { contextWindowFallback("demo/echo") }.use { llm ->
            shouldThrow<LlmException.ContextLengthExceeded> {
                llm.chat(failing("test/m") { tooLong }) {
                    user("hi")
                    enableFallback = false
                }.await()
            }
        }
    }

    test("LITELLM_FALLBACK_ENABLED turns fallbacks off where code does not say") {
        client("LITELLM_FALLBACK_ENABLED" to "false") { fallback("demo/echo") }.use { llm ->
            shouldThrow<LlmException.ServerError> { llm.chat(failing("test/m") { LlmException.ServerError("down") }, "hi").await() }
        }
        client("LITELLM_FALLBACK_ENABLED" to "false") {
            fallback("demo/echo")
            enableFallback = true
        }.use { llm -> llm.chat(failing("test/m") { LlmException.ServerError("down") }, "hi").await().fallbackUsed shouldBe true }
        shouldThrow<LlmException.Configuration> { client("LITELLM_FALLBACK_ENABLED" to "maybe") }.message shouldContain "LITELLM_FALLBACK_ENABLED"
    }

    context("what the catalogue says that a model cannot do") {
        val long = "word ".repeat(40_000)
        test("tools, images and lengths are reasons") {
            lackingAbility(ModelId.parse("openai/gpt-3.5-turbo"), ChatRequest.build("a/b") { user(long) }).shouldNotBeNull() shouldContain "longer than"
            lackingAbility(ModelId.parse("openai/gpt-4o-mini"), ChatRequest.build("a/b") { user(long) }).shouldBeNull()
            lackingAbility(
                ModelId.parse("openai/gpt-4o-mini"),
                ChatRequest.build("a/b") {
                    user("hi")
                    tool("t", "d", """{"type":"object"}""")
                    responseFormat = ResponseFormat.jsonSchema("x", """{"type":"object"}""")
                },
            ).shouldBeNull()
        }
        test("a model that the catalogue does not list may be able to do anything") {
            lackingAbility(ModelId.parse("my/model"), ChatRequest.build("a/b") { user(long) }).shouldBeNull()
        }
    }

    test("a fallback that lacks tools is skipped with the reason in the trail, and is not sent the request") {
        client("PERPLEXITY_API_KEY" to "sk-test") {
            provider("perplexity") {
                baseUrl = "http://127.0.0.1:9"
                apiKey = "sk-test"
            }
        }.use { llm ->
            val failure = shouldThrow<LlmException.AllFailed> {
                llm.chat(failing("test/m") { LlmException.ServerError("down") }) {
                    user("hi")
                    tool("t", "d", """{"type":"object"}""")
                    fallback("perplexity/sonar")
                }.await()
            }
            failure.attempts.last().error!!.message shouldContain "was skipped: the request has tools"
        }
    }

    test("each step of a tool loop has retries and fallbacks of its own, and a tool runs once") {
        var runs = 0
        lateinit var main: Scripted
        main = Scripted("test/m") { request ->
            when (main.calls) {
                1 -> throw LlmException.ServerError("one")
                2 -> {
                    emit(Delta.Start("r", main.id))
                    emit(Delta.ToolCallDelta(0, "c1", "count", "{}"))
                    emit(Delta.Finish(dev.unifiedllm.chat.FinishReason(dev.unifiedllm.chat.FinishReason.Kind.TOOL_CALLS, "tool_calls"), null))
                }
                3, 4, 5 -> throw LlmException.ServerError("again")
                else -> error("sent ${request.messages.size} messages")
            }
        }
        client {
            retry {
                maxRetries = 2
                baseDelay = kotlin.time.Duration.ZERO
            }
        }.use { llm ->
            val other = Scripted("test/other") { says(ModelId("test", "other"), "done") }
            val response = llm.chat(main) {
                user("hi")
                tool("count", "d", """{"type":"object"}""") { runs++.toString() }
                fallback(other)
            }.await()
            response.text shouldBe "done"
            runs shouldBe 1
            response.attempts.map { "${it.model} ${it.error?.message}" } shouldContainExactly
                listOf("test/m one", "test/m again", "test/m again", "test/m again", "test/other null")
            other.requests.single().messages.size shouldBe 3
        }
    }
})
