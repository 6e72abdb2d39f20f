package dev.unifiedllm.chat

import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.doubles.plusOrMinus
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain

class SimilaritySpec : FunSpec({
    test("the cosine is of the directions, whatever the lengths are") {
        floatArrayOf(1f, 0f).cosineSimilarity(floatArrayOf(5f, 0f)) shouldBe 1.0
        floatArrayOf(1f, 0f).cosineSimilarity(floatArrayOf(0f, 2f)) shouldBe 0.0
        floatArrayOf(1f, 2f).cosineSimilarity(floatArrayOf(-2f, -4f)) shouldBe (-1.0 plusOrMinus 1e-12)
        floatArrayOf(1f, 1f).cosineSimilarity(floatArrayOf(1f, 0f)) shouldBe (0.7071067811865475 plusOrMinus 1e-12)
        floatArrayOf(Float.MAX_VALUE, 1f).cosineSimilarity(floatArrayOf(Float.MAX_VALUE, 1f)) shouldBe (1.0 plusOrMinus 1e-12)
    }

    test("it is never beyond 1, and not a number for a vector of zeros") {
        val odd = FloatArray(1536) { 0.1f * (it % 7) + 0.013f }
        (odd.cosineSimilarity(odd) <= 1.0) shouldBe true
        floatArrayOf(0f, 0f).cosineSimilarity(floatArrayOf(1f, 0f)).isNaN() shouldBe true
    }

    test("vectors of different lengths are not compared") {
        shouldThrow<IllegalArgumentException> { floatArrayOf(1f).cosineSimilarity(floatArrayOf(1f, 2f)) }.message shouldContain "1 and 2 numbers"
    }
})
