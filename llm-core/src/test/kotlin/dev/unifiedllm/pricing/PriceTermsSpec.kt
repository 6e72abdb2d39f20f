package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

/** @property cost the amount; null if there must be none, for the reason [why] */
private class Term(val what: String, val model: String, val billing: Billing, val cost: String?, val why: String = "", val usage: Usage.Builder.() -> Unit = {})

private fun usage(billing: Billing, block: Usage.Builder.() -> Unit) = Usage.build {
    inputTokens = 100_000
    outputTokens = 100_000
    block()
    this.billing = billing
}

private fun cost(model: String, usage: Usage, region: String? = null): Cost = PriceCatalog.packed.find(ModelId.parse(model), region = region)!!.cost(usage)

private fun tier(name: String) = Billing(Billing.serviceTier(name))

class PriceTermsSpec : FunSpec({
    context("what a price depends on beside the tokens:") {
        withData<Term>(
            { it.what },
            Term("the standard tier", "openai/gpt-5-mini", tier("default"), "0.225"),
            Term("the tier that was requested, not the one that served", "openai/gpt-5-mini", tier("auto"), "0.225"),
            Term("flex at half the price", "openai/gpt-5-mini", tier("flex"), "0.1125"),
            Term("priority", "openai/gpt-5-mini", tier("priority"), "0.405"),
            Term("batch", "anthropic/claude-sonnet-4-5", tier("batch"), "0.9"),
            Term("Vertex AI's name of a tier", "vertex_ai/gemini-2.5-flash", tier("ON_DEMAND_PRIORITY"), "0.504"),
            Term("tokens from the cache at the rate of the tier", "openai/gpt-5-mini", tier("flex"), "0.10125") { cacheReadTokens = 100_000 },
            Term("a tier without a price", "openai/gpt-5-mini", tier("scale"), null, "service tier \"scale\""),
            Term("a tier of a provider without tiers", "mistral/mistral-large-latest", tier("priority"), null, "service tier \"priority\""),
            Term("capacity that was paid before", "vertex_ai/gemini-2.5-flash", tier("PROVISIONED_THROUGHPUT"), null, "service tier"),
            Term("a long request in a tier with rates for it", "openai/gpt-5.6-luna", tier("flex"), "0.15") {
                inputTokens = 300_000
            },
            Term("a long request in a tier without rates for it", "gemini/gemini-2.5-pro", tier("flex"), null, "300000 input tokens") {
                inputTokens = 300_000
            },
            Term("a cache for an hour in a tier without a rate for it", "anthropic/claude-sonnet-4-5", tier("batch"), null, "for an hour") {
                cacheWriteTokens = 10
                cacheWrite1hTokens = 10
            },
            Term("a long request with a cache for an hour", "anthropic/claude-haiku-5-5", Billing.STANDARD, "0.3051") {
                inputTokens = 200_100
                outputTokens = 100_000
                cacheWriteTokens = 100
                cacheWrite1hTokens = 100
                cacheReadTokens = 100_000
            },
            Term("a long request with reasoning at the price of output", "gemini/gemini-2.5-pro", Billing.STANDARD, "1.5") {
                inputTokens = 300_000
                outputTokens = 50_000
                reasoningTokens = 50_000
            },
            Term("fast mode", "anthropic/claude-opus-4-8", Billing(conditions = setOf("fast")), "6"),
            Term("a place", "anthropic/claude-opus-4-8", Billing(conditions = setOf("us")), "3.3"),
            Term("fast mode at a place", "anthropic/claude-opus-4-8", Billing(conditions = setOf("fast", "us")), "6.6"),
            Term("fast mode of a model without a price for it", "anthropic/claude-haiku-4-5", Billing(conditions = setOf("fast")), null, "\"fast\""),
            Term("web searches at OpenAI, by their number", "openai/gpt-5-mini", Billing(webSearches = 3), "0.255"),
            Term("web searches with fast mode, which does not change their fee", "anthropic/claude-opus-4-8", Billing(null, setOf("fast"), 2), "6.02"),
            Term("web searches of a model without a fee", "openai/gpt-4o", Billing(webSearches = 1), null, "web searches"),
            Term("no search at a model without a fee", "openai/gpt-4o", Billing(webSearches = 0), "1.25"),
            Term("grounding of Gemini 2.5 once for a response", "gemini/gemini-2.5-flash", Billing(webSearches = 3), "0.315"),
            Term("grounding of Gemini 3 by the number of queries", "gemini/gemini-3.5-flash", Billing(webSearches = 3), "1.092"),
            Term("a fee for each request by its size", "perplexity/sonar", Billing(searchContext = "high"), "0.212"),
            Term("a fee for each request whose size is unknown", "perplexity/sonar", Billing.STANDARD, null, "size"),
            Term("a model that searches in each request", "openai/gpt-4o-search-preview", Billing.STANDARD, "1.275"),
            Term("what the wire could not price", "openai/gpt-5-mini", Billing(unpriced = "no price is known for file searches"), null, "file searches"),
        ) { term ->
            val cost = cost(term.model, usage(term.billing, term.usage))
            if (term.cost == null) {
                cost.shouldBeInstanceOf<Cost.Unknown>().why shouldContain term.why
            } else {
                cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of(term.cost)
            }
        }
    }

    test("OpenAI's endpoints in one region are dearer for newer models only") {
        val usage = usage(Billing.STANDARD) {}
        cost("openai/gpt-5.6-luna", usage).usd() shouldBe Usd.of("0.14")
        cost("openai/gpt-5.6-luna", usage, region = "eu").usd() shouldBe Usd.of("0.154")
        cost("openai/gpt-5-mini", usage, region = "eu").usd() shouldBe Usd.of("0.225")
    }

    test("a price set in code is that of every tier, and needs a fee for searches") {
        val price = Price.Builder().inputPerMillion(Usd.of("1")).outputPerMillion(Usd.of("2"))
        price.build("user").cost(usage(tier("flex")) {}).usd() shouldBe Usd.of("0.3")
        price.build("user").cost(usage(Billing(conditions = setOf("fast"))) {}).usd() shouldBe Usd.of("0.3")
        price.build("user").cost(usage(Billing(webSearches = 2)) {}).shouldBeInstanceOf<Cost.Unknown>().why shouldBe
            "no price is known for web searches; set one in the settings of the client: " +
            "price(\"provider/model\") { …; perWebSearch = … } (Kotlin), price(\"provider/model\", p -> p….perWebSearch(…)) (Java)"
        price.perWebSearch(Usd.of("0.01")).build("user").let {
            it.perWebSearch shouldBe Usd.of("0.01")
            it.cost(usage(Billing(webSearches = 2)) {}).usd() shouldBe Usd.of("0.32")
            it.cost(usage(Billing.STANDARD) {}).usd() shouldBe Usd.of("0.3")
        }
    }

    test("where a price is missing, the reason ends with how to set one; where tokens are missing, it does not") {
        val remedy = "set one in the settings of the client: price(\"provider/model\") { … } (Kotlin), price(\"provider/model\", p -> …) (Java)"
        fun why(model: String, billing: Billing) = cost(model, usage(billing) {}).shouldBeInstanceOf<Cost.Unknown>().why
        why("openai/gpt-5-mini", tier("scale")) shouldBe "no price is known for the service tier \"scale\"; $remedy"
        why("anthropic/claude-haiku-4-5", Billing(conditions = setOf("fast"))) shouldBe "no price is known for the condition \"fast\"; $remedy"
        why("openai/gpt-4o", Billing(webSearches = 1)) shouldContain "perWebSearch = …"
        why("perplexity/sonar", Billing.STANDARD) shouldContain "perWebSearch = …"
        why("openai/gpt-5-mini", Billing(unpriced = "no price is known for file searches")) shouldBe "no price is known for file searches"
        cost("openai/gpt-5-mini", Usage.build { outputTokens = 5 }).shouldBeInstanceOf<Cost.Unknown>().why shouldBe
            "the provider did not report the input tokens"
    }

    test("a router's fee comes on top of the price of the model that responded, for cached tokens, too") {
        val usage = usage(Billing.STANDARD) { cacheReadTokens = 100_000 }
        val router = ModelId("azure", "model-router")
        PriceCatalog.packed.find(router, "gpt-5.6-luna-2026-07-09")!!.cost(usage).usd() shouldBe Usd.of("0.136")
        PriceCatalog.packed.find(router, "gpt-9") shouldBe null
        PriceCatalog.packed.find(router) shouldBe null
    }

    test("the sum of usages that were billed differently has no price") {
        val sum = usage(tier("flex")) {} + usage(Billing(webSearches = 1)) {}
        cost("openai/gpt-5-mini", sum).shouldBeInstanceOf<Cost.Unknown>()
        val alike = usage(Billing(webSearches = 1)) {} + usage(Billing(webSearches = 2)) {}
        cost("openai/gpt-5-mini", alike).usd() shouldBe Usd.of("0.48")
    }
})
