package dev.unifiedllm.store.sql

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.PostgresServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.By
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.LedgerRow.Status
import dev.unifiedllm.store.MemoryFacts
import dev.unifiedllm.store.ReportFacts
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.nio.file.Files
import java.time.Instant
import java.time.LocalDate
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds

private fun shouldBeAlike(facts: ReportFacts, expected: ReportFacts) {
    for (by in By.entries) {
        facts.rows(by) shouldContainExactlyInAnyOrder expected.rows(by)
        facts.times(by) shouldContainExactlyInAnyOrder expected.times(by)
    }
    facts.unpriced() shouldContainExactly expected.unpriced()
    facts.usage() shouldContainExactlyInAnyOrder expected.usage()
    fun sums(facts: ReportFacts) = facts.spent().groupBy { it.model }.mapValues { (_, all) -> all.fold(Usd.ZERO) { sum, each -> sum + each.cost } }
    sums(facts) shouldBe sums(expected)
}

private val whole = LedgerRow(
    callId = "c1",
    model = ModelId("openai", "gpt-4o"),
    startedAt = Instant.parse("2026-03-27T00:00:00.123Z"),
    status = Status.FAILED,
    usage = Usage.build {
        inputTokens = 1
        cacheReadTokens = 2
        cacheWriteTokens = 3
        cacheWrite1hTokens = 4
        outputTokens = 5
        reasoningTokens = 6
        audioInputTokens = 7
        audioOutputTokens = 8
        imageTokens = 9
        estimated = true
    },
    cost = Cost.Known(Usd.of("12.345678901234567890123"), "the table", LocalDate.of(2026, 1, 2), estimated = true),
    latency = 1_234.milliseconds,
    timeToFirstToken = 56.milliseconds,
    task = "t",
    tags = listOf("x", "y", "x"),
    isLocal = true,
    cell = 3,
    origin = LedgerRow.Origin("client", "session", "a.ipynb", "search", "asked/m", "gpt-4o-2024", "r1", "Timeout", 504, 2, true),
    isCached = true,
    saved = Usd.of("0.000000000001000000002"),
)

private val columns = mapOf(
    "at" to "1774569600123", "call_id" to "c1", "attempt" to "2", "client" to "client", "session" to "session", "notebook" to "a.ipynb", "cell" to "3",
    "task" to "t", "tool" to "search", "provider" to "openai", "model" to "openai/gpt-4o", "asked" to "asked/m", "answered" to "gpt-4o-2024",
    "request_id" to "r1", "status" to "1", "error" to "Timeout", "http_status" to "504", "input_tokens" to "1", "cache_read_tokens" to "2",
    "cache_write_tokens" to "3", "cache_write_1h_tokens" to "4", "output_tokens" to "5", "reasoning_tokens" to "6", "audio_input_tokens" to "7",
    "audio_output_tokens" to "8", "image_tokens" to "9", "usage_estimated" to "1", "cost" to "1", "cost_pico" to "12345678901234",
    "cost_rest" to "567890123", "cost_estimated" to "1", "price_source" to "the table", "price_date" to "2026-01-02", "unknown_why" to null,
    "latency_ms" to "1234", "first_token_ms" to "56", "cached" to "1", "saved_pico" to "1", "saved_rest" to "2", "streamed" to "1", "local" to "1",
    "demo" to "0",
)

class SqlLedgerSpec : FunSpec({
    val folder = Files.createTempDirectory("ledger")
    afterSpec { folder.toFile().deleteRecursively() }

    fun FunSpec.common(name: String, url: () -> DatabaseUrl) {
        test("$name: reports by queries are those of the rows in memory, to the last digit") {
            val random = Random(7)
            val rows = List(3_000) { random.ledgerRow(it) }
            SqlLedger(url()).use { ledger ->
                rows.forEach(ledger::add)
                ledger.flush()
                ledger.problem shouldBe null
                for (from in listOf(null, ledgerStart.plusSeconds(40_000), ledgerStart.plusSeconds(2 * 24 * 3600))) {
                    val expected = rows.map(::stored).filter { from == null || it.startedAt >= from }
                    shouldBeAlike(ledger.facts(from, ledgerZone), MemoryFacts(expected, ledgerZone))
                }
                val facts = ledger.facts(null, ledgerZone)
                val before = facts.rows(By.MODEL)
                ledger.add(random.ledgerRow(0))
                ledger.flush()
                facts.rows(By.MODEL) shouldContainExactly before
            }
        }
    }

    fun FunSpec.roundTrip(name: String, url: () -> DatabaseUrl) {
        test("$name: each field of a row is in a column of its own") {
            val database = Database.open(url())
            database.migrate("ledger", LedgerTable.MIGRATIONS)
            database.write { LedgerTable.insert(it, listOf(whole)) }
            val found = database.read { connection ->
                connection.query("SELECT * FROM ledger WHERE call_id = 'c1'") { row ->
                    (1..row.metaData.columnCount).associate { row.metaData.getColumnName(it) to row.getString(it) }
                }.single() to connection.query("SELECT tag FROM ledger_tag ORDER BY tag") { it.getString(1) }
            }
            found.first - setOf("id", "tagged") shouldBe columns
            found.second shouldContainExactly listOf("x", "y")
            database.close()
        }
    }

    roundTrip("SQLite") { DatabaseUrl.of(Files.createTempDirectory(folder, "r").resolve("ledger.db")) }
    common("SQLite") { DatabaseUrl.of(Files.createTempDirectory(folder, "a").resolve("ledger.db")) }

    needs(OptionalProgram.POSTGRES) {
        val server by lazy { PostgresServer() }
        afterSpec { server.close() }
        roundTrip("PostgreSQL") { DatabaseUrl.of(server.database("trip")) }
        common("PostgreSQL") { DatabaseUrl.of(server.url) }
    }

    test("an amount that no response costs is stored as unknown") {
        SqlLedger(DatabaseUrl.of(folder.resolve("huge.db"))).use { ledger ->
            val cost = Cost.Known(Usd.of("1e30"), "provider")
            ledger.add(LedgerRow(null, ModelId("a", "b"), ledgerStart, Status.DONE, null, cost, 1.milliseconds, null, null, emptyList()))
            ledger.flush()
            ledger.facts(null, ledgerZone).unpriced().single().why shouldContain "too high to be true"
        }
    }

    test("an empty ledger has no rows") {
        SqlLedger(DatabaseUrl.of(folder.resolve("empty.db"))).use { ledger ->
            val facts = ledger.facts(null, ledgerZone)
            By.entries.flatMap(facts::rows).shouldBeEmpty()
            facts.spent().shouldBeEmpty()
        }
    }
})
