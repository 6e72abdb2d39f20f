package dev.unifiedllm.chat

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe

class UsageSpec : FunSpec({
    test("a sum of counters that is too great for a number is the greatest number, and never negative") {
        val most = Usage.of(Long.MAX_VALUE - 1, Long.MAX_VALUE)
        val sum = most + Usage.of(1, 1)
        sum.inputTokens shouldBe Long.MAX_VALUE
        sum.outputTokens shouldBe Long.MAX_VALUE
        sum.totalTokens shouldBe Long.MAX_VALUE
        (sum + sum).totalTokens shouldBe Long.MAX_VALUE
        (Usage.of(Long.MIN_VALUE, 0) + Usage.of(-1, 5)).inputTokens shouldBe Long.MIN_VALUE
        (Usage.of(Long.MAX_VALUE, 0) + Usage.of(-1, 5)).inputTokens shouldBe Long.MAX_VALUE - 1
    }

    test("a counter that only one side has is taken, and one that none has is not known") {
        val sum = Usage.of(1, 2) + Usage.build { cacheReadTokens = 3 }
        listOf(sum.inputTokens, sum.outputTokens, sum.cacheReadTokens, sum.reasoningTokens) shouldBe listOf(1L, 2L, 3L, null)
    }
})
