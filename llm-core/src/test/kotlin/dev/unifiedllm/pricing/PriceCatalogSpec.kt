package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.usd
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import java.math.BigDecimal
import java.time.LocalDate
import java.util.zip.GZIPInputStream

private fun find(id: String, reported: String? = null) = PriceCatalog.packed.find(ModelId.parse(id), reported)

private fun price(input: String, output: String, block: Price.Builder.() -> Unit = {}) =
    Price.Builder().inputPerMillion(Usd.of(input)).outputPerMillion(Usd.of(output)).apply(block).build("test")

private fun Cost.amount() = shouldBeInstanceOf<Cost.Known>().amount

private class Case(val what: String, val price: Price?, val cost: String, val usage: Usage)

class PriceCatalogSpec : FunSpec({
    context("the cost of a response") {
        withData<Case>(
            { it.what },
            Case("gpt-4o-mini, by its bare row", find("openai/gpt-4o-mini"), "0.000435", Usage.of(500, 600)),
            Case("a model of OpenAI at groq's price", find("groq/openai/gpt-oss-120b"), "0.00075", Usage.of(1_000, 1_000)),
            Case("a name with a slash", find("together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"), "0.00208", Usage.of(1_000, 1_000)),
            Case("mistral", find("mistral/mistral-large-latest"), "0.002", Usage.of(1_000, 1_000)),
            Case("embeddings, which have no price for output", find("mistral/mistral-embed"), "0.0001", Usage.of(1_000, 0)),
            Case(
                "image tokens at their own price, beside text",
                find("openai/gpt-image-1.5"),
                "0.0385",
                Usage.build {
                    inputTokens = 1_000
                    outputTokens = 1_150
                    imageTokens = 1_000
                },
            ),
            Case(
                "deepseek with most of the input read from its cache",
                find("deepseek/deepseek-chat"),
                "0.00007336",
                Usage.build {
                    inputTokens = 1_000
                    outputTokens = 0
                    cacheReadTokens = 820
                },
            ),
            Case(
                "oracle ii: reasoning tokens are part of the output and are billed once (PostHog #71065)",
                find("gemini/gemini-2.5-flash"),
                "0.0000577",
                Usage.build {
                    inputTokens = 9
                    outputTokens = 22
                    reasoningTokens = 21
                },
            ),
            Case(
                "oracle iii: the rates of the tier apply to the whole request above 200k tokens (litellm #14849)",
                find("gemini/gemini-2.5-pro"),
                "0.10316125",
                Usage.build {
                    inputTokens = 262_960
                    outputTokens = 1_744
                    cacheReadTokens = 257_955
                },
            ),
            Case("a request at the bound of a tier", find("gemini/gemini-2.5-pro"), "0.25", Usage.of(200_000, 0)),
            Case("a request above the bound of a tier", find("gemini/gemini-2.5-pro"), "0.5000025", Usage.of(200_001, 0)),
            Case(
                "oracle v: cached tokens are part of the input and are billed once (litellm PR #31282)",
                find("anthropic/claude-haiku-4-5"),
                "0.000995",
                Usage.build {
                    inputTokens = 1_000
                    outputTokens = 0
                    cacheWriteTokens = 700
                    cacheReadTokens = 200
                },
            ),
            Case(
                "tokens cached for an hour at their own rate, the other cached tokens at the usual one",
                find("anthropic/claude-haiku-4-5"),
                "0.0065",
                Usage.build {
                    inputTokens = 4_000
                    outputTokens = 0
                    cacheWriteTokens = 4_000
                    cacheWrite1hTokens = 2_000
                },
            ),
            Case(
                "oracle i: the cost in Anthropic's console (litellm #9812)",
                price("3", "15") { cacheWritePerMillion = Usd.of("3.75") },
                "0.054399",
                Usage.build {
                    inputTokens = 12_307
                    outputTokens = 550
                    cacheWriteTokens = 12_304
                    cacheReadTokens = 0
                },
            ),
            Case(
                "oracle iv: tokens written to the cache are not billed as plain input, too (litellm #6575)",
                price("3", "15") { cacheWritePerMillion = Usd.of("3.75") },
                "0.00375",
                Usage.build {
                    inputTokens = 1_000
                    outputTokens = 0
                    cacheWriteTokens = 1_000
                },
            ),
            Case(
                "a counter without a rate is billed at the rate of the counter that includes it",
                price("2", "4"),
                "0.006",
                Usage.build {
                    inputTokens = 1_000
                    outputTokens = 1_000
                    cacheReadTokens = 300
                    cacheWriteTokens = 200
                    reasoningTokens = 900
                },
            ),
            Case(
                "reasoning at its own rate",
                find("dashscope/qwen-plus-2025-04-28"),
                "0.0032",
                Usage.build {
                    inputTokens = 2_000
                    outputTokens = 1_300
                    reasoningTokens = 300
                },
            ),
        ) { case -> case.price.shouldNotBeNull().cost(case.usage).amount() shouldBe Usd.of(case.cost) }
    }

    test("a cost has the source of its price and the day on which it was read") {
        val cost = find("openai/gpt-4o-mini")!!.cost(Usage.of(1, 1)).shouldBeInstanceOf<Cost.Known>()
        cost.source shouldContain "litellm"
        cost.asOf shouldBe LocalDate.of(2026, 11, 21)
        cost.estimated shouldBe false
        val counted = Usage.build {
            inputTokens = 1
            outputTokens = 1
            estimated = true
        }
        find("openai/gpt-4o-mini")!!.cost(counted).shouldBeInstanceOf<Cost.Known>().estimated shouldBe true
    }

    context("a model that is not listed has no price, even if another provider lists it:") {
        withData(
            "openrouter/gpt-4o-mini",
            "my-vllm/gpt-4o-mini",
            "gpt-4o-mini",
            "openai/groq/llama-3.3-70b-versatile",
            "openai/groq/openai/gpt-oss-120b",
            "groq/gpt-4o-mini",
            "cerebras/claude-haiku-4-5",
            "openai/claude-haiku-4-5",
            "openai/nonesuch",
            "openai/gpt-4o-mini/x",
        ) { find(it).shouldBeNull() }
    }

    test("a row of zeros is no price") {
        find("ollama/llama3").shouldBeNull()
        PriceCatalog.packed.lists(ModelId.parse("ollama/llama3")) shouldBe true
    }

    test("a model that is not listed gets the price of the name in the response, at the same provider only") {
        find("openai/nonesuch", "gpt-4o-mini").shouldNotBeNull()
        find("groq/nonesuch", "gpt-4o-mini").shouldBeNull()
        find("groq/nonesuch", "openai/gpt-oss-120b").shouldNotBeNull()
    }

    test("without tokens or a rate the cost is unknown") {
        find("openai/gpt-image-1")!!.cost(Usage.of(10, 100)).shouldBeInstanceOf<Cost.Unknown>().why shouldContain "output tokens"
        val price = price("1", "2")
        price.cost(null).shouldBeInstanceOf<Cost.Unknown>().why shouldContain "did not report"
        price.cost(Usage.build { outputTokens = 5 }).shouldBeInstanceOf<Cost.Unknown>()
        price.cost(Usage.build { inputTokens = 5 }).shouldBeInstanceOf<Cost.Unknown>()
        price.cost(Usage.of(0, 0)).amount() shouldBe Usd.ZERO
    }

    test("subsets larger than their total do not make a cost negative") {
        val odd = Usage.build {
            inputTokens = 10
            outputTokens = 10
            cacheReadTokens = 100
            reasoningTokens = 100
        }
        (price("1", "2").cost(odd).amount() > Usd.ZERO) shouldBe true
    }

    test("a price in code needs both rates, and none may be negative") {
        shouldThrow<IllegalArgumentException> { Price.Builder().inputPerMillion(1.usd).build("user") }
        shouldThrow<IllegalArgumentException> { Price.Builder().outputPerMillion(1.usd).build("user") }
        shouldThrow<IllegalArgumentException> { price("-1", "1") }
        shouldThrow<IllegalArgumentException> { price("1", "1") { cacheReadPerMillion = Usd.of("-0.1") } }
        price("0", "0").cost(Usage.of(5, 5)).amount() shouldBe Usd.ZERO
    }

    test("a price in code is an amount, a decimal, a number or a text, each exact") {
        val prices = listOf<Price.Builder.() -> Unit>(
            { inputPerMillion(0.1.usd).outputPerMillion(0.2.usd).cacheReadPerMillion(0.3.usd).cacheWritePerMillion(0.7.usd).perWebSearch(0.01.usd) },
            { inputPerMillion(0.1).outputPerMillion(0.2).cacheReadPerMillion(0.3).cacheWritePerMillion(0.7).perWebSearch(0.01) },
            { inputPerMillion("0.1").outputPerMillion("0.2").cacheReadPerMillion("0.3").cacheWritePerMillion("0.7").perWebSearch("0.01") },
            {
                inputPerMillion(BigDecimal("0.1")).outputPerMillion(BigDecimal("0.2")).cacheReadPerMillion(BigDecimal("0.3"))
                cacheWritePerMillion(BigDecimal("0.7")).perWebSearch(BigDecimal("0.01"))
            },
        ).map { Price.Builder().apply(it).build("user") }
        for (price in prices) {
            listOf(price.inputPerMillion, price.outputPerMillion, price.cacheReadPerMillion, price.cacheWritePerMillion, price.perWebSearch)
                .map { "$it" } shouldContainExactly listOf("$0.10", "$0.20", "$0.30", "$0.70", "$0.01")
        }
    }

    test("a price in code that is no number is refused at once") {
        for (number in listOf(Double.NaN, Double.POSITIVE_INFINITY)) shouldThrow<NumberFormatException> { Price.Builder().inputPerMillion(number) }
        shouldThrow<NumberFormatException> { Price.Builder().outputPerMillion("ten cents") }
        shouldThrow<IllegalArgumentException> { Price.Builder().inputPerMillion(-0.1).outputPerMillion(0.1).build("user") }
    }

    test("every row of the packed table can be read and has no negative rate") {
        val lines = GZIPInputStream(PriceCatalogSpec::class.java.getResourceAsStream("prices.tsv.gz")).bufferedReader().readLines().drop(2)
        lines.size shouldBeGreaterThan 2_000
        var priced = 0
        val wrong = lines.filter { line ->
            val (id, provider) = line.split('\t')
            val price = PriceCatalog.packed.find(ModelId(provider, id.removePrefix("$provider/"))) ?: return@filter false
            priced++
            val rates = listOf(price.inputPerMillion, price.outputPerMillion, price.cacheReadPerMillion, price.cacheWritePerMillion)
            rates.any { it != null && it < Usd.ZERO }
        }
        wrong.shouldBeEmpty()
        priced shouldBeGreaterThan 1_500
    }

    test("a correction replaces the price of the table and has its own source") {
        val correction = PriceCatalog.Corrections.Row("openai", "gpt-x", 1.toBigDecimal(), 2.toBigDecimal(), reason = "test")
        val table = "#source\tthe table\t2026-01-01\nid\tprovider\tmode\tin\tout\ngpt-x\topenai\tchat\t10\t20\ngpt-y\topenai\tchat\t3\t4\n"
        val catalog = PriceCatalog.read(table.byteInputStream(), PriceCatalog.Corrections("us", "2026-02-02", listOf(correction)))
        catalog.find(ModelId.parse("openai/gpt-x"))!!.let {
            it.source shouldBe "us"
            it.asOf shouldBe LocalDate.of(2026, 2, 2)
            it.inputPerMillion shouldBe 1.usd
        }
        catalog.find(ModelId.parse("openai/gpt-y"))!!.source shouldBe "the table"
    }
})
