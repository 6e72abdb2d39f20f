package dev.unifiedllm.middleware

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.ImagePrices
import dev.unifiedllm.pricing.InputBound
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.pricing.PriceCatalog
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import java.math.BigDecimal
import java.time.Instant
import java.time.LocalDate
import kotlin.random.Random

/** A dollar for an input token, ten for an output token. */
private val price = Price.Builder().apply {
    inputPerMillion = Usd.of("1000000")
    outputPerMillion = Usd.of("10000000")
}.build("here")

private fun target(price: Price? = dev.unifiedllm.middleware.price, isFree: Boolean = false) =
    AttemptTarget(ModelId("test", "m"), ::TargetState, isUsers = false, isFree) { price }

private fun highest(limits: TokenLimits = TokenLimits(1_000, 50), block: ChatRequestBuilder.() -> Unit) =
    HighestCost.of(ChatRequest.build("test/m", block), target(), limits)?.total?.toInt()

/** What marks a message, as a bound. */
private const val MESSAGE = 32

private val services = listOf(null, null, "flex", "priority", "batch")

/** A usage of at most [input] and [output] tokens. */
private fun Random.usage(input: Long, output: Long, service: String?, conditions: Set<String>, hour: Boolean): Usage {
    val inputs = nextLong(input + 1)
    val read = nextLong(inputs + 1)
    val written = nextLong(inputs - read + 1)
    val outputs = nextLong(output + 1)
    return Usage.build {
        inputTokens = inputs
        outputTokens = outputs
        cacheReadTokens = read
        cacheWriteTokens = written
        cacheWrite1hTokens = if (hour) nextLong(written + 1) else 0
        reasoningTokens = nextLong(outputs + 1)
        billing = Billing(serviceTier = service, conditions = conditions)
    }
}

class HighestCostSpec : FunSpec({
    test("no usage of any priced model costs more than what is reserved for it") {
        val random = Random(1)
        val wrong = mutableListOf<String>()
        var known = 0
        for (row in PriceCatalog.packed.rows) {
            val price = row.terms("us", Instant.EPOCH)?.let { (table, terms) -> Price.of("test", LocalDate.EPOCH, table, terms) } ?: continue
            repeat(8) {
                val input = listOf(1_000L, 250_000, 1_500_000).random(random)
                val output = random.nextLong(10_000)
                val service = services.random(random)
                val conditions = if (random.nextInt(4) == 0) setOf("fast") else emptySet()
                val hour = random.nextBoolean()
                val bound = InputBound(input, service, hasOptions = conditions.isNotEmpty(), writesCache = hour)
                val usage = random.usage(input, output, service, conditions, hour)
                val cost = price.cost(usage) as? Cost.Known ?: return@repeat
                known++
                val worst = price.worstCase(bound)
                val most = worst?.run { this.input + (perOutputToken ?: BigDecimal.ZERO).multiply(BigDecimal.valueOf(output)) }
                if (most == null || most < cost.amount.amount) wrong += "${row.id}: $usage costs ${cost.amount}, reserved are $most for $bound"
            }
        }
        wrong.take(10).shouldBeEmpty()
        known shouldBeGreaterThan 10_000
    }

    test("the input counts by its bytes, up to what the model takes, and the output as maxTokens or the model's maximum, for each choice") {
        highest { user("abc") } shouldBe 3 + MESSAGE + 50 * 10 + "null".length + "{}".length
        highest {
            user("ä")
            maxTokens = 7
        } shouldBe 2 + MESSAGE + 7 * 10 + "null".length + "{}".length
        highest {
            user("a".repeat(5_000))
            maxTokens = 7
            n = 3
        } shouldBe 1_000 + 3 * 7 * 10
        highest(TokenLimits(null, null)) { user("abc") }.shouldBeNull()
    }

    test("options in the provider's own words count, where they ask for more") {
        fun output(block: ChatRequestBuilder.() -> Unit) = highest(TokenLimits(0, 50)) {
            user("abc")
            block()
        }
        output {
            maxTokens = 7
            providerOptions { put("max_completion_tokens", 9) }
        } shouldBe 9 * 10
        output {
            maxTokens = 7
            providerOptions {
                putJson("generationConfig", """{"maxOutputTokens":8,"candidateCount":3}""")
            }
        } shouldBe 3 * 8 * 10
        output { providerOptions { put("n", 2) } } shouldBe 2 * 50 * 10
    }

    test("an image counts as more than any provider counts; one that is elsewhere, or a document, as all that the model takes") {
        val tokens = TokenLimits(100_000, 0)
        highest(tokens) { user("") { image(ByteArray(3), "image/png") } } shouldBe 20_000 + MESSAGE + "null".length + "{}".length
        highest(tokens) { user("") { image("https://example.org/a.png") } } shouldBe 100_000
        highest(tokens) { user("") { file("https://example.org/a.pdf") } } shouldBe 100_000
        highest(TokenLimits(null, 0)) { user("") { image("https://example.org/a.png") } }.shouldBeNull()
    }

    test("what may be written to a cache counts at the rate of writing it, and at that for an hour where the request asks for it") {
        val claude = AttemptTarget(ModelId("anthropic", "claude-sonnet-4-5"), ::TargetState, isUsers = false, isFree = false) {
            PriceCatalog.packed.find(ModelId("anthropic", "claude-sonnet-4-5"))
        }
        val input = (3 + MESSAGE + "null".length + "{}".length).toBigDecimal().movePointLeft(6)
        for ((ttl, rate) in listOf(CacheTtl.FIVE_MINUTES to "3.75", CacheTtl.ONE_HOUR to "6")) {
            val request = ChatRequest.build("anthropic/claude-sonnet-4-5") {
                user("abc")
                cacheBreakpoint(ttl)
            }
            HighestCost.of(request, claude, TokenLimits(null, 0)).shouldNotBeNull().total.compareTo(input * BigDecimal(rate)) shouldBe 0
        }
    }

    test("embeddings cost no output, images what the dearest costs, each") {
        val embeddings = EmbeddingRequest.build("test/m") { input("abc", "de") }
        HighestCost.of(embeddings, target(), TokenLimits(null, null))?.total?.toInt() shouldBe 5 + 2 * MESSAGE
        val images = ImageRequest.build("openai/dall-e-3") {
            prompt("a cat")
            n(2)
        }
        val id = ModelId("openai", "dall-e-3")
        val dearest = AttemptTarget(id, ::TargetState, isUsers = false, isFree = false, imagePrices = { ImagePrices.of(id, null) }) { null }
        HighestCost.of(images, dearest, TokenLimits(null, null)).shouldNotBeNull().total.compareTo(BigDecimal("0.24")) shouldBe 0
        HighestCost.of(images, target(), TokenLimits(null, null)).shouldBeNull()
    }

    test("without a price nothing is known; what nobody bills costs nothing") {
        HighestCost.of(ChatRequest.build("test/m") { user("a") }, target(price = null), TokenLimits(10, 10)).shouldBeNull()
        HighestCost.of(ChatRequest.build("test/m") { user("a") }, target(price = null, isFree = true), TokenLimits(null, null))?.total shouldBe BigDecimal.ZERO
    }
})
