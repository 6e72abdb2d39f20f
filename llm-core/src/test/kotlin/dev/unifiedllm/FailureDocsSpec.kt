package dev.unifiedllm

import dev.unifiedllm.middleware.allowsFallback
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.shouldBe
import java.io.File

/** The rows of the table in docs/failures.md, by type: retryable, next model. */
private val rows: Map<String, Pair<String, String>> = File("../docs/failures.md").readLines().filter { it.startsWith("| `") }.associate { line ->
    val cells = line.trim('|').split('|').map(String::trim)
    cells[0].trim('`') to (cells[2] to cells[3])
}

/** One of each type that is made by a message. */
private val samples: List<LlmException> = listOf(
    LlmException.StreamInterrupted(""),
    LlmException.MalformedResponse(""),
    LlmException.RateLimited(""),
    LlmException.QuotaExhausted(""),
    LlmException.Overloaded(""),
    LlmException.ServerError(""),
    LlmException.NotFound(""),
    LlmException.Authentication(""),
    LlmException.PermissionDenied(""),
    LlmException.ContextLengthExceeded(""),
    LlmException.ContentFiltered(""),
    LlmException.BudgetExceeded(""),
    LlmException.Configuration(""),
    LlmException.Cancelled(""),
)

class FailureDocsSpec : FunSpec({
    test("docs/failures.md has a row for each type of failure") {
        val types = LlmException::class.java.declaredClasses.filter { LlmException::class.java.isAssignableFrom(it) }.map { it.simpleName }
        rows.keys shouldContainExactlyInAnyOrder types
    }

    test("the rows say what the failures do") {
        for (failure in samples) {
            val name = failure::class.java.simpleName
            (name to rows.getValue(name)) shouldBe (name to (yesOrNo(failure.isRetryable) to yesOrNo(failure.allowsFallback)))
        }
    }

    test("the exceptions of three rows") {
        for (phase in LlmException.Network.Phase.entries) {
            val failure = LlmException.Network("", phase)
            failure.isRetryable shouldBe (phase.name !in setOf("TLS", "PROXY"))
            failure.allowsFallback shouldBe true
        }
        for (phase in LlmException.Timeout.Phase.entries) {
            val failure = LlmException.Timeout("", phase)
            failure.isRetryable shouldBe (phase.name != "TOTAL")
            failure.allowsFallback shouldBe (phase.name != "TOTAL")
        }
        for (kind in LlmException.InvalidRequest.Kind.entries) {
            val failure = LlmException.InvalidRequest("", kind)
            failure.isRetryable shouldBe (kind.name == "CONFLICT")
            failure.allowsFallback shouldBe false
        }
    }
})

private fun yesOrNo(value: Boolean) = if (value) "yes" else "no"
