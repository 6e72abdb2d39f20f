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
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.longs.shouldBeGreaterThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.io.File
import java.math.BigDecimal
import java.nio.file.Files
import java.nio.file.Path
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds

private val start = Instant.parse("2026-03-27T00:00:00Z")
private val zone = ZoneId.of("Europe/Berlin") // its clocks go forward on 2026-03-29

private fun Random.row(index: Int): LedgerRow {
    fun tokens() = if (nextInt(5) == 0) null else nextLong(1_000_000)
    val provider = listOf("openai", "anthropic", "ollama", "demo", "x\u0000y").random(this)
    val cost = when (nextInt(6)) {
        0 -> null
        1 -> Cost.Free
        2 -> Cost.Unknown(listOf("no price is known", "the response was cut").random(this))
        else -> Cost.Known(Usd.of(BigDecimal(nextLong(1_000_000_000_000)).movePointLeft(nextInt(9, 22))), "table", LocalDate.of(2026, 1, 1), nextBoolean())
    }
    val usage = if (nextInt(4) == 0) {
        null
    } else {
        Usage.build {
            inputTokens = tokens()
            outputTokens = tokens()
            cacheReadTokens = tokens()
            cacheWriteTokens = tokens()
            reasoningTokens = tokens()
        }
    }
    val isCached = nextInt(10) == 0
    return LedgerRow(
        callId = "call $index",
        model = ModelId(provider, "m${nextInt(3)}"),
        startedAt = start.plusMillis(nextLong(6L * 24 * 3_600_000)),
        status = Status.entries.random(this),
        usage = usage,
        cost = cost,
        latency = nextLong(40_000).milliseconds,
        timeToFirstToken = if (nextBoolean()) nextLong(2_000).milliseconds else null,
        task = listOf(null, "summarize", "it's").random(this),
        tags = listOf("a", "b", "c; DROP TABLE ledger").filter { nextInt(3) == 0 },
        isLocal = provider == "ollama" && nextBoolean(),
        cell = if (nextBoolean()) nextInt(5) else null,
        origin = LedgerRow.Origin(session = listOf(null, "s1", "s2").random(this)),
        isCached = isCached,
        saved = if (isCached) Usd.of("0.0000000000001") else null,
    )
}

/** NUL is not stored, as PostgreSQL takes none. */
private fun clean(row: LedgerRow) = if ('\u0000' !in row.model.provider) {
    row
} else {
    LedgerRow(
        row.callId, ModelId(row.model.provider.replace('\u0000', '\uFFFD'), row.model.name), row.startedAt, row.status, row.usage, row.cost, row.latency,
        row.timeToFirstToken, row.task, row.tags, row.isLocal, row.cell, row.origin, row.isCached, row.saved,
    )
}

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

/** Adds [args] 1 rows to the SQLite file [args] 0, and prints how many are written; 0 rows: adds them until it is killed. */
internal object LedgerWriter {
    @JvmStatic
    fun main(args: Array<String>) {
        val database = Database.open(DatabaseUrl.of(args[0]))
        database.migrate("ledger", LedgerTable.MIGRATIONS)
        val random = Random(args[2].toInt())
        var written = 0
        while (args[1] == "0" || written < args[1].toInt()) {
            database.write { connection -> LedgerTable.insert(connection, List(10) { random.row(it) }) }
            written += 10
            println(written)
        }
    }
}

private fun child(file: Path, rows: Int, seed: Int, vararg shell: String): Process {
    val java = listOf(System.getProperty("java.home") + "/bin/java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"))
    val command = java + listOf(LedgerWriter::class.java.name, "$file", "$rows", "$seed")
    val run = if (shell.isEmpty()) command else listOf("sh", "-c", shell.first() + " exec \"$@\"", "sh") + command
    return ProcessBuilder(run).redirectError(File("/dev/null")).start()
}

class SqlLedgerSpec : FunSpec({
    val folder = Files.createTempDirectory("ledger")
    afterSpec { folder.toFile().deleteRecursively() }

    fun FunSpec.common(name: String, url: () -> DatabaseUrl) {
        test("$name: reports by queries are those of the rows in memory, to the last digit") {
            val random = Random(7)
            val rows = List(3_000) { random.row(it) }
            SqlLedger(url()).use { ledger ->
                rows.forEach(ledger::add)
                ledger.flush()
                ledger.problem shouldBe null
                for (from in listOf(null, start.plusSeconds(40_000), start.plusSeconds(2 * 24 * 3600))) {
                    val expected = rows.map(::clean).filter { from == null || it.startedAt >= from }
                    shouldBeAlike(ledger.facts(from, zone), MemoryFacts(expected, zone))
                }
                val facts = ledger.facts(null, zone)
                val before = facts.rows(By.MODEL)
                ledger.add(random.row(0))
                ledger.flush()
                facts.rows(By.MODEL) shouldContainExactly before
            }
        }
    }

    common("SQLite") { DatabaseUrl.of(Files.createTempDirectory(folder, "a").resolve("ledger.db")) }

    needs(OptionalProgram.POSTGRES) {
        val server by lazy { PostgresServer() }
        afterSpec { server.close() }
        common("PostgreSQL") { DatabaseUrl.of(server.url) }
    }

    test("the sum of 100,000 random amounts is exact, however small they are") {
        val random = Random(202)
        val file = folder.resolve("exact.db")
        var sum = BigDecimal.ZERO
        SqlLedger(DatabaseUrl.of(file)).use { ledger ->
            repeat(100_000) {
                val amount = BigDecimal(random.nextLong(10_000_000_000_000)).movePointLeft(random.nextInt(10, 22))
                sum += amount
                ledger.add(
                    LedgerRow(null, ModelId("a", "b"), start, Status.DONE, null, Cost.Known(Usd.of(amount), "x"), 1.milliseconds, null, null, emptyList()),
                )
            }
            ledger.flush()
            ledger.facts(null, zone).rows(By.MODEL).single().let {
                it.calls shouldBe 100_000
                it.cost shouldBe Usd.of(sum)
            }
        }
    }

    test("writers that are killed lose no row that was committed, and the file stays readable") {
        val file = folder.resolve("killed.db")
        var committed = 0L
        repeat(6) { round ->
            val writers = List(2) { child(file, 0, round * 2 + it) }
            val counts = LongArray(2)
            val readers = writers.mapIndexed { index, process -> thread { process.inputStream.bufferedReader().forEachLine { counts[index] = it.toLong() } } }
            val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60)
            while (counts.any { it < 50 + 30 * round } && System.nanoTime() < deadline) Thread.onSpinWait()
            counts.forEach { it shouldBeGreaterThanOrEqual 50L }
            writers.forEach { it.destroyForcibly().waitFor() }
            readers.forEach(Thread::join)
            committed += counts.sum()
            SqlLedger(DatabaseUrl.of(file)).use { ledger ->
                ledger.add(Random(round).row(0))
                ledger.flush()
                committed++
                val calls = ledger.facts(null, zone).rows(By.MODEL).sumOf { it.calls }
                calls.toLong() shouldBeGreaterThanOrEqual committed
                committed = calls.toLong() // what was committed and not yet printed when its writer was killed
            }
        }
    }

    test("two processes that write at a time lose nothing") {
        val file = folder.resolve("two.db")
        List(2) { child(file, 1_000, it) }.forEach { process ->
            process.inputStream.bufferedReader().readLines().last() shouldBe "1000"
            process.waitFor() shouldBe 0
        }
        SqlLedger(DatabaseUrl.of(file)).use { it.facts(null, zone).rows(By.MODEL).sumOf { row -> row.calls } shouldBe 2_000 }
    }

    test("a disk that is full ends no writer with a broken file") {
        val file = folder.resolve("full.db")
        SqlLedger(DatabaseUrl.of(file)).use { ledger ->
            ledger.add(Random(1).row(1))
            ledger.flush()
        }
        val full = child(file, 1_000_000, 5, "ulimit -f 6000; trap '' XFSZ;")
        val written = full.inputStream.bufferedReader().readLines().last().toInt()
        full.waitFor()
        written shouldBeGreaterThan 0
        SqlLedger(DatabaseUrl.of(file)).use { it.facts(null, zone).rows(By.MODEL).sumOf { row -> row.calls } shouldBe written + 1 }
    }

    test("a file that cannot be made is told once, rows are kept, and they are written when it can be made") {
        val parent = folder.resolve("later")
        Files.createFile(parent) // where the folder should be
        val told = mutableListOf<String>()
        SqlLedger(DatabaseUrl.of(parent.resolve("ledger.db"))) { synchronized(told) { told += it } }.use { ledger ->
            repeat(3) { ledger.add(Random(it).row(it)) }
            ledger.flush()
            ledger.problem shouldContain "3 calls are not in the ledger"
            ledger.untold() shouldContain "cannot be made"
            ledger.untold() shouldBe null
            Files.delete(parent)
            val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30)
            while (ledger.problem != null && System.nanoTime() < deadline) Thread.onSpinWait()
            ledger.problem shouldBe null
            ledger.facts(null, zone).rows(By.MODEL).sumOf { it.calls } shouldBe 3
        }
        synchronized(told) { told shouldHaveSize 1 }
    }

    test("an amount that no response costs is stored as unknown") {
        SqlLedger(DatabaseUrl.of(folder.resolve("huge.db"))).use { ledger ->
            val cost = Cost.Known(Usd.of("1e30"), "provider")
            ledger.add(LedgerRow(null, ModelId("a", "b"), start, Status.DONE, null, cost, 1.milliseconds, null, null, emptyList()))
            ledger.flush()
            ledger.facts(null, zone).unpriced().single().why shouldContain "too high to be true"
        }
    }

    test("an empty ledger has no rows") {
        SqlLedger(DatabaseUrl.of(folder.resolve("empty.db"))).use { ledger ->
            val facts = ledger.facts(null, zone)
            By.entries.flatMap(facts::rows).shouldBeEmpty()
            facts.spent().shouldBeEmpty()
        }
    }
})
