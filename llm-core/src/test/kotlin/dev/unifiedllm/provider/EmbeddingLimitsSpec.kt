package dev.unifiedllm.provider

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe

class EmbeddingLimitsSpec : FunSpec({
    val texts = (0 until 10).map { "text $it" }

    test("without limits all texts are one batch") {
        EmbeddingLimits().batches(texts) shouldBe listOf(texts)
    }

    test("a batch has at most as many texts as the limit, in their order") {
        EmbeddingLimits(maxInputs = 4).batches(texts) shouldBe listOf(texts.take(4), texts.drop(4).take(4), texts.drop(8))
        EmbeddingLimits(maxInputs = 4, maxTokens = 1_000_000).batches(texts).map { it.size } shouldBe listOf(4, 4, 2)
        EmbeddingLimits(maxInputs = 1).batches(texts) shouldBe texts.map { listOf(it) }
        EmbeddingLimits(maxInputs = 10).batches(texts) shouldBe listOf(texts)
    }

    test("a batch has fewer tokens than the limit in any script; a text that is longer stands alone") {
        for (sample in listOf("the quick brown fox ", "床前明月光疑是地上霜", "🙂🙃😀😁", "9f86d081884c7d65")) {
            val long = List(20) { sample.repeat(100) }
            val batches = EmbeddingLimits(maxTokens = 5_000).batches(long)
            batches.flatten() shouldBe long
            // Three bytes a token is less than any of these has.
            for (batch in batches) batch.sumOf { it.encodeToByteArray().size } / 3 shouldBeLessThanOrEqual 5_000
        }
        val huge = "word ".repeat(10_000)
        EmbeddingLimits(maxTokens = 5_000).batches(listOf("a", huge, "b")) shouldBe listOf(listOf("a"), listOf(huge), listOf("b"))
    }
})
