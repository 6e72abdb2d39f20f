package dev.unifiedllm.store.sql

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.store.By
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.LedgerRow.Status
import dev.unifiedllm.store.MemoryFacts
import dev.unifiedllm.store.ReportFacts
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeGreaterThanOrEqual
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.runBlocking
import java.io.File
import java.math.BigDecimal
import java.nio.file.Path
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId
import kotlin.concurrent.thread
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds

internal val ledgerStart = Instant.parse("2026-03-27T00:00:00Z")
internal val ledgerZone = ZoneId.of("Europe/Berlin") // its clocks go forward on 2026-03-29

/** A row whose parts are anything. @param session null: anything */
internal fun Random.ledgerRow(index: Int, session: String? = null): LedgerRow {
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
        startedAt = ledgerStart.plusMillis(nextLong(6L * 24 * 3_600_000)),
        status = Status.entries.random(this),
        usage = usage,
        cost = cost,
        latency = nextLong(40_000).milliseconds,
        timeToFirstToken = if (nextBoolean()) nextLong(2_000).milliseconds else null,
        task = listOf(null, "summarize", "it's").random(this),
        tags = listOf("a", "b", "c; DROP TABLE ledger").filter { nextInt(3) == 0 },
        isLocal = provider == "ollama" && nextBoolean(),
        cell = if (nextBoolean()) nextInt(5) else null,
        origin = LedgerRow.Origin(session = listOf(null, "s1", "s2").random(this).let { session ?: it }),
        isCached = isCached,
        saved = if (isCached) Usd.of("0.0000000000001") else null,
    )
}

/** Writes rows to the ledger at `args[0]`, ten at a time, of the seed and session `args[2]`, and prints how many are written: `args[1]` rows, or 0 for ever. */
internal object LedgerWriter {
    const val STEP = 10

    @JvmStatic
    fun main(args: Array<String>) {
        val rows = rows(args[2])
        SqlLedger(DatabaseUrl.of(args[0])).use { ledger ->
            var written = 0
            while (args[1] == "0" || written < args[1].toInt()) {
                repeat(STEP) { ledger.add(rows.next()) }
                ledger.flush()
                check(ledger.problem == null) { ledger.problem.orEmpty() }
                written += STEP
                println(written)
            }
        }
    }

    /** All rows of a session, in order. */
    fun rows(
        session: String,
    ): Iterator<LedgerRow> = Random(session.toInt()).let { random -> generateSequence(0) { it + 1 }.map { random.ledgerRow(it, session) } }
        .iterator()
}

/**
 * Calls a demo model `args[1]` times with the ledger at `args[0]`, and ends without closing its client. `fill`: before that, it fills the ledger with rows
 * until they are not written.
 */
internal object LedgerCaller {
    @JvmStatic
    fun main(args: Array<String>) {
        val llm = client { ledger(args[0]) }
        val ledger = checkNotNull(llm.client.ledger.lasting)
        if ("fill" in args) {
            var index = 0
            while (ledger.problem == null) {
                repeat(1_000) { ledger.add(Random(index).ledgerRow(index++, "fill")) }
                ledger.flush()
            }
        }
        runBlocking {
            repeat(args[1].toInt()) {
                val response = llm.chat("demo/echo", "a").await()
                response.warnings.forEach { println("warning: $it") }
                println("answer: ${response.text}")
                if (it == 0) ledger.flush()
            }
        }
        println("calls: ${llm.costs().single().calls}, cost: ${llm.costs().demoTotal.amount.signum()}, problem: ${ledger.problem}")
    }
}

/**
 * Starts another JVM with the class path of this one.
 *
 * @param shell runs before it in its shell @param prefix the command that runs it
 */
internal fun ledgerChild(main: Any, vararg args: String, shell: String? = null, prefix: List<String> = emptyList(), errors: File = File("/dev/null")): Process {
    val java = listOf(System.getProperty("java.home") + "/bin/java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"))
    val command = prefix + java + main.javaClass.name + args
    val run = if (shell == null) command else listOf("sh", "-c", "$shell exec \"\$@\"", "sh") + command
    return ProcessBuilder(run).redirectError(errors).start()
}

/** Kills writers of the ledger at [url], [parallel] at a time, [kills] in all, each after some commits. @return the sessions with what each had printed */
internal fun killWriters(url: String, kills: Int, parallel: Int, patience: Int = 50): Map<String, Int> {
    val printed = LinkedHashMap<String, Int>()
    for (round in (1..kills).chunked(parallel)) {
        val random = Random(round.first())
        val counts = IntArray(round.size)
        val readers = round.mapIndexed { index, number ->
            val writer = ledgerChild(LedgerWriter, url, "0", "$number")
            val least = LedgerWriter.STEP + random.nextInt(patience)
            thread {
                writer.inputStream.bufferedReader().forEachLine {
                    counts[index] = it.toInt()
                    if (counts[index] >= least) writer.toHandle().destroyForcibly() // the stream stays open, to read what it had printed
                }
                writer.waitFor()
            }
        }
        readers.forEach(Thread::join)
        round.forEachIndexed { index, number -> printed["$number"] = counts[index] }
    }
    return printed
}

/** The ledger has all rows that writers had [printed], and of those after them the first ones, each of them whole. Sums are exact. */
internal fun shouldHaveCommitted(facts: ReportFacts, printed: Map<String, Int>) {
    val rows = facts.rows(By.SESSION).groupBy { it.name }
    withClue("sessions") { rows.keys shouldBe printed.keys }
    val all = printed.flatMap { (session, least) ->
        val calls = rows.getValue(session).sumOf { it.calls }
        withClue("session $session") {
            least shouldBeGreaterThanOrEqual LedgerWriter.STEP
            calls shouldBeGreaterThanOrEqual least
        }
        LedgerWriter.rows(session).asSequence().take(calls).map(::stored).toList()
    }
    val expected = MemoryFacts(all, ledgerZone)
    for (by in listOf(By.MODEL, By.DAY, By.SESSION)) facts.rows(by).sortedBy { "$it" } shouldContainExactly expected.rows(by).sortedBy { "$it" }
}

/** SQLite finds nothing wrong in [file]. */
internal fun shouldBeSound(file: Path) {
    val found = Database.open(DatabaseUrl.of(file)).use { database -> database.read { it.query("PRAGMA integrity_check") { row -> row.getString(1) } } }
    found shouldBe listOf("ok")
}

/** NUL is not stored, as PostgreSQL takes none. */
internal fun stored(row: LedgerRow): LedgerRow = if ('\u0000' !in row.model.provider) {
    row
} else {
    LedgerRow(
        row.callId, ModelId(row.model.provider.replace('\u0000', '\uFFFD'), row.model.name), row.startedAt, row.status, row.usage, row.cost, row.latency,
        row.timeToFirstToken, row.task, row.tags, row.isLocal, row.cell, row.origin, row.isCached, row.saved,
    )
}
