package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.usd
import dev.unifiedllm.store.By
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.flow.toList

class LlmSpec : FunSpec({
    val server = TinyServer()
    afterSpec { server.close() }

    fun LlmBuilder.fast(): LlmBuilder = intercept { request, next ->
        next.stream((request as ChatRequest).with { providerOptions { put("tokensPerSecond", 0) } })
    }

    test("the default model: the builder's, else MODEL, else LITELLM_DEFAULT_TEXT_MODEL") {
        val both = arrayOf("MODEL" to "demo/echo", "LITELLM_DEFAULT_TEXT_MODEL" to "demo/storyteller")
        client(*both) {
            fast()
            defaultModel = "demo/tools"
        }.use { it.chat { user("hi") }.await().model.toString() shouldBe "demo/tools" }
        client(*both) { fast() }.use { it.chat { user("hi") }.await().model.toString() shouldBe "demo/echo" }
        client("MODEL" to " ", both[1]) { fast() }.use { it.chat { user("hi") }.await().model.toString() shouldBe "demo/storyteller" }
    }

    test("without any, the call fails and the error names the variable") {
        client().use { llm ->
            val reply = llm.chat { user("hi") }
            reply.state shouldBe Reply.State.NEW
            val failure = shouldThrow<LlmException.Configuration> { reply.await() }
            failure.message shouldContain "MODEL"
            failure.message shouldContain "chat(\"ollama/llama3\")"
        }
    }

    test("an alias stands for a model, in a chat, as the default, in a fallback and in a chain") {
        client("MODEL" to "fast") {
            fast()
            alias("fast", "demo/echo")
            alias("team/best", "demo/storyteller")
        }.use { llm ->
            llm.chat("fast", "hi").await().model.toString() shouldBe "demo/echo"
            llm.chat("team/best", "hi").await().model.toString() shouldBe "demo/storyteller"
            llm.chat { user("hi") }.await().model.toString() shouldBe "demo/echo"
            llm.chat(Models.named("fast"), "hi").await().model.toString() shouldBe "demo/echo"
            llm.chat("demo/error") {
                user("hi")
                fallback("fast")
            }.await().model.toString() shouldBe "demo/echo"
        }
        shouldThrow<IllegalArgumentException> { Llm.builder().alias("x", "") }
    }

    test("a provider's function takes another provider's name too, and says so with a warning") {
        server.asked.clear()
        client("OLLAMA_API_BASE" to server.url, "OPENAI_API_KEY" to "key-of-openai").use { llm ->
            val answer = llm.chat(providerModel("openai", "ollama/llama3", null, null, "Be short."), "hi").await()
            answer.text shouldBe "ok"
            answer.model.toString() shouldBe "ollama/llama3"
            answer.warnings.single() shouldContain "ollama"
            answer.cost shouldBe Cost.Free
            val asked = server.asked.single()
            asked.path shouldBe "/api/chat"
            asked.authorization shouldBe null
            asked.body shouldContain "Be short."
            llm.chat(providerModel("openai", "demo/echo", null, null, null)) {
                user("hi")
                providerOptions { put("tokensPerSecond", 0) }
            }.await().model.toString() shouldBe "demo/echo"
        }
    }

    test("the key that a provider's function was given is not sent to the provider inside of the name") {
        server.asked.clear()
        client("OLLAMA_API_BASE" to server.url).use { llm ->
            llm.chat(providerModel("openai", "ollama/llama3", "key-for-openai", null, null), "hi").await()
            llm.chat(providerModel("openai", "ollama/llama3", null, null, null)) {
                user("hi")
                apiKey = "key-for-openai"
            }.await()
        }
        server.asked.map { it.authorization } shouldContainExactly listOf(null, null)
    }

    test("groq(\"openai/gpt-oss-120b\") stays with Groq, which lists a model of that name") {
        server.asked.clear()
        client("OPENAI_API_KEY" to "key-of-openai") {
            provider("groq") {
                baseUrl = server.url + "/openai/v1"
                apiKey = "key-of-groq"
            }
        }.use { llm ->
            val answer = llm.chat(providerModel("groq", "openai/gpt-oss-120b", null, null, null), "hi").await()
            answer.model.toString() shouldBe "groq/openai/gpt-oss-120b"
            answer.warnings.shouldBeEmpty()
            answer.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00075")
            server.asked.single().let {
                it.path shouldBe "/openai/v1/chat/completions"
                it.authorization shouldBe "Bearer key-of-groq"
                it.body shouldContain "\"model\":\"openai/gpt-oss-120b\""
            }
        }
    }

    test("behind OPENAI_BASE_URL every name is the server's own, also in openai(…)") {
        server.asked.clear()
        client("OPENAI_BASE_URL" to server.url + "/v1", "OPENAI_API_KEY" to "k-openai", "OLLAMA_API_BASE" to "http://127.0.0.1:1").use { llm ->
            llm.chat(providerModel("openai", "ollama/llama3", null, null, null), "hi").await().warnings.shouldBeEmpty()
            llm.chat("some-model", "hi").await().text shouldBe "ok"
        }
        server.asked.map { it.body.substringAfter("\"model\":\"").substringBefore('"') } shouldContainExactly listOf("ollama/llama3", "some-model")
    }

    test("Azure inside of another provider's function keeps its API version") {
        server.asked.clear()
        client("AZURE_API_BASE" to server.url, "AZURE_API_KEY" to "k", "AZURE_API_VERSION" to "2025-01-01-preview").use { llm ->
            llm.chat(providerModel("anthropic", "azure/mine", null, null, null), "hi").await().warnings.single() shouldContain "azure was used"
        }
        server.asked.single().path shouldBe "/openai/deployments/mine/chat/completions?api-version=2025-01-01-preview"
    }

    test("a function with a base URL of its own asks there, with the key that was given") {
        server.asked.clear()
        client("OPENAI_API_KEY" to "key-of-the-environment").use { llm ->
            llm.chat(providerModel("openai", "ollama/llama3", "key-of-the-code", server.url, null), "hi").await()
        }
        server.asked.single().let {
            it.path shouldBe "/chat/completions"
            it.authorization shouldBe "Bearer key-of-the-code"
        }
    }

    test("a server of the user's own: a price in code goes before \"free, because it is at home\"") {
        val own: ProviderBuilder.() -> Unit = { baseUrl = server.url + "/v1" }
        client { provider("my-vllm", own) }.use { it.chat("my-vllm/llama", "hi").await().cost shouldBe Cost.Free }
        client {
            provider("my-vllm", own)
            price("my-vllm/llama") {
                inputPerMillion = 0.10.usd
                outputPerMillion = 0.20.usd
            }
        }.use { it.chat("my-vllm/llama", "hi").await().cost.usd() shouldBe Usd.of("0.0003") }
    }

    test("a price for a provider's other name counts too") {
        client {
            provider("lmstudio", { baseUrl = server.url + "/v1" })
            price("lmstudio/m") {
                inputPerMillion = 1.usd
                outputPerMillion = 1.usd
            }
        }.use { it.chat("lm_studio/m", "hi").await().cost.usd() shouldBe Usd.of("0.002") }
    }

    test("model(id) is bound to its client: it streams by the client's rules and its calls are in its ledger") {
        client { fast() }.use { llm ->
            val model = llm.model("demo/echo")
            "$model" shouldBe "demo/echo"
            val deltas = model.stream(ChatRequest.build(model) { user("hi") }).toList()
            deltas.last().shouldBeInstanceOf<Delta.Finish>()
            llm.costs(By.MODEL) shouldHaveSize 1
        }
    }

    test("the key of a call goes to the first model only, never to a fallback") {
        TinyServer(503) { "" }.use { down ->
            server.asked.clear()
            client {
                provider("a") { baseUrl = down.url }
                provider("b") { baseUrl = server.url }
            }.use { llm ->
                llm.chat("a/m") {
                    user("hi")
                    apiKey = "key-of-the-call"
                    fallback("b/m")
                }.await().text shouldBe "ok"
            }
            down.asked.single().authorization shouldBe "Bearer key-of-the-call"
            server.asked.single().authorization shouldBe null
        }
    }

    test("an HTTP error arrives as a typed exception without the key") {
        TinyServer(401) { """{"error":{"message":"Incorrect API key provided: key-of-mine","type":"invalid_request_error"}}""" }.use { strict ->
            client {
                provider("openai") {
                    baseUrl = strict.url + "/v1"
                    apiKey = "key-of-mine"
                }
            }.use { llm ->
                val failure = shouldThrow<LlmException.Authentication> { llm.chat("openai/gpt-4o", "hi").await() }
                failure.status shouldBe 401
                failure.message shouldContain "OPENAI_API_KEY"
                generateSequence<Throwable>(failure) { it.cause }.joinToString { "$it" } shouldNotContain "key-of-mine"
                failure.attempts shouldHaveSize 1
            }
        }
    }

    test("interceptors stand around each step, the first one outermost") {
        val seen = mutableListOf<String>()
        fun link(name: String) = Interceptor { request, next ->
            seen += name
            next.stream((request as ChatRequest).with { user("from $name") })
        }
        val model = saying("test/a", "ok")
        client {
            intercept(link("one"))
            intercept(link("two"))
        }.use { it.chat(model, "hi").await() }
        seen shouldContainExactly listOf("one", "two")
        model.requests.single().messages shouldContainExactly listOf("hi", "from one", "from two").map(Message::user)
    }

    test("one call has one id, through all of its attempts") {
        val first = failing("test/a") { LlmException.ServerError("down") }
        val second = saying("test/b", "ok")
        client().use { llm ->
            val reply = llm.chat(Models.firstOf(first, second), "hi")
            reply.await()
            reply.again().await()
        }
        val ids = (first.requests + second.requests).map { it.context.callId }
        ids.toSet() shouldHaveSize 2
        ids.none { it.isNullOrEmpty() } shouldBe true
    }

    test("Llm.default can be set, and is used by models that no client has bound") {
        val before = Llm.default
        val own = client { fast() }
        try {
            Llm.default = own
            Llm.default shouldBeSameInstanceAs own
            val model = Models.firstOf("demo/error", "demo/echo")
            model.stream(ChatRequest.build(model) { user("hi") }).toList().last().shouldBeInstanceOf<Delta.Finish>()
            own.costs() shouldHaveSize 2
        } finally {
            Llm.default = before
            own.close()
        }
    }
})
