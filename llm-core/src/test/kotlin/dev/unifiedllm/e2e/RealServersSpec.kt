package dev.unifiedllm.e2e

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.e2e.OptionalProgram.AIMOCK
import dev.unifiedllm.e2e.OptionalProgram.LITELLM
import dev.unifiedllm.e2e.OptionalProgram.LLAMA
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotBeEmpty
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import java.math.BigDecimal
import java.math.RoundingMode

/** Against servers of other projects: llama.cpp, aimock, which speaks the protocols of nine providers, and the LiteLLM proxy in front of both. */
class RealServersSpec : FunSpec({
    val servers = Servers()
    afterSpec { servers.close() }

    needs(LLAMA) { llama(servers) }
    needs(LITELLM) { proxy(servers) }
    needs(LITELLM, LLAMA) { llamaThroughProxy(servers) }
    wireCases(servers)
    needs(AIMOCK) { journal(servers) }
    features(servers)
})

/** The cases that need a program are run where all of theirs are installed. */
private fun FunSpec.features(servers: Servers) {
    for ((programs, cases) in realServerCases.groupBy { it.programs }) {
        needs(*programs.toTypedArray()) {
            for (case in cases) test(case.title) { expecting(case.fault) { case.run(servers) } }
        }
    }
}

private fun FunSpec.llama(servers: Servers) {
    val llm by lazy { Llm.builder().retry { maxRetries = 0 }.environment { servers.llamaVariables[it] }.build() }

    test("llama.cpp streams its tokens; the same seed gives the same text twice") {
        val request = llm.chat("lm_studio/tiny") {
            user("Tell me a story about a train.")
            maxTokens = 40
            seed = 7
            temperature = 0.5
        }
        val events = request.events().toList()
        events.filterIsInstance<Delta.Text>().size shouldBeGreaterThan 5
        val response = request.await()
        response.text.shouldNotBeEmpty()
        response.finishReason!!.kind shouldBe Kind.LENGTH
        response.cost shouldBe Cost.Free
        response.usage shouldBe null // this server reports none in streams
        response.warnings shouldContain "the provider did not report the tokens used"
        request.again().await().text shouldBe response.text
    }

    test("a whole response of llama.cpp has its usage") {
        val response = llm.chat("lm_studio/tiny") {
            user("Hello")
            maxTokens = 8
            delivery = Delivery.WHOLE
        }.await()
        response.usage!!.outputTokens shouldBe 8
        response.text.shouldNotBeEmpty()
    }

    test("llama.cpp accepts a second turn: a text, reasoning, tool calls and their results") {
        val first = llm.chat("lm_studio/tiny") {
            user("Hello")
            maxTokens = 5
        }.await()
        for (wanted in Delivery.entries) {
            llm.chat("lm_studio/tiny") {
                secondTurn(first)
                delivery = wanted
            }.await().text.shouldNotBeEmpty()
        }
    }

    test("after a cancellation at the second token llama.cpp answers the next request at once") {
        llm.chat("lm_studio/tiny") {
            user("Count.")
            maxTokens = 200
        }.deltas().take(2).toList().size shouldBe 2
        llm.chat("lm_studio/tiny") {
            user("Hello")
            maxTokens = 3
        }.await().finishReason!!.kind shouldBe Kind.LENGTH
    }
}

/** A conversation whose assistant turns are [first], and one with reasoning, a text and two tool calls. */
private fun ChatRequestBuilder.secondTurn(first: ChatResponse) {
    val weather = Tool.of("weather", "The weather in a city", """{"type":"object","properties":{"city":{"type":"string"}}}""")
    val calls = listOf("Paris", "Rome").map { Part.ToolCall("call_$it", weather.name, """{"city":"$it"}""") }
    tool(weather)
    toolChoice = ToolChoice.None
    user("Hello")
    message(first.toMessage())
    user("How warm is it in Paris and Rome?")
    message(Message(Role.ASSISTANT, listOf(Part.Reasoning("Let me look."), Part.Text("I look.")) + calls))
    for (call in calls) toolResult(call.id, call.name, "20 C")
    user("Thanks")
    maxTokens = 5
}

private fun FunSpec.proxy(servers: Servers) {
    val llm by lazy { Llm.builder().retry { maxRetries = 0 }.environment { servers.proxyVariables[it] }.build() }

    test("the LiteLLM proxy's stream reports its cost, and that is the cost of the response") {
        val response = llm.chat("litellm_proxy/mock-chat", "hello").await()
        response.text shouldBe "Every word of this answer was written beforehand."
        response.finishReason!!.kind shouldBe Kind.STOP
        response.cost.shouldBeInstanceOf<Cost.Known>().source shouldBe "litellm_proxy"
        response.usage!!.outputTokens!!.toInt() shouldBeGreaterThan 0
    }

    test("the cost of a whole response is in a header of the proxy") {
        val response = llm.chat("litellm_proxy/mock-chat") {
            user("hello")
            delivery = Delivery.WHOLE
        }.await()
        response.cost.shouldBeInstanceOf<Cost.Known>().source shouldBe "litellm_proxy"
    }

    test("the prices of the proxy's models are imported, and are those by which it bills") {
        Llm.builder().retry { maxRetries = 0 }.environment { servers.proxyVariables[it] }.build().use { client ->
            val refresh = client.importPrices("litellm_proxy").await()
            refresh.modelsAfter shouldBeGreaterThan 10
            refresh.unpriced.map { it.name } shouldContain "tiny" // the proxy knows no price of it
            val price = client.estimate("litellm_proxy/mock-chat", "hello").price!!
            price.inputPerMillion shouldBe Usd.of("2.5")
            price.source shouldBe "litellm_proxy model/info"
            for (wanted in Delivery.entries) {
                val response = client.chat("litellm_proxy/mock-chat") {
                    user("hello")
                    delivery = wanted
                }.await()
                val billed = response.cost.shouldBeInstanceOf<Cost.Known>()
                billed.source shouldBe "litellm_proxy" // its own figure, not the imported price
                val imported = price.cost(response.usage).usd()!!.amount
                billed.amount.amount.setScale(12, RoundingMode.HALF_EVEN).compareTo(imported) shouldBe 0
            }
        }
    }

    test("a budget holds through the proxy: by the imported prices before a call, by the proxy's figures after it") {
        Llm.builder().retry { maxRetries = 0 }.environment { servers.proxyVariables[it] }.budget(Usd.of("0.0006")).build().use { client ->
            var count = 0
            fun ask() = client.chat("litellm_proxy/mock-chat") {
                user("hello")
                maxTokens = 20
                delivery = Delivery.entries[count++ % 2]
            }
            shouldThrow<LlmException.BudgetExceeded> { ask().await() }.message!! shouldContain "price(\"litellm_proxy/mock-chat\")"
            client.importPrices("litellm_proxy").await()
            val costs = mutableListOf<BigDecimal>()
            val refused = shouldThrow<LlmException.BudgetExceeded> {
                while (true) costs += ask().await().cost.shouldBeInstanceOf<Cost.Known>().amount.amount
            }
            costs.size shouldBeGreaterThan 1
            val spent = refused.budget!!.spent
            val rounding = spent.amount - costs.reduce(BigDecimal::plus) // to a millionth of a millionth, for each response
            (rounding.signum() >= 0 && rounding <= BigDecimal("1E-12") * costs.size.toBigDecimal()) shouldBe true
            (spent + refused.asked!! > refused.budget.limit) shouldBe true
            client.budgets().single().run { listOf(this.spent, reserved) } shouldBe listOf(spent, Usd.ZERO)
        }
    }

    test("a fallback inside of the proxy is invisible to the client; the client's own fallback is in the attempts") {
        llm.chat("litellm_proxy/fb-primary", "hi").await().text shouldBe "The backup answers."
        val response = llm.chat("litellm_proxy/mock-500") {
            user("hi")
            fallback("litellm_proxy/mock-chat")
        }.await()
        response.fallbackUsed shouldBe true
        response.attempts.map { it.model.name } shouldBe listOf("mock-500", "mock-chat")
    }

    test("the proxy's errors have their types") {
        shouldThrow<LlmException.RateLimited> { llm.chat("litellm_proxy/mock-429", "hi").await() }.status shouldBe 429
        shouldThrow<LlmException.ServerError> { llm.chat("litellm_proxy/mock-500", "hi").await() }.isRetryable shouldBe true
        shouldThrow<LlmException.ContextLengthExceeded> { llm.chat("litellm_proxy/mock-ctx", "hi").await() }
        shouldThrow<LlmException> { llm.chat("litellm_proxy/mock-midstream", "hi").await() }.isRetryable shouldBe true
        shouldThrow<LlmException.NotFound> { llm.chat("litellm_proxy/no-such-model", "hi").await() }.status shouldBe 400
    }

    test("a missing key and a wrong key are different errors") {
        val proxy = servers.litellm
        Llm.builder().retry { maxRetries = 0 }.environment { if (it == "LITELLM_PROXY_API_BASE") proxy else null }.build().use { anonymous ->
            val failure = shouldThrow<LlmException.Authentication> { anonymous.chat("litellm_proxy/mock-chat", "hi").await() }
            failure.message!! shouldContain "LITELLM_PROXY_API_KEY"
        }
        val failure = shouldThrow<LlmException.Authentication> {
            llm.chat("litellm_proxy/mock-chat") {
                user("hi")
                apiKey = "sk-wrong-key-0000"
            }.await()
        }
        failure.message!!.contains("sk-wrong-key-0000") shouldBe false
    }
}

private fun FunSpec.llamaThroughProxy(servers: Servers) {
    test("llama.cpp accepts a second turn through the proxy") {
        Llm.builder().retry { maxRetries = 0 }.environment { servers.proxyVariables[it] }.build().use { llm ->
            val first = llm.chat("litellm_proxy/tiny") {
                user("Hello")
                maxTokens = 5
            }.await()
            llm.chat("litellm_proxy/tiny") { secondTurn(first) }.await().text.shouldNotBeEmpty()
        }
    }

    test("the proxy passes on llama.cpp's tokens") {
        Llm.builder().retry { maxRetries = 0 }.environment { servers.proxyVariables[it] }.build().use { llm ->
            val response = llm.chat("litellm_proxy/tiny") {
                user("Hello there")
                maxTokens = 20
            }.await()
            response.text.shouldNotBeEmpty()
            response.reportedModel.orEmpty() shouldContain "tiny"
        }
    }
}
