package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

private data class Order(val model: String, val size: String?, val quality: String?, val count: Int, val dollars: String?)

private fun cost(model: String, size: String? = null, quality: String? = null, count: Int = 1): Cost =
    ImagePrices.of(ModelId.parse(model), null).shouldNotBeNull().cost(MadeImages(count, size, quality, hasSources = false))

private fun unpriced(cost: Cost?): String = cost.shouldBeInstanceOf<Cost.Unknown>().why

class ImagePricesSpec : FunSpec({
    context("the price of images by model, size and quality; null if it is not known") {
        withData(
            Order("openai/dall-e-3", "1024x1024", "standard", 1, "0.04"),
            Order("openai/dall-e-3", "1024x1024", "hd", 1, "0.08"),
            Order("openai/dall-e-3", "1792x1024", "HD", 1, "0.12"),
            Order("openai/dall-e-3", null, null, 3, "0.12"),
            Order("openai/dall-e-3", "999x999", null, 1, null),
            Order("openai/dall-e-2", "256x256", null, 2, "0.032"),
            Order("openai/gpt-image-1", "1536x1024", "high", 1, "0.25"),
            Order("openai/gpt-image-1", "1536x1024", null, 1, null),
            Order("azure/dall-e-3", "1024x1024", "hd", 1, "0.088"),
            Order("xai/grok-imagine-image", "16:9", null, 1, "0.02"),
            Order("xai/grok-imagine-image-2.0", "1024x1024", "low", 1, "0.04"),
            Order("xai/grok-imagine-image-2.0", null, null, 1, "0.06"),
            Order("gemini/imagen-4.0-ultra-generate-001", "16:9", null, 1, "0.06"),
            Order("vertex_ai/imagen-4.0-fast-generate-001", null, null, 1, "0.02"),
            Order("bedrock/amazon.titan-image-generator-v2:0", "512x512", null, 1, "0.008"),
            Order("bedrock/amazon.titan-image-generator-v2:0", "384x512", "standard", 1, "0.008"),
            Order("bedrock/amazon.titan-image-generator-v2:0", "1024x1024", null, 1, null),
            Order("bedrock/stability.stable-image-ultra-v1:1", null, null, 1, "0.14"),
            Order("stability/ultra", "1:1", null, 1, "0.08"),
        ) { (model, size, quality, count, dollars) ->
            val cost = cost(model, size, quality, count)
            if (dollars == null) unpriced(cost) else cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of(dollars)
        }
    }

    test("the reason says whether the request left something to the model") {
        unpriced(cost("openai/gpt-image-1")) shouldBe
            "the price of an image of openai/gpt-image-1 depends on its size and quality, which the request leaves to the model"
        unpriced(cost("openai/dall-e-3", "9x9", "hd")) shouldBe "no price is known for images of openai/dall-e-3 of size 9x9 and of quality hd"
    }

    test("the price of a model that LiteLLM's present table lacks is of the older one, by its name") {
        for (model in listOf("openai/dall-e-3", "openai/dall-e-2", "gemini/imagen-4.0-generate-001", "vertex_ai/imagen-4.0-fast-generate-001")) {
            cost(model).shouldBeInstanceOf<Cost.Known>().source shouldBe "litellm 1.76.3"
        }
        cost("xai/grok-imagine-image").shouldBeInstanceOf<Cost.Known>().source shouldBe "litellm 1.109.1"
    }

    test("a model of another provider has no price") {
        ImagePrices.of(ModelId.parse("openrouter/dall-e-3"), null) shouldBe null
        ImagePrices.of(ModelId.parse("stability/core-of-mine"), null) shouldBe null
    }

    test("tokens that the provider reports count before the price of an image") {
        val id = ModelId.parse("openai/gpt-image-1")
        val made = MadeImages(1, "1024x1024", "low", hasSources = false)
        val images = ImagePrices.of(id, null)
        val tokens = Usage.build {
            inputTokens = 10
            outputTokens = 272
            imageTokens = 272
        }
        imageCost(tokens, PriceCatalog.packed.find(id), images, made).shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.01093")
        imageCost(null, PriceCatalog.packed.find(id), images, made).shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.011")
        imageCost(Usage.of(10, 0), PriceCatalog.packed.find(id), images, made).shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.011")
    }

    test("without tokens, an edit of a model that bills its input has no price") {
        val id = ModelId.parse("openai/gpt-image-1")
        val made = MadeImages(1, "1024x1024", "low", hasSources = true)
        unpriced(imageCost(null, PriceCatalog.packed.find(id), ImagePrices.of(id, null), made)) shouldContain "did not report the tokens"
    }

    test("images in the input have their own price, which cached ones lack") {
        fun cost(cached: Long) = PriceCatalog.packed.find(ModelId.parse("openai/gpt-image-1"))!!.cost(
            Usage.build {
                inputTokens = 1_000_000
                outputTokens = 0
                cacheReadTokens = cached
                billing = Billing(imageInputTokens = 400_000)
            },
        )
        cost(0).shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("7") // 600,000 at 5 dollars per million, 400,000 at 10
        unpriced(cost(1)) shouldContain "images in the input"
    }

    test("a price set in code is that of every size and quality, without rates for tokens") {
        val price = Price.Builder().perImage(0.003.usd).build("user")
        imageCost(null, price, null, MadeImages(2, null, null, hasSources = true)) shouldBe Cost.Known(Usd.of("0.006"), "user")
        unpriced(price.cost(Usage.of(1, 1)))
        imageCost(null, null, null, MadeImages(1, null, null, hasSources = false)) shouldBe null
    }
})
