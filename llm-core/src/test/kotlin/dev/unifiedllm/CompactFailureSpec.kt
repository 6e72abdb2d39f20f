package dev.unifiedllm

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import org.jetbrains.kotlinx.jupyter.textOfKernel
import java.io.ByteArrayOutputStream
import java.io.PrintStream

class CompactFailureSpec : FunSpec({
    fun compact(block: () -> Unit) {
        LlmException.compact = true
        try {
            block()
        } finally {
            LlmException.compact = false
        }
    }

    test("in a notebook the text of a failure is short, and not empty") {
        compact {
            val failure = LlmException.RateLimited("slow down", IllegalStateException("429"))
            failure.stackTraceToString().lines().filter { it.isNotEmpty() } shouldContainExactly
                listOf("LlmException.RateLimited: slow down", "Caused by: java.lang.IllegalStateException: 429")
            LlmException.RateLimited("slow down").stackTraceToString().trim() shouldBe "LlmException.RateLimited: slow down"
            val bytes = ByteArrayOutputStream()
            PrintStream(bytes).use(LlmException.RateLimited("slow down")::printStackTrace)
            "$bytes".trim() shouldBe "LlmException.RateLimited: slow down"
        }
    }

    test("the kernel, which prints the message itself, gets only the cause") {
        compact {
            textOfKernel(LlmException.RateLimited("slow down")) shouldBe ""
            textOfKernel(LlmException.RateLimited("slow down", IllegalStateException("429"))).trim() shouldBe
                "Caused by: java.lang.IllegalStateException: 429"
        }
    }

    test("elsewhere it is the whole stack trace") {
        (LlmException.RateLimited("slow down").stackTraceToString().lines().size > 2) shouldBe true
    }
})
