package dev.unifiedllm.store

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.store.LedgerRow.Status
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.time.Instant
import java.time.ZoneId
import java.time.ZoneOffset
import kotlin.random.Random
import kotlin.time.Duration.Companion.seconds

private fun row(
    model: String,
    cost: Cost?,
    status: Status = Status.DONE,
    usage: Usage? = Usage.of(10, 5),
    at: String = "2026-01-01T12:00:00Z",
    task: String? = null,
    isLocal: Boolean = false,
    cell: Int? = null,
) = LedgerRow("c", ModelId.parse(model), Instant.parse(at), status, usage, cost, 1.seconds, null, task, emptyList(), isLocal, cell)

private fun ChatRequestBuilder.quickly() {
    user("hi")
    providerOptions { put("tokensPerSecond", 0) }
}

private fun known(amount: String) = Cost.Known(Usd.of(amount), "test")

private fun report(by: By, vararg rows: LedgerRow) = costReport(rows.toList(), by, ZoneOffset.UTC)

class CostReportSpec : FunSpec({
    test("the most expensive row is first; demo models are last and not in the total") {
        val report = report(
            By.MODEL,
            row("demo/echo", known("9")),
            row("openai/cheap", known("0.01")),
            row("groq/dear", known("2")),
            row(
                "groq/dear",
                known("1.5"),
                usage = Usage.build {
                    inputTokens = 100
                    outputTokens = 50
                    cacheReadTokens = 40
                },
            ),
        )
        report.map { it.name } shouldContainExactly listOf("groq/dear", "openai/cheap", "demo/echo")
        report.total shouldBe Usd.of("3.51")
        report.demoTotal shouldBe Usd.of("9")
        report[0] shouldBe CostRow("groq/dear", 2, 0, 0, 110, 40, 55, Usd.of("3.5"), 0, isFree = false, isDemo = false)
        "$report" shouldContain "total $3.51; demo models, not in the total: $9.00"
        "$report" shouldContain "demo/echo (demo)"
    }

    test("unknown costs are marked and do not count as zero") {
        val report =
            report(By.MODEL, row("a/x", Cost.Unknown("?")), row("a/x", known("1")), row("a/y", Cost.Unknown("?")), row("a/y", null, Status.FAILED, null))
        report.map { it.costText } shouldContainExactly listOf("$1.00 + 1 unpriced", "$ n/a")
        report.unknownCosts shouldBe 2
        report.totalText() shouldBe "$1.00 + 2 unpriced"
        report(By.MODEL, row("a/x", Cost.Unknown("?"))).totalText() shouldBe "$ n/a"
        report(By.MODEL, row("a/x", Cost.Unknown("?")), row("b/y", Cost.Free)).totalText() shouldBe "$0.00 + 1 unpriced"
    }

    test("models on the user's own machines are free and marked as local, with failed attempts, too") {
        val report = report(By.MODEL, row("ollama/a", Cost.Free, isLocal = true), row("ollama/a", null, Status.FAILED, null))
        report.single().costText shouldBe "free (local)"
        report.totalText() shouldBe "free (local)"
        report.single().isLocal shouldBe true
        report.single().failed shouldBe 1
        report.total shouldBe Usd.ZERO
        report(By.MODEL, row("ollama/a", null, Status.FAILED, null)).single().isFree shouldBe false
    }

    test("a free model elsewhere is not marked as local, nor is a group with one") {
        val remote = row("gpu-box/m", Cost.Free)
        report(By.MODEL, remote).single().costText shouldBe "free"
        report(By.MODEL, remote).single().isLocal shouldBe false
        report(By.TASK, remote, row("ollama/a", Cost.Free, isLocal = true)).single().costText shouldBe "free"
        "${report(By.MODEL, remote)}" shouldContain "free"
    }

    test("a row with something billed is neither free nor local") {
        val row = report(By.TASK, row("ollama/a", Cost.Free, isLocal = true), row("openai/b", known("2"))).single()
        row.costText shouldBe "$2.00"
        row.isFree shouldBe false
        row.isLocal shouldBe false
        report(By.TASK, row("ollama/a", Cost.Free, isLocal = true), row("openai/b", Cost.Unknown("?"))).single().isLocal shouldBe false
    }

    test("a row without anything billed costs $0.00") {
        val row = report(By.MODEL, row("a/x", null, Status.FAILED, null), row("a/x", null, Status.CANCELLED, null)).single()
        row.cost shouldBe Usd.ZERO
        row.costText shouldBe "$0.00"
    }

    test("the text table has aligned columns, and a column of cancelled calls only if there are any") {
        val done = row("openai/gpt-4o", known("2"), usage = Usage.of(12_345, 5))
        val failed = row("a/x", null, Status.FAILED, null)
        "${report(By.MODEL, done, failed)}".lines() shouldContainExactly listOf(
            "Costs of these calls, by model",
            "model          calls  failed      in  cached  out   cost",
            "openai/gpt-4o      1       0  12,345       0    5  $2.00",
            "a/x                1       1       0       0    0  $0.00",
            "total $2.00",
        )
        "${report(By.MODEL, done, failed, row("a/x", Cost.Unknown("?"), Status.CANCELLED, null))}".lines() shouldContainExactly listOf(
            "Costs of these calls, by model",
            "model          calls  failed  cancelled      in  cached  out   cost",
            "openai/gpt-4o      1       0          0  12,345       0    5  $2.00",
            "a/x                2       1          1       0       0    0  $ n/a",
            "total $2.00 + 1 unpriced",
        )
    }

    test("rows by provider, by task and by day of the time zone; demo models have rows of their own") {
        val rows = arrayOf(
            row("groq/a", known("1"), task = "write", at = "2026-01-01T23:30:00Z"),
            row("groq/b", known("2"), at = "2026-01-02T00:30:00Z"),
            row("demo/echo", known("4"), at = "2026-01-02T00:30:00Z"),
        )
        report(By.PROVIDER, *rows).map { it.name } shouldContainExactly listOf("groq", "demo")
        report(By.TASK, *rows).map { "${it.name} ${it.isDemo}" } shouldContainExactly listOf("(none) false", "write false", "(none) true")
        report(By.DAY, *rows).map { it.name } shouldContainExactly listOf("2026-01-01", "2026-01-02", "2026-01-02")
        costReport(rows.take(2), By.DAY, ZoneId.of("Europe/Berlin")).map { it.name } shouldContainExactly listOf("2026-01-02")
    }

    test("the total is the exact sum of all rows in each grouping") {
        val random = Random(7)
        val rows = List(20_000) {
            row("p${random.nextInt(5)}/m${random.nextInt(9)}", known("0.${random.nextLong(1_000_000_000)}"), task = "t${random.nextInt(4)}")
        }
        val sum = rows.fold(Usd.ZERO) { sum, row -> sum + row.cost!!.usd()!! }
        for (by in By.entries) {
            val report = costReport(rows, by, ZoneOffset.UTC)
            report.total shouldBe sum
            report.sumOf { it.calls } shouldBe rows.size
        }
    }

    test("rows by cell are in the order of time; a cell that ran twice has two") {
        val rows = arrayOf(
            row("groq/a", known("1"), cell = 7, at = "2026-01-01T10:00:00Z"),
            row("groq/a", known("9"), cell = 12, at = "2026-01-01T12:00:00Z"),
            row("groq/a", known("2"), cell = 7, at = "2026-01-01T11:00:00Z"),
            row("groq/b", known("5"), at = "2026-01-01T09:00:00Z"),
        )
        report(By.CELL, *rows).map { "${it.name} ${it.calls} ${it.costText}" } shouldContainExactly
            listOf("(none) 1 $5.00", "[7] 2 $3.00", "[12] 1 $9.00")
    }

    test("calls of unknown cost are named by model and reason, demo models are not") {
        val report = report(
            By.DAY,
            row("a/x", Cost.Unknown("no price")),
            row("a/x", Cost.Unknown("the response was cut"), Status.FAILED),
            row("b/y", Cost.Unknown("no price")),
            row("a/x", Cost.Unknown("no price")),
            row("demo/echo", Cost.Unknown("?")),
            row("a/x", known("1")),
        )
        report.unpriced shouldContainExactly listOf(
            UnpricedCalls("a/x", 2, "no price"),
            UnpricedCalls("a/x", 1, "the response was cut"),
            UnpricedCalls("b/y", 1, "no price"),
        )
        report.unpriced.sumOf { it.calls } shouldBe report.unknownCosts
    }

    test("the title says whose calls they are, and of which time") {
        val ledger = MemoryLedger(capacity = 2)
        fun title(days: Int?) = ledger.report(By.MODEL, days, "this session").title
        ledger.add(row("a/1", null))
        title(null) shouldBe "Costs of this session, by model"
        title(1) shouldBe "Costs of the last day of this session, by model"
        ledger.report(By.CELL, 7, "this session").title shouldBe "Costs of the last 7 days of this session, by cell"
        ledger.usage(7, "this client").title shouldBe "Tokens of the last 7 days of this client, by model"
        client().use { it.costs(By.DAY, 2).title shouldBe "Costs of the last 2 days of this client, by day" }
    }

    test("the title says that older calls were dropped, if they may belong to the time") {
        val ledger = MemoryLedger(capacity = 2)
        val now = "${Instant.now()}"
        for (at in listOf("2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z", now)) ledger.add(row("a/1", null, at = at))
        ledger.report(By.MODEL, null, "this session").title shouldBe "Costs of the latest 2 calls of this session, by model"
        ledger.report(By.MODEL, 1, "this session").title shouldBe "Costs of the last day of this session, by model"
        ledger.add(row("a/1", null, at = now))
        ledger.report(By.MODEL, 1, "this session").title shouldBe "Costs of the latest 2 calls of this session, by model"
    }

    test("calls have the cell that ran when they started, and keep it") {
        var cell = 3
        val session = MemoryLedger(runningCell = { cell })
        val ledger = MemoryLedger(session)
        val llm = Llm.of(Llm.builder().environment { null }, ledger)
        llm.use {
            it.chat("demo/echo") { quickly() }.await()
            cell = 5
            it.chat(ChatRequest.build("demo/echo") { quickly() }.let { own -> own.withContext(own.context.with { this.cell = 9 }) }).await()
            it.chat("demo/echo") { quickly() }.await()
        }
        ledger.rows().map { it.cell } shouldContainExactly listOf(3, 9, 5)
        session.report(By.CELL, null, "this session").map { it.name } shouldContainExactly listOf("[3]", "[9]", "[5]")
        MemoryLedger().cell shouldBe null
        MemoryLedger(runningCell = { error("no notebook") }).cell shouldBe null
    }

    test("the tokens of complete responses, by model") {
        val ledger = MemoryLedger()
        val whole = Usage.build {
            inputTokens = 100
            cacheReadTokens = 40
            cacheWriteTokens = 10
            outputTokens = 50
            reasoningTokens = 20
        }
        ledger.add(row("a/x", null, usage = whole))
        ledger.add(row("a/x", null, usage = null))
        ledger.add(row("a/y", null, usage = Usage.of(1_000, 2)))
        ledger.add(row("a/y", Cost.Unknown("cut"), Status.FAILED, Usage.of(7, 7)))
        val report = ledger.usage(null, "this client")
        report shouldContainExactly listOf(UsageRow("a/y", 1, 0, 1_000, 0, 0, 2, 0), UsageRow("a/x", 2, 1, 100, 40, 10, 50, 20))
        report.total shouldBe UsageRow("total", 3, 1, 1_100, 40, 10, 52, 20)
        "$report".lines().drop(1) shouldContainExactly listOf(
            "a/y: 1,000 in (0 cached) + 2 out in 1 response",
            "a/x: 100 in (40 cached) + 50 out in 2 responses, 1 without a report",
            "total: 1,100 in (40 cached) + 52 out in 3 responses, 1 without a report",
        )
        report.demoTotal shouldBe null
        "${MemoryLedger().usage(null, "this client")}" shouldBe "Tokens of this client, by model: no responses yet."
    }

    test("tokens that nobody reported are not zero, and the made-up ones of demo models are not in the total") {
        val ledger = MemoryLedger()
        ledger.add(row("a/x", null, usage = null))
        ledger.add(row("a/x", null, usage = Usage.build { }))
        ledger.add(row("demo/echo", null, usage = Usage.of(1_000, 9)))
        ledger.add(row("a/y", null, usage = Usage.of(5, 6)))
        val report = ledger.usage(null, "this client")
        report.map { it.model to it.isDemo } shouldContainExactly listOf("a/y" to false, "a/x" to false, "demo/echo" to true)
        report[1].unreported shouldBe 2
        report.total shouldBe UsageRow("total", 3, 2, 5, 0, 0, 6, 0)
        report.demoTotal shouldBe UsageRow("demo models", 1, 0, 1_000, 0, 0, 9, 0, isDemo = true)
        "$report".lines().drop(2) shouldContainExactly listOf(
            "a/x: n/a in 2 responses",
            "demo/echo (demo): 1,000 in (0 cached) + 9 out in 1 response",
            "total: 5 in (0 cached) + 6 out in 3 responses, 2 without a report; " +
                "demo models, not in the total: 1,000 in (0 cached) + 9 out in 1 response",
        )
    }

    test("without calls there is no table") {
        report(By.MODEL).shouldBeEmpty()
        "${report(By.MODEL)}" shouldBe "Costs of these calls, by model: no calls yet."
    }

    test("the memory ledger keeps the latest rows") {
        val ledger = MemoryLedger(capacity = 2)
        for (name in listOf("a/1", "a/2", "a/3")) ledger.add(row(name, null))
        ledger.rows().map { "${it.model}" } shouldContainExactly listOf("a/2", "a/3")
    }

    test("days must be positive") {
        client().use { llm ->
            shouldThrow<IllegalArgumentException> { llm.costs(By.MODEL, 0) }
            llm.costs(By.MODEL, 1).shouldBeEmpty()
        }
    }
})
