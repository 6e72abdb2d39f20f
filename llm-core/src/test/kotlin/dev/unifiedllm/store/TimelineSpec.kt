package dev.unifiedllm.store

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.LedgerRow.Status
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import java.time.Duration
import java.time.Instant
import java.time.ZoneId
import java.time.ZoneOffset
import kotlin.random.Random
import kotlin.time.Duration.Companion.seconds

private fun row(model: String, cost: Cost?, at: String) =
    LedgerRow("c", ModelId.parse(model), Instant.parse(at), Status.DONE, null, cost, 1.seconds, null, null, emptyList())

private fun known(amount: String) = Cost.Known(Usd.of(amount), "test")

private fun report(by: By, vararg rows: LedgerRow, zone: ZoneId = ZoneOffset.UTC) = costReport(rows.toList(), by, zone)

class TimelineSpec : FunSpec({
    test("parts without gaps, a model with the highest cost first, nothing for unknown costs and free models") {
        val timeline = report(
            By.MODEL,
            row("a/x", known("1"), "2026-01-01T12:00:30Z"),
            row("b/y", known("3"), "2026-01-01T12:03:00Z"),
            row("a/x", known("1"), "2026-01-01T12:03:59Z"),
            row("a/x", Cost.Unknown("?"), "2026-01-01T12:02:00Z"),
            row("c/z", Cost.Free, "2026-01-01T12:01:00Z"),
            row("demo/echo", known("9"), "2026-01-01T12:01:00Z"),
        ).timeline()
        timeline.step shouldBe Duration.ofMinutes(1)
        timeline.starts.map { "$it" } shouldContainExactly (0..3).map { "2026-01-01T12:0$it:00Z" }
        timeline.models.map { spend -> "${spend.model} ${spend.isDemo} ${spend.costs.joinToString(" ") { it.toDisplayString() }}" } shouldContainExactly listOf(
            "b/y false $0.00 $0.00 $0.00 $3.00",
            "a/x false $1.00 $0.00 $0.00 $1.00",
            "demo/echo true $0.00 $9.00 $0.00 $0.00",
        )
    }

    context("the step grows with the time, so that there are at most 48 parts:") {
        withData(
            nameFn = { (hours, _) -> "$hours minutes" },
            0L to Duration.ofMinutes(1),
            47L to Duration.ofMinutes(1),
            48L to Duration.ofMinutes(5),
            12L * 60 to Duration.ofHours(1),
            3L * 24 * 60 to Duration.ofHours(6),
            40L * 24 * 60 to Duration.ofDays(1),
        ) { (minutes, step) ->
            val last = Instant.parse("2026-03-01T12:00:00Z")
            val timeline = report(By.MODEL, row("a/x", known("1"), "${last.minus(Duration.ofMinutes(minutes))}"), row("a/x", known("1"), "$last")).timeline()
            timeline.step shouldBe step
            timeline.starts.size shouldBeLessThanOrEqual 49
            timeline.models.single().total shouldBe Usd.of("2")
        }
    }

    test("a report by day has days of the time zone, also where one has 23 hours") {
        val berlin = ZoneId.of("Europe/Berlin")
        val timeline = report(
            By.DAY,
            row("a/x", known("1"), "2026-03-28T22:30:00Z"),
            row("a/x", known("2"), "2026-03-28T23:30:00Z"),
            row("a/x", known("4"), "2026-03-29T22:30:00Z"),
            zone = berlin,
        ).timeline()
        timeline.starts.map { "$it" } shouldContainExactly listOf("2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")
        timeline.models.single().costs shouldContainExactly listOf(Usd.of("1"), Usd.of("2"), Usd.of("4"))
    }

    test("a report of seven days has all of them") {
        val ledger = MemoryLedger()
        ledger.add(row("a/x", known("1"), "${Instant.now()}"))
        val timeline = ledger.report(By.DAY, 7, "this session").timeline()
        timeline.starts.size shouldBe 8 // seven times 24 hours touch eight days
        timeline.models.single().costs.dropLast(1).distinct() shouldContainExactly listOf(Usd.ZERO)
        timeline.models.single().costs.last() shouldBe Usd.of("1")
    }

    test("a report of very many days begins at most 366 days before the first cost") {
        val ledger = MemoryLedger()
        ledger.add(row("a/x", known("1"), "${Instant.now()}"))
        val timeline = ledger.report(By.DAY, 100_000, "this session").timeline()
        timeline.starts.size shouldBe 367
        timeline.models.single().costs.last() shouldBe Usd.of("1")
        val old = row("a/x", known("2"), "${Instant.now().minus(Duration.ofDays(500))}").also(ledger::add)
        ledger.report(By.DAY, 100_000, "this session").timeline().let {
            it.starts.size shouldBeLessThanOrEqual 868
            it.models.single().total shouldBe Usd.of("3")
            it.starts.first().isBefore(old.startedAt) shouldBe true
        }
    }

    test("the sum over time is the total of the report") {
        val random = Random(3)
        val begin = Instant.parse("2026-01-01T00:00:00Z")
        val rows = Array(2_000) { row("p/m${random.nextInt(4)}", known("0.${random.nextLong(1_000_000)}"), "${begin.plusSeconds(random.nextLong(400_000))}") }
        for (by in By.entries) {
            val report = report(by, *rows)
            val timeline = report.timeline()
            timeline.models.fold(Usd.ZERO) { sum, spend -> sum + spend.total } shouldBe report.total
            sumOfSpends("all", timeline.models).total shouldBe report.total
        }
    }

    test("without calls there are no parts") {
        report(By.MODEL).timeline().starts.shouldBeEmpty()
        report(By.MODEL, row("a/x", Cost.Unknown("?"), "2026-01-01T12:00:00Z")).timeline().models.shouldBeEmpty()
    }
})
