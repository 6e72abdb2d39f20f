package dev.unifiedllm.soak

import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.PostgresServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.By
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.MemoryLedger
import dev.unifiedllm.store.sql.DatabaseUrl
import dev.unifiedllm.store.sql.SqlLedger
import dev.unifiedllm.store.sql.killWriters
import dev.unifiedllm.store.sql.ledgerRow
import dev.unifiedllm.store.sql.ledgerStart
import dev.unifiedllm.store.sql.ledgerZone
import dev.unifiedllm.store.sql.shouldBeSound
import dev.unifiedllm.store.sql.shouldHaveCommitted
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.doubles.shouldBeGreaterThanOrEqual
import io.kotest.matchers.doubles.shouldBeLessThanOrEqual
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import java.nio.file.Files
import java.time.Duration
import java.time.Instant
import kotlin.random.Random
import kotlin.time.DurationUnit
import kotlin.time.measureTime

private const val ROWS = 1_000_000
private const val KILLS = 1_000

/** The most that a report of all rows may take, in seconds. */
private const val REPORT_SECONDS = 2.0
private const val ROWS_A_SECOND = 20_000.0
private const val ADD_MICROS = 20.0
private const val DISTINCT = 10_000

class LedgerSoak : FunSpec({
    val folder = Files.createTempDirectory("ledger-soak")
    afterSpec { folder.toFile().deleteRecursively() }

    fun FunSpec.common(name: String, place: (String) -> String) {
        test("$name: adding takes at most $ADD_MICROS us of 99 of 100 calls, writing is fast, and so are reports").config(timeout = LIMIT) {
            val rows = scaled(ROWS, least = 50_000)
            val random = Random(1)
            val shift = Duration.between(ledgerStart, Instant.now()).minusDays(6)
            val some = List(DISTINCT) { random.ledgerRow(it).at(shift) }
            SqlLedger(DatabaseUrl.of(place("speed"))).use { ledger ->
                val memory = MemoryLedger(lasting = ledger)
                val nanos = LongArray(rows)
                var added = 0
                val time = measureTime {
                    while (added < rows) {
                        repeat(minOf(50_000, rows - added)) {
                            val row = some[added % DISTINCT]
                            val begin = System.nanoTime()
                            memory.add(row)
                            nanos[added++] = System.nanoTime() - begin
                        }
                        ledger.flush()
                    }
                }
                ledger.problem.shouldBeNull()
                nanos.sort()
                val p99 = nanos[rows * 99 / 100] / 1e3
                val rate = rows / time.toDouble(DurationUnit.SECONDS)
                printSoak(
                    "ledger, $name: add p50 ${nanos[rows / 2] / 1e3} us, p99 $p99 us, max ${nanos.last() / 1e3} us; ${"%,.0f".format(rate)} rows/s written",
                )
                for (by in By.entries) {
                    lateinit var text: String
                    var calls = 0
                    val whole = measureTime {
                        val report = memory.report(by, REPORT_DAYS, "this client")
                        text = "$report"
                        calls = report.sumOf { it.calls }
                    }
                    val times = measureTime { memory.report(by, REPORT_DAYS, "this client").times() }
                    printSoak("ledger, $name: $rows rows by $by in ${whole.inWholeMilliseconds} ms, and their times in ${times.inWholeMilliseconds} ms")
                    if (by != By.TAG) calls shouldBe rows
                    if (by == By.MODEL || by == By.DAY) whole.toDouble(DurationUnit.SECONDS) shouldBeLessThanOrEqual REPORT_SECONDS
                }
                p99 shouldBeLessThanOrEqual ADD_MICROS
                rate shouldBeGreaterThanOrEqual ROWS_A_SECOND
            }
        }
    }

    common("SQLite") { "${folder.resolve("$it.db")}" }

    needs(OptionalProgram.POSTGRES) {
        val server by lazy { PostgresServer() }
        afterSpec { server.close() }
        common("PostgreSQL") { server.database(it) }
    }

    test("no committed row of $KILLS writers that are killed is lost").config(timeout = LIMIT) {
        val file = folder.resolve("killed.db")
        val kills = scaled(KILLS, least = 40)
        lateinit var printed: Map<String, Int>
        val time = measureTime { printed = killWriters("$file", kills, parallel = 4) }
        SqlLedger(DatabaseUrl.of(file)).use { shouldHaveCommitted(it.facts(null, ledgerZone), printed) }
        shouldBeSound(file)
        printSoak("ledger: $kills writers killed in ${time.inWholeSeconds} s, ${printed.values.sum()} rows known to be committed, none lost")
    }
})

private const val REPORT_DAYS = 8

private fun LedgerRow.at(shift: Duration) = LedgerRow(
    callId, model, startedAt + shift, status, usage, cost, latency, timeToFirstToken, task, tags, isLocal, cell, origin, isCached, saved,
)
