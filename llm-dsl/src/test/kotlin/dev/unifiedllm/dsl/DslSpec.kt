package dev.unifiedllm.dsl

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.emptyFlow
import kotlinx.coroutines.flow.toList
import java.util.concurrent.CopyOnWriteArrayList
import java.util.function.Consumer
import kotlin.time.Duration.Companion.seconds

private val weather = Tool.of("weather", "Current weather", """{"type":"object"}""")

/** A request as the DSL says it, and as core's builders say it. */
private class Said(val what: String, val dsl: ChatRequestBuilder.() -> Unit, val core: Consumer<ChatRequestBuilder>)

private fun ChatRequest.rules() = with(context) {
    listOf(task, tags, fallbacks.map { it.id }, enableFallback, apiKey, timeouts)
}

class DslSpec : FunSpec({
    val before = Llm.default
    val requests = CopyOnWriteArrayList<ChatRequest>()
    val recorder = Interceptor { request, next ->
        requests += request as ChatRequest
        next.stream(request.with { providerOptions { put("tokensPerSecond", 0) } })
    }
    val own = llm {
        environment { name -> if (name == "MODEL") "demo/echo" else null }
        intercept(recorder)
    }
    beforeSpec { Llm.default = own }
    beforeTest { requests.clear() }
    afterSpec {
        Llm.default = before
        own.close()
    }

    context("the DSL says what core's builders say:") {
        withData<Said>(
            { it.what },
            Said("messages", {
                system("s")
                user("u")
                assistant("a")
                toolResult("c1", "weather", "18 °C")
                message(Message(Role.USER, listOf(Part.Text("named")), "Ann"))
                messages(listOf(Message.user("from a list")))
                messages(listOf(mapOf("role" to "user", "content" to "from a map")))
            }, {
                it.system("s").user("u").assistant("a").toolResult("c1", "weather", "18 °C").message(Message(Role.USER, listOf(Part.Text("named")), "Ann"))
                    .messages(listOf(Message.user("from a list"))).message(Message.user("from a map"))
            }),
            Said("settings", {
                user("u")
                temperature = 0.2
                topP = 0.9
                topK = 5
                maxTokens = 200
                seed = 7
                n = 2
                presencePenalty = 0.1
                frequencyPenalty = 0.2
                reasoning = Effort.LOW
                responseFormat = ResponseFormat.Json
                endUser = "ann"
                delivery = Delivery.WHOLE
                stop("END", "STOP")
            }, {
                it.user("u").temperature(0.2).topP(0.9).topK(5).maxTokens(200).seed(7).n(2).presencePenalty(0.1).frequencyPenalty(0.2)
                    .reasoning(Effort.LOW).responseFormat(ResponseFormat.Json).endUser("ann").delivery(Delivery.WHOLE).stop("END", "STOP")
            }),
            Said("tools", {
                user("u")
                tool(weather)
                toolChoice = ToolChoice.Named("weather")
            }, { it.user("u").tool(weather).toolChoice(ToolChoice.Named("weather")) }),
            Said("images", {
                user("look") { image("https://example.com/cat.png").image(byteArrayOf(1, 2), "image/png") }
            }, { builder -> builder.user("look", Consumer { it.image("https://example.com/cat.png").image(byteArrayOf(1, 2), "image/png") }) }),
            Said("rules of the call", {
                user("u")
                task = "describe"
                tag("demo", "x")
                fallback("openai/gpt-4o-mini", "groq/m")
                enableFallback = false
                apiKey = "k-1"
                timeouts { firstByte = 30.seconds }
            }, { builder ->
                builder.user("u").task("describe").tag("demo", "x").fallback("openai/gpt-4o-mini", "groq/m").enableFallback(false).apiKey("k-1")
                    .timeouts(Consumer { it.firstByte(java.time.Duration.ofSeconds(30)) })
            }),
            Said("the provider's own options", {
                user("u")
                providerOptions {
                    put("service_tier", "flex")
                    put("n_probs", 3)
                    put("logprobs", true)
                }
            }, { builder -> builder.user("u").providerOptions(Consumer { it.put("service_tier", "flex").put("n_probs", 3).put("logprobs", true) }) }),
        ) { said ->
            val one = ChatRequest.build("demo/echo", said.dsl)
            val other = ChatRequest.build("demo/echo", said.core)
            one shouldBe other
            one.rules() shouldBe other.rules()
        }
    }

    test("chat in all its forms asks the default client for the same") {
        val echo = model("demo/echo")
        val expected = ChatRequest.build("demo/echo") { user("hi") }
        chat("demo/echo", "hi").await().text shouldBe "The demo model echoes: hi"
        chat("demo/echo") { user("hi") }.await()
        chat(echo, "hi").await()
        chat(echo) { user("hi") }.await()
        chat(ModelId.parse("demo/echo"), "hi").await()
        requests shouldContainExactly List(5) { expected }
        chat { user("hi") }.deltas().toList().joinToString("") shouldStartWith "The demo model"
        own.costs().single().calls shouldBe 6
    }

    test("costs() and totalCost are the default client's") {
        chat("demo/echo", "hi").await()
        costs().single().name shouldBe "demo/echo"
        costs(days = 7, by = By.PROVIDER).single().name shouldBe "demo"
        costs(by = By.DAY) shouldHaveSize 1
        totalCost shouldBe Usd.ZERO
    }

    test("a conversation remembers") {
        val talk = conversation("demo/echo") { system("You are a tutor.") }
        talk.ask("one").await()
        talk.ask("two").await()
        requests.map { it.messages.size } shouldContainExactly listOf(2, 4)
        conversation(model("demo/echo")).ask("x").await().text shouldBe "The demo model echoes: x"
    }

    test("a chain, a function and a provider's function are models") {
        chat(firstOf("demo/error", "demo/echo"), "hi").await().model.toString() shouldBe "demo/echo"
        chat(firstOf(model("demo/error"), simple { it.uppercase() }), "hi").await().text shouldBe "HI"
        val thin: List<Model> = listOf(openai("gpt-4o"), groq("llama-3.3-70b-versatile"), ollama("llama3"))
        thin.map { "${it.id}" } shouldContainExactly listOf("openai/gpt-4o", "groq/llama-3.3-70b-versatile", "ollama/llama3")
        chat(openai("demo/echo"), "hi").await().model.toString() shouldBe "demo/echo"
        shouldThrow<LlmException.Configuration> { chat(groq("llama-3.3-70b-versatile"), "hi").await() }
        shouldThrow<IllegalArgumentException> { openai("gpt-4o", apiKey = "two\nlines") }
    }

    test("llm { } says what the builder says") {
        llm {
            environment { null }
            defaultModel = "fast"
            alias("fast", "demo/echo")
            enableCostTracking = false
            fallback("demo/storyteller")
            timeouts { total = 5.seconds }
            provider("my-vllm") {
                baseUrl = "http://gpu-box:8000/v1"
                allowInsecure = true
            }
            price("my-vllm/llama") {
                inputPerMillion = 0.10.usd
                outputPerMillion = 0.20.usd
            }
            intercept { _, _ -> emptyFlow() }
        }.close()
    }

    test("validateEnvironment says what the default client has") {
        validateEnvironment("demo/echo").isReady shouldBe true
        validateEnvironment("nobody/x").problem!! shouldContain "No provider is called"
    }

    test("an amount of money: a Double counts as it prints") {
        0.05.usd shouldBe Usd.of("0.05")
        0.1.usd + 0.2.usd shouldBe 0.3.usd
        5.usd shouldBe Usd.of("5.00")
        0.1f.usd shouldBe Usd.of("0.1")
        1e-9.usd shouldBe Usd.of("0.000000001")
        shouldThrow<NumberFormatException> { Double.NaN.usd }
    }
})
