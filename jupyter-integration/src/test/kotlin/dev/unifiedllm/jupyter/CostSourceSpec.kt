package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldNotContain
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import java.nio.file.Files
import java.sql.DriverManager

private fun client(block: LlmBuilder.() -> Unit = {}) = Llm.builder().environment { null }.retry { maxRetries = 0 }
    .price("paid/small") {
        inputPerMillion = Usd.of("1")
        outputPerMillion = Usd.of("2")
    }
    .apply(block)
    .build()

private suspend fun Llm.ask(name: String = "small") {
    chat(FakeModel(ModelId("paid", name)) { emit(finish(Usage.of(1_000_000, 500_000))) }, "?").await()
}

/** Where the rows of a cost table come from, and what became of the calls. */
class CostSourceSpec : FunSpec({
    val folder = Files.createTempDirectory("source")
    afterSpec { folder.toFile().deleteRecursively() }

    test("costs of some days name the ledger in the caption, and say that it has the calls of all processes") {
        val file = folder.resolve("a&b.db")
        client { ledger(file) }.use { one ->
            one.ask()
            client { ledger(file) }.use { other ->
                val rendered = costTable(other.costs(By.MODEL, 7))
                val page = safe(rendered.html)
                page.texts("caption") shouldContainExactly listOf("Costs of the last 7 days of all calls in $file, by model")
                page.texts(".ullm-note").first() shouldContain "all processes that use it"
                page.texts("tbody td").last() shouldBe "$2.00"
                page.all(".ullm-problem").size shouldBe 0
                rendered.text shouldContain "all processes that use it"
            }
        }
    }

    test("costs of some days without a ledger say that they are of this process, and how to keep them; costs of all time say nothing") {
        client().use { llm ->
            llm.ask()
            safe(costTable(llm.costs(7)).html).texts(".ullm-note").first() shouldContain "configure { ledger() }"
            costTable(llm.costs()).text.lines().none { "ledger" in it } shouldBe true
        }
    }

    test("a ledger that cannot be written is said above the table and first in the text, by words and not by colour alone") {
        val blocked = Files.createFile(folder.resolve("<blocked>"))
        client { ledger(blocked.resolve("ledger.db")) }.use { llm ->
            llm.ask()
            for (report in listOf(llm.costs(7), llm.costs())) {
                val rendered = costTable(report)
                val first = safe(rendered.html).all(".ullm-root > *").first()
                first.className() shouldBe "ullm-problem"
                first.wholeText() shouldStartWith "✗ Not all costs are in the ledger: 1 calls are not in the ledger $blocked"
                rendered.text shouldStartWith "✗ Not all costs are in the ledger: "
                safe(rendered.html).texts("tbody th") shouldContainExactly listOf("paid/small")
            }
            val notes = safe(costTable(llm.costs(7)).html).texts(".ullm-note")
            notes.filter { "all processes" in it || "no ledger is kept" in it } shouldContainExactly emptyList()
        }
    }

    test("a ledger that cannot be read is said to be that, with the calls of this process") {
        val file = folder.resolve("unreadable.db")
        client { ledger(file) }.use { llm ->
            llm.ask()
            costTable(llm.costs(7)).html shouldNotContain "class=\"ullm-problem\""
            DriverManager.getConnection("jdbc:sqlite:$file").use { it.createStatement().execute("ALTER TABLE ledger RENAME TO other") }
            val rendered = costTable(llm.costs(7))
            val first = safe(rendered.html).all(".ullm-root > *").first()
            first.wholeText() shouldStartWith "✗ The ledger cannot be read, the costs of other processes are missing: "
            rendered.text shouldStartWith "✗ The ledger cannot be read, the costs of other processes are missing: "
            safe(rendered.html).texts("tbody th") shouldContainExactly listOf("paid/small")
            costTable(llm.costs()).html shouldNotContain "class=\"ullm-problem\""
        }
    }

    test("each budget of the client has a line below the table, also before the first call") {
        client {
            budget(Usd.of("100"), Period.DAY)
            budget(Usd.of("4"), Period.TOTAL) {
                name = "<i>team"
                warnAt(0.5)
            }
        }.use { llm ->
            val before = costTable(llm.costs())
            safe(before.html).texts(".ullm-note").drop(1) shouldContainExactly
                listOf("Budget day: $0.00 of $100.00 (0 %), $0.00 reserved", "Budget <i>team: $0.00 of $4.00 (0 %), $0.00 reserved")
            before.text.lines().drop(1) shouldContainExactly safe(before.html).texts(".ullm-note").drop(1)
            llm.chat(FakeModel(ModelId("paid", "small")) { emit(finish(Usage.of(1_000_000, 500_000))) }) {
                user("?")
                maxTokens = 500_000
            }.await()
            val lines = listOf("Budget day: $2.00 of $100.00 (2 %), $0.00 reserved", "Budget <i>team: $2.00 of $4.00 (50 %), $0.00 reserved, nearly used up")
            for (report in listOf(llm.costs(), llm.costs(By.TASK), llm.costs(7))) {
                val rendered = costTable(report)
                safe(rendered.html).all("table ~ .ullm-note").map { it.wholeText() }.take(2) shouldContainExactly lines
                rendered.text.lines().filter { it.startsWith("Budget") } shouldContainExactly lines
            }
        }
        client().use { costTable(it.costs()).text shouldNotContain "Budget" }
    }

    test("budgets that cannot be read are said to be that, and the costs are shown all the same") {
        val noFolder = Files.createFile(folder.resolve("no folder"))
        client {
            ledger(noFolder.resolve("ledger.db"))
            budget(Usd.of("100"), Period.DAY)
        }.use { llm ->
            val rendered = costTable(llm.costs())
            safe(rendered.html).texts(".ullm-note").last() shouldStartWith "✗ The budgets cannot be read: "
            rendered.text.lines().first() shouldContain "no calls yet"
        }
    }

    test("the success rate is that of the calls that were not cancelled; above 99 % it is not rounded to all") {
        client().use { llm ->
            repeat(2) { llm.ask() }
            shouldThrow<LlmException.ServerError> { llm.chat(FakeModel(ModelId("paid", "small")) { throw LlmException.ServerError("down") }, "?").await() }
            val page = safe(costTable(llm.costs()).html)
            val success = page.texts("thead th").indexOf("Success")
            page.all("tbody tr, tfoot tr").map { it.child(success).wholeText() } shouldContainExactly listOf("67 %", "67 %")
            repeat(400) { llm.ask() }
            safe(costTable(llm.costs()).html).all("tbody tr").single().child(success).wholeText() shouldBe "> 99 %"
        }
    }

    test("what the cache saved has a column and a line") {
        client { cache { memory() } }.use { llm ->
            repeat(3) {
                llm.chat("demo/echo") {
                    user("one two three")
                    temperature = 0.0
                }.await()
            }
            val report = llm.costs()
            val rendered = costTable(report)
            val page = safe(rendered.html)
            page.texts("thead th") shouldContainExactly listOf("Model", "Calls", "Tokens in", "Tokens out", "Saved", "Per call", "Cost")
            val row = report.single()
            row.saved shouldBe row.cost!! + row.cost!!
            page.all("tfoot tr").single().children().map { it.wholeText() }.drop(4) shouldContainExactly
                listOf(row.saved, row.averageCost!!, row.cost!!).map { it.toDisplayString() }
            val line = "2 responses from the cache saved ${row.saved.toDisplayString()} (with made-up costs of demo models)."
            page.texts(".ullm-note") shouldContain line
            rendered.text.lines() shouldContain line
            costTable(llm.costs(By.TAG)).text.lines() shouldNotContain line
        }
    }
})
