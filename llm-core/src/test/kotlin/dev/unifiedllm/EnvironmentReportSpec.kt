package dev.unifiedllm

import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain

private const val SECRET = "gsk_a-secret-that-must-not-be-shown"

private class Lacking(val model: String, val missing: List<String>, val problem: String, vararg val variables: Pair<String, String>)

class EnvironmentReportSpec : FunSpec({
    test("a model that can be called: its keys, masked, and where its base URL was set") {
        client("GROQ_API_KEY" to SECRET, "GROQ_API_BASE" to "https://groq.example.com/v1").use { llm ->
            val report = llm.validateEnvironment("groq/llama-3.1-8b-instant")
            report.isReady shouldBe true
            report.provider shouldBe "groq"
            report.keys.single().let {
                it.name shouldBe "GROQ_API_KEY"
                it.masked shouldBe "gsk_*** (${SECRET.length} characters)"
            }
            report.missing.shouldBeEmpty()
            report.problem.shouldBeNull()
            report.baseUrl shouldBe "https://groq.example.com/v1"
            report.baseUrlSource shouldBe "GROQ_API_BASE"
            "$report ${report.keys}" shouldNotContain "secret"
        }
    }

    test("what is in code, an alias, the default family, a demo model") {
        client {
            provider("openai") {
                apiKey = "sk-proj-in-code"
                baseUrl = "https://gateway.example.com/v1"
            }
            alias("fast", "openai/gpt-4o-mini")
        }.use { llm ->
            llm.validateEnvironment("fast").let {
                it.model shouldBe "openai/gpt-4o-mini"
                it.keys.single().source shouldBe "code"
                it.keys.single().masked shouldBe "sk-proj-*** (15 characters)"
                it.baseUrlSource shouldBe "baseUrl in code"
                it.isReady shouldBe true
            }
            llm.validateEnvironment("gpt-4o").model shouldBe "openai/gpt-4o"
            llm.validateEnvironment("demo/echo").isReady shouldBe true
            llm.validateEnvironment("ollama/llama3").let {
                it.isReady shouldBe true
                it.keys.shouldBeEmpty()
                it.baseUrlSource shouldBe "the provider's row"
            }
        }
    }

    context("a model that cannot be called: what is missing, and what to do") {
        withData<Lacking>(
            { "${it.model} with ${it.variables.map { (name) -> name }}" },
            Lacking("openai/gpt-4o", listOf("OPENAI_API_KEY"), "Set the variable OPENAI_API_KEY"),
            Lacking("azure/gpt-4o", listOf("AZURE_API_KEY", "AZURE_API_BASE"), "AZURE_RESOURCE_NAME"),
            Lacking("azure/gpt-4o", listOf("AZURE_API_BASE"), "AZURE_RESOURCE_NAME", "AZURE_API_KEY" to SECRET),
            Lacking("azure/gpt-4o", listOf("AZURE_API_KEY"), "AZURE_API_KEY", "AZURE_API_BASE" to "https://acme.openai.azure.com"),
            Lacking("openai/gpt-4o", emptyList(), "does not begin with https://", "OPENAI_API_KEY" to SECRET, "OPENAI_BASE_URL" to "localhost:4000"),
            Lacking("openai/gpt-4o", emptyList(), "cannot be used", "OPENAI_API_KEY" to "two\nlines"),
            Lacking("opneai/gpt-4o", emptyList(), "openai/gpt-4o"),
            Lacking("zzz", emptyList(), "does not name a provider"),
        ) { case ->
            client(*case.variables).use { llm ->
                val report = llm.validateEnvironment(case.model)
                report.isReady shouldBe false
                report.problem!! shouldContain case.problem
                report.missing.filter { it in case.missing } shouldContainExactly case.missing
                "$report ${report.keys}" shouldNotContain SECRET
                "$report ${report.keys}" shouldNotContain "lines"
            }
        }
    }

    test("what is no name of a model is refused") {
        client().use { llm -> shouldThrow<IllegalArgumentException> { llm.validateEnvironment("a b") } }
    }
})
