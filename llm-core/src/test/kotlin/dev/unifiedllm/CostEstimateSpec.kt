package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.longs.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith

private fun priced(block: LlmBuilder.() -> Unit = {}) = client {
    price("openai/gpt-4o") {
        inputPerMillion = Usd.of("10")
        outputPerMillion = Usd.of("20")
    }
    block()
}

class CostEstimateSpec : FunSpec({
    test("the range goes from the input alone to the longest output; no key is needed") {
        priced().use { llm ->
            val estimate = llm.estimate("openai/gpt-4o") {
                user("word ".repeat(1_000))
                maxTokens = 100
            }
            val input = estimate.inputTokens.count
            estimate.model shouldBe ModelId("openai", "gpt-4o")
            estimate.inputTokens.isEstimated shouldBe true
            estimate.maxOutputTokens shouldBe 100
            estimate.lowest shouldBe Usd.of("0.00001") * input
            estimate.highest shouldBe Usd.of("0.00001") * input + Usd.of("0.002")
            estimate.costText shouldBe "~${estimate.lowest!!.toDisplayString()} to ${estimate.highest!!.toDisplayString()}"
            input shouldBe llm.estimate(ChatRequest.build("openai/gpt-4o") { user("word ".repeat(1_000)) }).inputTokens.count
        }
    }

    test("without a limit in the request it is that of the model in the catalogue, for each choice") {
        priced().use { llm ->
            val one = llm.estimate("openai/gpt-4o", "hi").maxOutputTokens.shouldNotBeNull()
            val three = llm.estimate("openai/gpt-4o") {
                user("hi")
                n = 3
            }
            three.maxOutputTokens shouldBe one * 3
        }
    }

    test("without any limit there is no highest cost") {
        client {
            price("openai/own-model") {
                inputPerMillion = Usd.of("10")
                outputPerMillion = Usd.of("20")
            }
        }.use { llm ->
            val estimate = llm.estimate("openai/own-model", "hi")
            estimate.highest.shouldBeNull()
            estimate.costText shouldBe "~${estimate.lowest!!.toDisplayString()} + output"
        }
    }

    test("an unknown price is said, with what to do") {
        client().use { llm ->
            val estimate = llm.estimate("openai/nobody-knows", "hi")
            estimate.costText shouldBe "$ n/a"
            estimate.lowest.shouldBeNull()
            estimate.whyUnknown.shouldNotBeNull() shouldContain "price(\"openai/nobody-knows\")"
        }
    }

    test("a price of the catalogue has its source and day") {
        client().use { llm ->
            val price = llm.estimate("openai/gpt-4o", "hi").price.shouldNotBeNull()
            price.asOf.shouldNotBeNull()
            llm.estimate("openai/gpt-4o", "hi").whyUnknown.shouldBeNull()
        }
    }

    test("a server on this machine is free, and so is a function; demo models are marked") {
        client().use { llm ->
            llm.estimate("ollama/llama3", "hi").costText shouldBe "free (local)"
            llm.estimate(ChatRequest.build(Models.simple { "hi" }) { user("hi") }).costText shouldBe "free"
            llm.estimate("demo/echo", "hi").let {
                it.isDemo shouldBe true
                it.costText shouldStartWith "~$"
                it.costText shouldContain "(demo)"
            }
        }
        client { provider("ollama") { baseUrl = "http://gpu-box:11434" } }.use { llm -> llm.estimate("ollama/llama3", "hi").isFree shouldBe false }
    }

    test("aliases, chains, groups, links and models of another client are estimated by their first model") {
        priced { alias("smart", "openai/gpt-4o") }.use { llm ->
            llm.estimate("smart", "hi").model shouldBe ModelId("openai", "gpt-4o")
            val chain = Models.firstOf("openai/gpt-4o", "demo/echo")
            llm.estimate(ChatRequest.build(chain) { user("hi") }).lowest.shouldNotBeNull()
            client().use { other ->
                val bound = ChatRequest.build(llm.model("openai/gpt-4o")) { user("hi") }
                other.estimate(bound).lowest shouldBe llm.estimate("openai/gpt-4o", "hi").lowest
            }
        }
    }

    test("an unknown provider is told, and so is a missing default model") {
        client().use { llm ->
            shouldThrow<LlmException.Configuration> { llm.estimate("opnai/gpt-4o", "hi") }.message.shouldNotBeNull() shouldContain "openai"
            shouldThrow<LlmException.Configuration> { llm.estimate(defaultModelRequest { user("hi") }) }.message.shouldNotBeNull() shouldContain "MODEL"
        }
    }

    test("an estimate is in no ledger") {
        client().use { llm ->
            llm.estimate("demo/echo", "hi")
            llm.costs().size shouldBe 0
        }
    }

    test("the system message of a model and the schema of the response are counted") {
        priced().use { llm ->
            fun count(model: ModelRef, block: ChatRequestBuilder.() -> Unit = {}) = llm.estimate(model) {
                user("hi")
                block()
            }.inputTokens.count
            val plain = count(ModelId("openai", "gpt-4o"))
            val long = "Be short. ".repeat(100)
            count(providerModel("openai", "gpt-4o", null, null, long)) shouldBe count(ModelId("openai", "gpt-4o")) { system(long) }
            count(providerModel("openai", "gpt-4o", "sk-x", null, long)) shouldBe count(ModelId("openai", "gpt-4o")) { system(long) }
            count(ModelId("openai", "gpt-4o")) {
                responseFormat = ResponseFormat.jsonSchema("city", """{"type":"object","properties":{"city":{"type":"string"},"country":{"type":"string"}}}""")
            } shouldBeGreaterThan plain + 10
        }
    }

    test("a provider's prefix inside of a name wins, with a key and without") {
        for (variables in listOf(emptyArray(), arrayOf("ANTHROPIC_API_KEY" to "sk-ant-x"))) {
            client(*variables).use { llm ->
                llm.estimate(providerModel("openai", "demo/echo", null, null, null), "hi").let {
                    it.model shouldBe ModelId("demo", "echo")
                    it.isDemo shouldBe true
                }
                val claude = llm.estimate(providerModel("openai", "anthropic/claude-haiku-4-5", null, null, null), "hi")
                claude.model shouldBe ModelId("anthropic", "claude-haiku-4-5")
                claude.lowest.shouldNotBeNull() shouldBe llm.estimate("anthropic/claude-haiku-4-5", "hi").lowest
            }
        }
    }

    test("a provider that is marked as free is free before its base URL is known, unless a price is set") {
        client { provider("hosted_vllm") { free = true } }.use { it.estimate("hosted_vllm/llama", "hi").costText shouldBe "free" }
        client().use { it.estimate("hosted_vllm/llama", "hi").isFree shouldBe false }
        client {
            provider("hosted_vllm") { free = true }
            price("hosted_vllm/llama") {
                inputPerMillion = Usd.of("10")
                outputPerMillion = Usd.of("20")
            }
        }.use { it.estimate("hosted_vllm/llama", "hi").isFree shouldBe false }
    }

    test("the default model, and models as values") {
        priced { defaultModel = "openai/gpt-4o" }.use { llm ->
            llm.estimate { user("hi") }.model shouldBe ModelId("openai", "gpt-4o")
            llm.estimate(llm.model("openai/gpt-4o"), "hi").lowest shouldBe llm.estimate("openai/gpt-4o", "hi").lowest
        }
    }
})
