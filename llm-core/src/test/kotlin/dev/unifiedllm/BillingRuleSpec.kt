package dev.unifiedllm

import dev.unifiedllm.BillingRule.Kind
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

private const val GATEWAY = "https://gateway.example.com/v1"

private class Rule(
    val model: String,
    val url: String?,
    val kind: Kind,
    val why: String = "",
    val reported: String? = null,
    val block: LlmBuilder.() -> Unit = {},
) {
    override fun toString(): String = "$model at ${url ?: "its own host"}${reported?.let { ", which responds as $it" }.orEmpty()}: $kind"
}

private fun rule(case: Rule): BillingRule {
    val provider = case.model.substringBefore('/')
    return client("OPENAI_API_KEY" to "k", "GROQ_API_KEY" to "k", "LITELLM_PROXY_API_KEY" to "k", "CUSTOM_OPENAI_API_KEY" to "k") {
        case.url?.let {
            provider(provider) {
                baseUrl = it
                apiKey = "key-of-the-tests"
                allowInsecure = true
            }
        }
        case.block(this)
    }.use { llm ->
        val queries = llm.client.queries
        queries.prices.billing(queries.target(UnboundModel(ModelId.parse(case.model)), null)!!, case.reported)
    }
}

private fun body(model: String, usage: String = """{"prompt_tokens":1000,"completion_tokens":1000}""") =
    """{"id":"c","model":"$model","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":$usage}"""

/** The cost of a whole response of [model], which a server on this machine sends. */
private suspend fun cost(model: String, body: String, vararg headers: Pair<String, String>, block: LlmBuilder.() -> Unit = {}): Cost =
    LoopbackServer { whole(body, 200, *headers) }.use { server ->
        client {
            provider(model.substringBefore('/')) {
                baseUrl = server.url
                apiKey = "key-of-the-tests"
            }
            block()
        }.use { llm ->
            llm.chat(model) {
                user("hi")
                delivery = Delivery.WHOLE
            }.await().cost
        }
    }

class BillingRuleSpec : FunSpec({
    context("who bills, by one rule:") {
        val price: LlmBuilder.() -> Unit = { price("box/m") { inputPerMillion("1").outputPerMillion("2") } }
        withData<Rule>(
            { it.toString() },
            Rule("openai/gpt-4o", null, Kind.LISTED, "openai bills for it (litellm"),
            Rule("openai/nonesuch", null, Kind.UNKNOWN, "no price is known for openai/nonesuch"),
            Rule("openai/gpt-4o", GATEWAY, Kind.LISTED, "gateway.example.com is taken for a gateway"),
            Rule("openai/gpt-4o", "http://localhost:4000/v1", Kind.LISTED, "localhost is taken for a gateway"),
            Rule("openai/gpt-4o", "http://localhost:4000/v1", Kind.LISTED, reported = "gpt-4o-2024-08-06"),
            Rule("openai/gpt-4o", "http://localhost:4000/v1", Kind.LISTED, reported = "gpt-4o-mini"),
            Rule("openai/gpt-4o", "http://localhost:8080/v1", Kind.UNKNOWN, "responded as \"Llama-3.2-3B\", which is no model of openai", "Llama-3.2-3B"),
            Rule("openai/gpt-4o", "http://10.0.0.7:8080/v1", Kind.UNKNOWN, "no model of openai", "qwen2.5-coder:7b"),
            Rule("openai/gpt-4o", GATEWAY, Kind.UNKNOWN, "no model of openai", "meta-llama/llama-3.3-70b"),
            Rule("groq/openai/gpt-oss-120b", "http://127.0.0.1:9/v1", Kind.LISTED, reported = "gpt-oss-120b"),
            Rule("openai/gpt-4o", "http://localhost:8080/v1", Kind.FREE, "openai is marked as free") { provider("openai") { free = true } },
            Rule("ollama/llama3", null, Kind.FREE, "the server at localhost runs on this machine"),
            Rule("ollama/gpt-oss:120b-cloud", null, Kind.UNKNOWN, "ollama.com bills"),
            Rule("ollama/llama3", "http://gpu-box:11434", Kind.UNKNOWN, "on another machine (gpu-box)"),
            Rule("custom_openai/m", "http://localhost:8000/v1", Kind.FREE, "runs on this machine"),
            Rule("custom_openai/m", "https://x.example.com/v1", Kind.UNKNOWN),
            Rule("box/m", "http://localhost:8000/v1", Kind.FREE, "runs on this machine"),
            Rule("box/m", "http://litellm:4000/v1", Kind.UNKNOWN, "another machine (litellm)"),
            Rule("box/gpt-4o", "http://llm.corp.internal/v1", Kind.UNKNOWN, "mark box as free"),
            Rule("box/gpt-4o", "http://10.1.2.3:8000/v1", Kind.UNKNOWN, "price(\"box/gpt-4o\")"),
            Rule("box/m", "http://litellm:4000/v1", Kind.SET, "its price is set (user)", block = price),
            Rule("box/m", "http://localhost:8000/v1", Kind.SET, block = price),
            Rule("litellm_proxy/gpt-4o", null, Kind.UNKNOWN, "llm.importPrices(\"litellm_proxy\")"),
        ) { case ->
            rule(case).let {
                it.kind shouldBe case.kind
                it.why shouldContain case.why
                (it.price != null) shouldBe (case.kind == Kind.SET || case.kind == Kind.LISTED)
                "$it" shouldContain it.kind.name.lowercase()
            }
        }
    }

    test("a server on this machine that responds as another model is not billed as the provider, nor taken for free") {
        cost("openai/gpt-4o", body("Llama-3.2-3B-Instruct-Q4_K_M.gguf")).shouldBeInstanceOf<Cost.Unknown>().why shouldContain "no model of openai"
        cost("openai/gpt-4o", body("gpt-4o-2024-08-06")).usd() shouldBe Usd.of("0.0125")
    }

    test("a LiteLLM proxy's header counts at the base URL of every provider, and a price of the user's does not replace it") {
        val billed = "x-litellm-response-cost" to "0.0042"
        for (model in listOf("openai/gpt-4o", "litellm_proxy/anything", "anthropic/claude-haiku-4-5")) {
            val answer = if (model.startsWith("anthropic")) {
                """{"id":"m","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn",""" +
                    """"usage":{"input_tokens":5,"output_tokens":5}}"""
            } else {
                body("whatever")
            }
            val price: LlmBuilder.() -> Unit = { price(model) { inputPerMillion("1").outputPerMillion("2") } }
            cost(model, answer, billed, block = price) shouldBe Cost.Known(Usd.of("0.0042"), model.substringBefore('/'))
        }
    }

    test("a proxy that tells no cost has none, until a price is set") {
        cost("litellm_proxy/gpt-4o", body("gpt-4o")).shouldBeInstanceOf<Cost.Unknown>().why shouldContain "importPrices"
        val price: LlmBuilder.() -> Unit = { price("litellm_proxy/gpt-4o") { inputPerMillion("1").outputPerMillion("2") } }
        cost("litellm_proxy/gpt-4o", body("gpt-4o"), block = price).usd() shouldBe Usd.of("0.003")
    }

    test("a provider's estimate of its bill says that it is one") {
        val usage = """{"prompt_tokens":11,"completion_tokens":5,"estimated_cost":8.775e-6}"""
        cost("deepinfra/m/llama", body("m/llama", usage)) shouldBe Cost.Known(Usd.of("0.000008775"), "deepinfra", estimated = true)
        val billed = """{"prompt_tokens":11,"completion_tokens":5,"cost":0.001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.02}}"""
        cost("openrouter/z-ai/glm", body("z-ai/glm", billed)) shouldBe Cost.Known(Usd.of("0.021"), "openrouter")
    }

    test("a price in code may name the model by an alias or without its provider") {
        suspend fun priced(name: String) = cost("openai/gpt-4o", body("gpt-4o")) {
            alias("fast", "openai/gpt-4o")
            price(name) { inputPerMillion("1").outputPerMillion("2") }
        }
        for (name in listOf("openai/gpt-4o", "fast", "gpt-4o")) priced(name).usd() shouldBe Usd.of("0.003")
    }

    test("an estimate says by the same rule why there is no price") {
        client { provider("box") { baseUrl = "http://litellm:4000/v1" } }.use {
            it.estimate("box/gpt-4o", "hi").whyUnknown!! shouldContain "another machine (litellm)"
        }
        client { provider("box") { baseUrl = "http://localhost:8000/v1" } }.use { it.estimate("box/gpt-4o", "hi").isFree shouldBe true }
    }
})
