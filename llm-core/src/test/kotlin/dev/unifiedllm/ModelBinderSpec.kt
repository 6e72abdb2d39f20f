package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.util.concurrent.CopyOnWriteArrayList

private const val ANSWER =
    """{"id":"r","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":999999,"completion_tokens":1}}"""

private fun one(baseUrl: String, key: String): Llm = client {
    provider("openai") {
        this.baseUrl = "$baseUrl/v1"
        apiKey = key
    }
    price("openai/x") {
        inputPerMillion = Usd.of("3")
        outputPerMillion = Usd.of("3")
    }
    alias("short", "openai/x")
}

/** Counts the calls that pass. */
private class Counting : Interceptor {
    val models = CopyOnWriteArrayList<String>()

    override fun intercept(request: Request, next: Model) = next.stream(request).also { models += next.id.toString() }
}

private fun cutting(): Model {
    val id = ModelId.parse("test/cut")
    return Scripted("$id") {
        emit(Delta.Start(null, id))
        emit(Delta.Text("half"))
        throw LlmException.StreamInterrupted("cut", details = LlmException.Details(id))
    }
}

class ModelBinderSpec : FunSpec({
    test("each kind of model is bound by the client on which it is used: its key, its base URL, one row in its ledger, once in its total") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            one(server.url, "sk-mine").use { llm ->
                val log = Counting()
                val models = listOf(
                    "a name" to Models.named("openai/x"),
                    "an alias" to Models.named("short"),
                    "a chain" to Models.firstOf("openai/x"),
                    "a bound model" to llm.model("openai/x"),
                    "a bound alias" to llm.model("short"),
                    "a name behind an interceptor" to Models.named("openai/x").with(log),
                    "a bound model behind an interceptor" to llm.model("openai/x").with(log),
                    "a chain behind an interceptor" to Models.firstOf("openai/x", "demo/echo").with(log),
                    "a provider's function" to providerModel("openai", "x", null, null, null),
                )
                models.forEachIndexed { index, (_, model) ->
                    llm.chat(model, "hello").await().cost.usd() shouldBe Usd.of("3")
                    server.requests.last().header("Authorization") shouldBe "Bearer sk-mine"
                    llm.costs().single().calls shouldBe index + 1
                    llm.totalCost shouldBe Usd.of("3").times(index + 1L)
                }
                log.models shouldHaveSize 3
            }
        }
    }

    test("a request keeps the model that it was built with, whatever that is") {
        client().use { llm ->
            llm.chat(ChatRequest.build(Models.firstOf("demo/error", "demo/echo")) { user("hi") }).await().model.toString() shouldBe "demo/echo"
            val response = llm.chat(ChatRequest.build(Models.simple { it.uppercase() }) { user("hi") }).await()
            response.text shouldBe "HI"
            response.cost shouldBe Cost.Free
            val request = ChatRequest.build(saying("my/own", "mine")) { user("hi") }
            llm.chat(request.with { temperature = 0.5 }).await().text shouldBe "mine"
            llm.chat(request.withContext(request.context.with { task = "x" })).await().text shouldBe "mine"
        }
    }

    test("a model of another client keeps that client's key and ledger, and gets no second row") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            one(server.url, "sk-theirs").use { theirs ->
                one(server.url, "sk-mine").use { mine ->
                    mine.chat(theirs.model("openai/x"), "hello").await()
                    server.requests.single().header("Authorization") shouldBe "Bearer sk-theirs"
                    theirs.costs().single().calls shouldBe 1
                    mine.costs().shouldBeEmpty()
                }
            }
        }
    }

    test("an interceptor stays around its own target of a chain, and its failure goes to the next") {
        client().use { llm ->
            val first = Counting()
            val second = Counting()
            val response = llm.chat(Models.named("demo/error").with(first)) {
                user("hi")
                fallback(Models.named("demo/echo").with(second))
            }.await()
            response.attempts.map { "${it.model}" } shouldContainExactly listOf("demo/error", "demo/echo")
            first.models shouldContainExactly listOf("demo/error")
            second.models shouldContainExactly listOf("demo/echo")
        }
    }

    test("a chain behind an interceptor that fails as a whole has its attempts once, and the fallback goes on") {
        client().use { llm ->
            val chain = Models.firstOf("demo/error", "demo/cut").with(Counting())
            val failed = shouldThrow<LlmException.StreamInterrupted> { llm.chat(chain, "hi").await() }
            failed.attempts.map { "${it.model}" } shouldContainExactly listOf("demo/error", "demo/cut")
            val broken = Models.firstOf(Models.named("demo/error"), failing("my/down") { LlmException.ServerError("down") }).with(Counting())
            val response = llm.chat(broken) {
                user("hi")
                fallback("demo/echo")
            }.await()
            response.attempts.map { "${it.model}" } shouldContainExactly listOf("demo/error", "my/down", "demo/echo")
        }
    }

    test("the key of a call is for its first model only, also behind an interceptor") {
        LoopbackServer { if (it.header("Authorization") == "Bearer sk-call") whole("{}", 500) else whole(ANSWER) }.use { server ->
            one(server.url, "sk-mine").use { llm ->
                llm.chat(Models.named("openai/x").with(Counting())) {
                    user("hello")
                    apiKey = "sk-call"
                    fallback("openai/y")
                }.await().text shouldBe "hi"
                server.requests.map { it.header("Authorization") } shouldContainExactly listOf("Bearer sk-call", "Bearer sk-mine")
            }
        }
    }

    test("the rules of the client hold for a chain behind an interceptor as at the top: any error, interrupted responses, abilities") {
        fun refusing() = failing("test/refusing") { LlmException.InvalidRequest("no", details = LlmException.Details(ModelId.parse("test/refusing"), 400)) }
        fun chain(vararg models: Model) = Models.firstOf(*models).with(Counting())
        client {
            fallbackOnAnyError = true
            retry { onInterrupted = OnInterrupted.RESTART }
        }.use { llm ->
            llm.chat(chain(refusing(), saying("test/ok", "ok")), "hello").await().text shouldBe "ok"
            llm.chat(chain(cutting(), saying("test/ok", "ok")), "hello").await().text shouldBe "ok"
            val seeing = llm.chat(chain(refusing(), Models.named("openai/gpt-3.5-turbo"), saying("test/ok", "ok"))) {
                user("What is this?") { image("https://127.0.0.1/cat.png") }
            }.await()
            seeing.text shouldBe "ok"
            seeing.attempts.map { "${it.model}" } shouldContainExactly listOf("test/refusing", "openai/gpt-3.5-turbo", "test/ok")
            seeing.attempts[1].error!!.message!! shouldContain "gpt-3.5-turbo"
        }
        client().use { llm ->
            shouldThrow<LlmException.InvalidRequest> { llm.chat(chain(refusing(), saying("test/ok", "ok")), "hello").await() }
            shouldThrow<LlmException.StreamInterrupted> { llm.chat(chain(cutting(), saying("test/ok", "ok")), "hello").await() }
            llm.chat(chain(refusing(), saying("test/ok", "ok"))) {
                user("hello")
                fallbackOnAnyError = true
            }.await().text shouldBe "ok"
            llm.chat(chain(cutting(), saying("test/ok", "ok"))) {
                user("hello")
                retry { onInterrupted = OnInterrupted.RESTART }
            }.await().text shouldBe "ok"
        }
    }

    test("an unknown provider of a fallback is told before the fallback is needed") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            one(server.url, "sk-mine").use { llm ->
                val failure = shouldThrow<LlmException.Configuration> {
                    llm.chat("openai/x") {
                        user("hello")
                        fallback("opnai/x")
                    }.await()
                }
                failure.message!! shouldContain "opnai"
                server.requests.size shouldBe 0
                llm.chat("openai/x") {
                    user("hello")
                    fallback("demo/echo", "groq/llama")
                }.await().text shouldBe llm.chat("openai/x", "hello").await().text
            }
        }
    }
})
