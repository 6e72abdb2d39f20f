package dev.unifiedllm.jupyter

import dev.unifiedllm.CheckStatus
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import org.jsoup.nodes.Element
import java.nio.file.Files
import java.time.Duration
import kotlin.time.Duration.Companion.seconds

private const val SECRET = "gsk_a-secret-that-must-not-be-shown"
private const val EVIL = "<img src=x onerror=alert(1)>"

private fun client(vararg variables: Pair<String, String>) = Llm.builder().environment { variables.toMap()[it] }

private fun table(value: Any): Element = safe(reportTable(value).shouldNotBeNull().html)

private fun Element.rows(selector: String = "tbody tr, tfoot tr"): List<List<String>> = all(selector).map { row -> row.children().map { it.wholeText() } }

class ReportTablesSpec : FunSpec({
    test("values that are no reports have no table") {
        for (value in listOf("text", 1, emptyList<Any>(), listOf("a"), listOf(1, 2))) reportTable(value).shouldBeNull()
    }

    test("the tokens by model, with the numbers of the report") {
        client().build().use { llm ->
            val usage = Usage.build {
                inputTokens = 1_240
                cacheReadTokens = 1_024
                outputTokens = 88
                reasoningTokens = 64
            }
            llm.chat(FakeModel(ModelId("a", "x")) { emit(finish(usage)) }, "?").await()
            llm.chat(FakeModel(ModelId("a", "y")) { emit(finish(null)) }, "?").await()
            val report = llm.usage()
            val table = table(report)
            table.texts("caption") shouldContainExactly listOf("Tokens of this client, by model")
            table.texts("thead th") shouldContainExactly listOf("Model", "Responses", "Tokens in", "Cached", "Tokens out", "Reasoning")
            table.rows() shouldContainExactly listOf(
                listOf("a/x", "1", "1,240", "1,024", "88", "64"),
                listOf("a/y", "1", "n/a", "n/a", "n/a", "n/a"),
                listOf("Total", "2", "1,240", "1,024", "88", "64"),
            )
            table.texts(".ullm-note").single() shouldBe "1 response without a report of tokens is not in the sums."
        }
        client().build().use { table(it.usage()).texts(".ullm-note").single() shouldContain "no responses yet" }
    }

    test("the made-up tokens of demo models are below the total, and not in it") {
        client().build().use { llm ->
            llm.chat(FakeModel(ModelId("a", "x")) { emit(finish(Usage.of(10, 5))) }, "?").await()
            for (model in listOf("demo/echo", "demo/assistant")) llm.chat(model, "one two").await()
            val report = llm.usage()
            val table = table(report)
            table.rows().map { it.first() }.take(2) shouldContainExactly listOf("a/x", "Total")
            table.rows().map { it.first() }.last() shouldBe "All demo models"
            table.rows("tfoot tr").first() shouldContainExactly listOf("Total", "1", "10", "5")
            table.rows("tfoot tr").last()[2] shouldBe "${report.demoTotal?.inputTokens}"
            table.all("tfoot tr.ullm-demo").size shouldBe 3
            table.texts(".ullm-note").single() shouldContain "made up and in no total"
        }
    }

    test("the usage of one response: what is reported, no more") {
        val table = table(Usage.of(10, 20))
        table.rows() shouldContainExactly listOf(listOf("input tokens", "10"), listOf("output tokens", "20"))
        table(Usage.build { }).texts(".ullm-note").single() shouldBe "The provider reported no tokens."
        reportTable(
            Usage.build {
                estimated = true
                inputTokens = 3
            },
        ).shouldNotBeNull().text shouldContain "Estimated"
    }

    test("the attempts of a call: what failed, why, and what came then") {
        val attempts = listOf(
            Delta.Attempt(gpt, LlmException.Overloaded("busy $EVIL"), Duration.ofMillis(500)),
            Delta.Attempt(gpt, LlmException.Overloaded("busy")),
            Delta.Attempt(ModelId("groq", "m"), null),
        )
        table(attempts).rows() shouldContainExactly listOf(
            listOf("1", "openai/gpt-4o", "Overloaded: busy $EVIL", "tried again after 0.50 s"),
            listOf("2", "openai/gpt-4o", "Overloaded: busy", "went on to groq/m"),
            listOf("3", "groq/m", "responded", ""),
        )
    }

    test("providers: where the key is, what the others need, never the key") {
        client("GROQ_API_KEY" to SECRET).provider("openai") { apiKey = "sk-x" }.build().use { llm ->
            val rendered = reportTable(llm.providers()).shouldNotBeNull()
            val page = safe(rendered.html)
            page.texts("caption").single() shouldStartWith "2 providers with a key, "
            val ready = page.child(1).child(0).rows("tbody tr")
            ready shouldContain listOf("groq", "in GROQ_API_KEY")
            ready shouldContain listOf("openai", "set in code")
            ready shouldContain listOf("ollama", "none needed (server on this machine)")
            page.all("details").single().rows("tbody tr") shouldContain listOf("mistral", "set the variable MISTRAL_API_KEY")
            page.rows("tbody tr").size shouldBe llm.providers().size
            rendered.html shouldNotContain SECRET
            rendered.text shouldNotContain SECRET
        }
    }

    test("doctor: each check with its result as a word") {
        client("MODEL" to "nobody/$EVIL").build().use { llm ->
            val report = llm.doctor().await()
            val table = table(report)
            table.texts("caption").single() shouldStartWith "Set-up: "
            table.rows(".ullm-doctor tbody tr").map { it.first() } shouldContainExactly report.map { it.subject }
            table.rows(".ullm-doctor tbody tr").single { it.first() == "default model" }.let {
                it[1] shouldBe "! warning"
                it[2] shouldContain EVIL
            }
            report.single { it.subject == "default model" }.status shouldBe CheckStatus.WARNING
        }
    }

    test("doctor: the settings with their sources, those that are set first, folded") {
        client("MODEL" to "demo/$EVIL", "GROQ_API_KEY" to SECRET).timeouts { total = 5.seconds }.build().use { llm ->
            val report = llm.doctor().await()
            val rendered = reportTable(report).shouldNotBeNull()
            val settings = safe(rendered.html).all("details").single()
            settings.texts("summary").single() shouldBe "Settings: 2 set (MODEL, code), ${report.settings.size - 2} by default"
            val rows = settings.rows("tbody tr")
            rows.take(2) shouldContainExactly listOf(listOf("defaultModel", "demo/$EVIL", "MODEL"), listOf("timeouts.total", "5s", "code"))
            rows.drop(2).map { it[2] }.distinct() shouldContainExactly listOf("default")
            rows.size shouldBe report.settings.size
            rendered.text shouldContain "  timeouts.total: 5s (code)"
            rendered.html shouldNotContain SECRET
        }
    }

    test("doctor: the line about the ledger") {
        val file = Files.createTempDirectory("doctor").resolve("costs.db")
        client().ledger(file).build().use { llm ->
            table(llm.doctor().await()).rows(".ullm-doctor tbody tr") shouldContain listOf("ledger", "✓ ok", "costs are kept in $file")
        }
        file.parent.toFile().deleteRecursively()
    }

    test("an estimate: the range, the tokens, the price and its source") {
        val priced = client().price("openai/gpt-4o") {
            inputPerMillion = Usd.of("10")
            outputPerMillion = Usd.of("20")
        }
        priced.build().use { llm ->
            val estimate = llm.estimate("openai/gpt-4o") {
                user("Hello there")
                maxTokens = 100
            }
            val rendered = reportTable(estimate).shouldNotBeNull()
            val page = safe(rendered.html)
            page.texts("b").single() shouldBe estimate.costText
            page.texts(".ullm-note").take(2) shouldContainExactly listOf(
                "~${estimate.inputTokens.count} tokens in · at most 100 out",
                "$10.00 in, $20.00 out per million tokens (user)",
            )
            rendered.text shouldContain estimate.costText
            val unknown = table(llm.estimate("openai/<script>alert(1)</script>", "hi"))
            unknown.texts("b").single() shouldBe "$ n/a"
            unknown.text() shouldContain "no price is known"
        }
    }

    test("a list of models has a caption with their provider") {
        client().build().use { llm ->
            val models = llm.models("demo").await()
            val table = table(models)
            table.texts("caption").single() shouldBe "${models.size} models of demo"
            table.texts("tbody th") shouldContainExactly models.map { "${it.id}" }
        }
    }
})
