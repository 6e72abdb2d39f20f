package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostRow
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import org.jsoup.nodes.Element
import java.util.Base64
import kotlin.time.Duration.Companion.seconds

private fun client(block: LlmBuilder.() -> Unit = {}) = Llm.builder().retry { maxRetries = 0 }
    .apply {
        price("paid/small") {
            inputPerMillion = Usd.of("1")
            outputPerMillion = Usd.of("2")
        }
        price("paid/large") {
            inputPerMillion = Usd.of("10")
            outputPerMillion = Usd.of("20")
        }
        block()
    }
    .build()

private suspend fun Llm.ask(provider: String, name: String, usage: Usage? = Usage.of(1_000_000, 500_000), label: String? = null) {
    val model = FakeModel(ModelId(provider, name)) { emit(finish(usage)) }
    chat(model) {
        user("?")
        task = label
    }.await()
}

private suspend fun Llm.askDemo() {
    chat("demo/echo") {
        user("one two three")
        providerOptions { put("tokensPerSecond", 0) }
    }.await()
}

private val Element.table: List<List<String>> get() = all("tbody tr, tfoot tr").map { row -> row.children().map { it.wholeText() } }

private fun Element.named(): List<Pair<String, String>> {
    val cost = texts("thead th").indexOf("Cost")
    return table.map { it.first() to it[cost] }
}

private fun saved(link: Element): String = Base64.getDecoder().decode(link.attr("href").substringAfter("base64,")).decodeToString()

private fun numbers(row: CostRow) = listOf(row.inputTokens, row.cacheReadTokens, row.outputTokens).joinToString(" ", transform = ::count)

private object Down : Model {
    override val id = ModelId("paid", "down")

    override fun stream(request: Request): Flow<Delta> = flow { throw LlmException.ServerError("down") }
}

class CostTableSpec : FunSpec({
    test("without calls there is no table") {
        client().use { llm ->
            val rendered = costTable(llm.costs())
            safe(rendered.html).texts(".ullm-note") shouldContainExactly listOf("Costs of this client, by model: no calls yet.")
            rendered.text shouldBe "Costs of this client, by model: no calls yet."
        }
    }

    test("a caption with the scope, headers with scope, the most expensive row first, the total of all columns last") {
        client().use { llm ->
            llm.ask("paid", "small")
            llm.ask("paid", "large")
            llm.ask(
                "paid",
                "large",
                Usage.build {
                    inputTokens = 2_000
                    cacheReadTokens = 1_000
                    outputTokens = 0
                },
            )
            val rendered = costTable(llm.costs())
            val page = safe(rendered.html)
            page.texts("table > caption") shouldContainExactly listOf("Costs of this client, by model")
            page.texts("thead th[scope=col]") shouldContainExactly listOf("Model", "Calls", "Tokens in", "Cached", "Tokens out", "Per call", "Cost", "Share")
            page.table shouldContainExactly listOf(
                listOf("paid/large", "2", "1,002,000", "1,000", "500,000", "$10.01", "$20.02", "91 %"),
                listOf("paid/small", "1", "1,000,000", "0", "500,000", "$2.00", "$2.00", "9 %"),
                listOf("Total", "3", "2,002,000", "1,000", "1,000,000", "", "$22.02", ""),
            )
            page.all("tbody tr, tfoot tr").map { it.child(0).tagName() + it.child(0).attr("scope") }.distinct() shouldContainExactly listOf("throw")
            page.all(".ullm-share span").map { it.attr("style") } shouldContainExactly listOf("width:91%", "width:9%")
            rendered.text shouldContain "paid/large"
            rendered.text shouldContain "total $22.02"
            safe(costTable(llm.costs(By.DAY, 7)).html).texts("caption") shouldContainExactly listOf("Costs of the last 7 days of this client, by day")
        }
    }

    test("the numbers are those of the report, in the table, the text and the files") {
        client().use { llm ->
            llm.ask("paid", "small")
            val cached = Usage.build {
                inputTokens = 123
                cacheReadTokens = 100
                outputTokens = 45
            }
            llm.ask("paid", "large", cached)
            llm.ask("nobody", "knows")
            llm.askDemo()
            for (by in By.entries) {
                val report = llm.costs(by)
                val page = safe(costTable(report).html)
                val shown = page.table.filter { row -> report.any { it.name == row.first() } }.map { it.first() to it.drop(1) }.sortedBy { "$it" }
                val cost = page.texts("thead th").indexOf("Cost") - 1
                shown.map { (name, cells) -> "$name ${cells[0]} ${cells[1]} ${cells[2]} ${cells[3]} ${cells[cost]}" } shouldContainExactly
                    report.map { "${it.name} ${it.calls} ${numbers(it)} ${it.costText}" }.sorted()
                page.table.single { it.first() == "Total" }[cost + 1] shouldBe report.totalText()
                saved(page.all("a[download$=.csv]").single()) shouldBe report.toCsv()
                saved(page.all("a[download$=.json]").single()) shouldBe report.toJson()
            }
        }
    }

    test("the links save files whose names say what they are") {
        client().use { llm ->
            llm.ask("paid", "small")
            val links = safe(costTable(llm.costs(By.DAY)).html).all("a")
            links.map { it.attr("download") to it.attr("href").substringBefore(',') } shouldContainExactly listOf(
                "costs-by-day.csv" to "data:text/csv;charset=utf-8;base64",
                "costs-by-day.json" to "data:application/json;charset=utf-8;base64",
            )
        }
    }

    test("a long report has no links, because a saved notebook keeps them") {
        client().use { llm ->
            llm.ask("x".repeat(150_000), "m")
            val page = safe(costTable(llm.costs()).html)
            page.all("a").shouldBeEmpty()
            page.texts(".ullm-note").last() shouldContain "toCsv()"
        }
    }

    test("the name, the calls and the cost stay in the narrowest table") {
        client().use { llm ->
            llm.ask("paid", "small")
            llm.ask("paid", "large")
            runCatching { llm.chat(Down, "?").await() }
            val heads = safe(costTable(llm.costs()).html).all("thead th")
            heads.filter { it.className().isEmpty() }.map { it.text() } shouldContainExactly listOf("Model", "Calls", "Cost")
            heads.associate { it.text() to it.className() }["Tokens in"] shouldBe "ullm-2"
        }
    }

    test("demo models are below the total, which does not include them") {
        client().use { llm ->
            llm.askDemo()
            llm.ask("paid", "small")
            val rendered = costTable(llm.costs())
            val page = safe(rendered.html)
            page.texts("tbody tr > th") shouldContainExactly listOf("paid/small")
            page.named().drop(1) shouldContainExactly listOf("Total" to "$2.00", "demo/echo" to "$0.0000200")
            page.texts("tr.ullm-demo > th") shouldContainExactly listOf("demo/echo")
            page.texts(".ullm-note").first() shouldBe "The costs of demo models are made up and in no total."
            llm.totalCost shouldBe Usd.of("2")
            rendered.text shouldContain "demo models, not in the total: $0.0000200"
        }
    }

    test("with demo models only, there is no total of nothing; several have a sum of their own") {
        client().use { llm ->
            llm.askDemo()
            safe(costTable(llm.costs()).html).named() shouldContainExactly listOf("demo/echo" to "$0.0000200")
            llm.chat("demo/painter") {
                user("hi")
                providerOptions { put("tokensPerSecond", 0) }
            }.runCatching { await() }
            llm.chat("demo/reasoner") {
                user("hi")
                providerOptions { put("tokensPerSecond", 0) }
            }.await()
            safe(costTable(llm.costs()).html).named().last().first shouldBe "All demo models"
        }
    }

    test("unknown costs are marked in the row and in the total, and named with their reason") {
        client().use { llm ->
            llm.ask("paid", "small", label = "a")
            llm.ask("nobody", "knows", label = "a")
            llm.ask("paid", "large", usage = null, label = "b")
            val rendered = costTable(llm.costs())
            val page = safe(rendered.html)
            page.named() shouldContainExactly
                listOf("paid/small" to "$2.00", "nobody/knows" to "$ n/a", "paid/large" to "$ n/a", "Total" to "$2.00 + 2 unpriced")
            page.texts("summary") shouldContainExactly listOf("2 calls without a known cost, not in the total: nobody/knows (1), paid/large (1)")
            page.texts("details .ullm-note").first() shouldContain "price(\"nobody/knows\")"
            rendered.text shouldContain "nobody/knows (1)"
            val tasks = safe(costTable(llm.costs(By.TASK)).html)
            tasks.named().dropLast(1) shouldContainExactly listOf("a" to "$2.00 + 1 unpriced", "b" to "$ n/a")
            tasks.texts("thead th").first() shouldBe "Task"
            tasks.texts("summary").single() shouldContain "nobody/knows"
        }
    }

    test("failed calls have a column and a line; a cut one costs what it is estimated at, and $0.00 if nothing could be billed") {
        client().use { llm ->
            val cut = FakeModel(ModelId("paid", "small")) {
                emit(Delta.Text("Hal"))
                throw LlmException.StreamInterrupted("cut")
            }
            runCatching { llm.chat(cut, "?").await() }
            runCatching { llm.chat(Down, "?").await() }
            val rendered = costTable(llm.costs())
            val page = safe(rendered.html)
            page.texts("thead th") shouldContainExactly listOf("Model", "Calls", "Failed", "Success", "Tokens in", "Tokens out", "Cost")
            page.table shouldContainExactly listOf(
                listOf("paid/small", "1", "1", "0 %", "0", "0", "$0.00000700"),
                listOf("paid/down", "1", "1", "0 %", "0", "0", "$0.00"),
                listOf("Total", "2", "2", "0 %", "0", "0", "$0.00000700"),
            )
            page.texts(".ullm-note").first() shouldContain "2 calls failed. "
            rendered.text shouldContain "2 calls failed. "
        }
    }

    test("the column of cancelled calls is shown if a call was cancelled") {
        client().use { llm ->
            llm.ask("paid", "small")
            val slow = FakeModel(ModelId("paid", "large")) {
                emit(Delta.Text("Hal"))
                awaitCancellation()
            }
            llm.chat(slow, "?").deltas().first()
            eventually(5.seconds) { llm.costs().sumOf { it.cancelled } shouldBe 1 }
            val rendered = costTable(llm.costs())
            val page = safe(rendered.html)
            page.texts("thead th") shouldContainExactly listOf("Model", "Calls", "Cancelled", "Tokens in", "Tokens out", "Cost", "Share")
            page.table.map { it[0] + " " + it[2] } shouldContainExactly listOf("paid/small 0", "paid/large 1", "Total 1")
            page.texts(".ullm-note").first() shouldContain "1 call was cancelled. "
            rendered.text shouldContain "cancelled"
        }
    }

    test("names are escaped, and hidden characters in them are visible") {
        client().use { llm ->
            llm.ask("x</td></table><script>", "a\"b'c&\u202E\u001B[31m")
            val rendered = costTable(llm.costs())
            safe(rendered.html).texts("tbody th").single() shouldBe "x</td></table><script>/a\"b'c&⟨U+202E⟩⟨U+001B⟩[31m"
            rendered.text shouldContain "a\"b'c&⟨U+202E⟩⟨U+001B⟩[31m"
        }
    }
})
