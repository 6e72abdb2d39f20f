package dev.unifiedllm.store.sql

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.OptionalProgram.Companion.isRoot
import dev.unifiedllm.e2e.PostgresServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.By
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.LedgerRow.Status
import dev.unifiedllm.store.MemoryLedger
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.longs.shouldBeLessThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.math.BigDecimal
import java.nio.file.Files
import java.nio.file.Path
import java.time.Instant
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** Faults 199 to 202: what can happen to a ledger that lasts. `LedgerSoak` has more of it. */
class LedgerFaultsSpec : FunSpec({
    val folder = Files.createTempDirectory("ledger-faults")
    afterSpec { folder.toFile().deleteRecursively() }

    fun SqlLedger.calls() = facts(null, ledgerZone).rows(By.MODEL).sumOf { it.calls }

    fun SqlLedger.untilWritten() {
        val begin = TimeSource.Monotonic.markNow()
        while (problem != null && begin.elapsedNow() < 60.seconds) Thread.onSpinWait()
        problem.shouldBeNull()
    }

    fun FunSpec.common(name: String, place: (String) -> String) {
        test("fault 199, $name: writers that are killed lose no row that was committed, and leave no part of a transaction") {
            val url = place("killed")
            val printed = killWriters(url, kills = KILLS, parallel = 2)
            SqlLedger(DatabaseUrl.of(url)).use { shouldHaveCommitted(it.facts(null, ledgerZone), printed) }
        }

        test("fault 201, $name: two processes that write at a time lose nothing, and the sum is exact") {
            val url = place("two")
            val printed = listOf("1", "2").associateWith { 1_000 }
            val writers = printed.map { (session, rows) -> ledgerChild(LedgerWriter, url, "$rows", session) }
            for (writer in writers) {
                writer.inputStream.bufferedReader().readLines().last() shouldBe "1000"
                writer.waitFor() shouldBe 0
            }
            SqlLedger(DatabaseUrl.of(url)).use {
                it.calls() shouldBe 2_000
                shouldHaveCommitted(it.facts(null, ledgerZone), printed)
            }
        }

        test("fault 202, $name: the sum of 100,000 random amounts is exact, however small they are, and is that in memory") {
            val random = Random(202)
            SqlLedger(DatabaseUrl.of(place("exact"))).use { ledger ->
                var sum = BigDecimal.ZERO
                val memory = MemoryLedger(lasting = ledger)
                val now = Instant.now()
                repeat(100_000) {
                    val amount = BigDecimal(random.nextLong(10_000_000_000_000)).movePointLeft(random.nextInt(10, 22))
                    sum += amount
                    val cost = Cost.Known(Usd.of(amount), "x")
                    memory.add(LedgerRow(null, ModelId("a", "m${it % 7}"), now, Status.DONE, null, cost, 1.milliseconds, null, null, emptyList()))
                }
                memory.report(By.MODEL, 1, "this client").let { report ->
                    report.title shouldContain ledger.place
                    report.sumOf { it.calls } shouldBe 100_000
                    report.total shouldBe Usd.of(sum)
                }
                memory.report(By.MODEL, null, "this client").total shouldBe Usd.of(sum)
            }
        }

        test("$name: a process that ends without closing its client has all its calls in the ledger") {
            val url = place("unclosed")
            val caller = ledgerChild(LedgerCaller, url, "20")
            caller.inputStream.bufferedReader().readLines().count { it.startsWith("answer") } shouldBe 20
            caller.waitFor() shouldBe 0
            SqlLedger(DatabaseUrl.of(url)).use { it.calls() shouldBe 20 }
        }
    }

    test("the sum of known costs is that of all rows, also of those that are not kept in memory") {
        val memory = MemoryLedger(capacity = 2)
        repeat(5) {
            memory.add(
                LedgerRow(null, ModelId("a", "m"), Instant.now(), Status.DONE, null, Cost.Known(Usd.of("0.1"), "x"), 1.milliseconds, null, null, emptyList()),
            )
        }
        memory.rows().size shouldBe 2
        memory.total shouldBe Usd.of("0.5")
    }

    test("rows that could not be written are tried once more when the ledger is closed; what is lost is said") {
        val blocked = Files.createFile(folder.resolve("not-a-folder"))
        val file = blocked.resolve("ledger.db")
        val said = CopyOnWriteArrayList<String>()
        suspend fun failing() = SqlLedger(DatabaseUrl.of("$file"), said::add).also { ledger ->
            repeat(5) { ledger.add(Random(it).ledgerRow(it)) }
            eventually(10.seconds) { ledger.problem shouldContain "5 calls are not in the ledger" }
        }
        failing().close()
        said.last() shouldContain "5 calls are not in the ledger"
        said.last() shouldContain "and are lost"
        val ledger = failing()
        Files.delete(blocked)
        ledger.close()
        SqlLedger(DatabaseUrl.of("$file")).use { it.calls() shouldBe 5 }
    }

    common("SQLite") { "${Files.createDirectories(folder.resolve(it)).resolve("ledger.db")}" }

    needs(OptionalProgram.POSTGRES) {
        val server by lazy { PostgresServer() }
        afterSpec { server.close() }
        common("PostgreSQL") { server.database(it) }

        test("fault 200: a PostgreSQL server that is killed and comes back gets the rows of the time between") {
            val ledger = SqlLedger(DatabaseUrl.of(server.database("killed_server"))) { }
            ledger.add(Random(1).ledgerRow(1))
            ledger.flush()
            ledger.problem.shouldBeNull()
            server.kill()
            repeat(3) { ledger.add(Random(it).ledgerRow(it)) }
            eventually(30.seconds) { ledger.problem shouldContain "3 calls are not in the ledger" }
            server.start()
            ledger.untilWritten()
            ledger.calls() shouldBe 4
            ledger.close()
        }

        test("fault 200: a server that hangs delays the end of a process by five seconds at most") {
            val told = mutableListOf<String>()
            val ledger = SqlLedger(DatabaseUrl.of(server.database("hanging"))) { told += it }
            ledger.add(Random(1).ledgerRow(1))
            ledger.flush()
            java.sql.DriverManager.getConnection(server.url.replace("/postgres?", "/hanging?")).use { other ->
                other.autoCommit = false
                other.createStatement().use { it.execute("LOCK TABLE ledger") }
                ledger.add(Random(2).ledgerRow(2))
                val begin = TimeSource.Monotonic.markNow()
                ledger.close()
                begin.elapsedNow().inWholeMilliseconds shouldBeLessThan 6_500
                told.single() shouldContain "1 calls are not in the ledger"
                other.rollback()
            }
        }
    }

    /** Calls with a ledger at [place] that cannot be written: all have answers, and one has a warning with [why]. */
    fun shouldAnswerWithout(place: Path, why: String, vararg args: String, shell: String? = null, prefix: List<String> = emptyList()) {
        val errors = Files.createTempFile(folder, "errors", "").toFile()
        val caller = ledgerChild(LedgerCaller, "$place", "20", *args, shell = shell, prefix = prefix, errors = errors)
        val lines = caller.inputStream.bufferedReader().readLines()
        caller.waitFor() shouldBe 0
        lines.count { it.startsWith("answer: ") } shouldBe 20
        lines.single { it.startsWith("warning: ") } shouldContain why
        lines.last() shouldContain "calls: 20, cost: 1, problem: "
        lines.last() shouldContain why
        val said = errors.readLines().filter { it.startsWith("unified-llm: ") }
        withClue(said) { said.map { "are lost" in it } shouldContainExactly listOf(false, true) } // once while it runs, and how many at the end
    }

    test("fault 200: on a disk that is full calls have answers, it is told once while they run, and the file stays sound") {
        val file = folder.resolve("full.db")
        shouldAnswerWithout(file, "full.db cannot be used", "fill", shell = "ulimit -f 6000; trap '' XFSZ;")
        SqlLedger(DatabaseUrl.of(file)).use { ledger ->
            val before = ledger.calls()
            ledger.add(Random(1).ledgerRow(1))
            ledger.flush()
            ledger.problem.shouldBeNull()
            ledger.calls() shouldBe before + 1
        }
        shouldBeSound(file)
    }

    needs(*listOfNotNull(OptionalProgram.SETPRIV.takeIf { isRoot }).toTypedArray()) {
        test("fault 200: with a file that may only be read calls have answers, and it is told once while they run") {
            val place = Files.createDirectories(folder.resolve("readonly"))
            val file = place.resolve("ledger.db")
            SqlLedger(DatabaseUrl.of(file)).use { ledger ->
                ledger.add(Random(1).ledgerRow(1))
                ledger.flush()
            }
            file.toFile().setWritable(false)
            place.toFile().setWritable(false)
            try {
                // root may write anything, unless it gives that up
                val prefix = if (isRoot) listOf("setpriv", "--bounding-set=-dac_override,-dac_read_search") else emptyList()
                shouldAnswerWithout(file, "ledger.db", prefix = prefix)
            } finally {
                place.toFile().setWritable(true)
                file.toFile().setWritable(true)
            }
            SqlLedger(DatabaseUrl.of(file)).use { it.calls() shouldBe 1 }
        }
    }

    test("fault 200: a folder that is removed while the ledger is open is made again, and later rows are in it") {
        val place = folder.resolve("removed")
        SqlLedger(DatabaseUrl.of(place.resolve("ledger.db"))).use { ledger ->
            ledger.add(Random(1).ledgerRow(1))
            ledger.flush()
            ledger.calls() shouldBe 1
            place.toFile().deleteRecursively()
            repeat(3) { ledger.add(Random(it).ledgerRow(it)) }
            ledger.flush()
            ledger.problem.shouldBeNull()
            ledger.calls() shouldBe 3
            SqlLedger(DatabaseUrl.of(place.resolve("ledger.db"))).use { it.calls() shouldBe 3 }
            ledger.add(Random(4).ledgerRow(4))
            ledger.flush()
            ledger.calls() shouldBe 4
        }
    }

    test("fault 200: a file that cannot be made is told once, rows are kept, and they are written when it can be made") {
        val parent = folder.resolve("later")
        Files.createFile(parent) // where the folder should be
        val told = mutableListOf<String>()
        SqlLedger(DatabaseUrl.of(parent.resolve("ledger.db"))) { synchronized(told) { told += it } }.use { ledger ->
            repeat(3) { ledger.add(Random(it).ledgerRow(it)) }
            ledger.flush()
            ledger.problem shouldContain "3 calls are not in the ledger"
            ledger.untold() shouldContain "cannot be made"
            ledger.untold() shouldBe null
            Files.delete(parent)
            ledger.untilWritten()
            ledger.calls() shouldBe 3
        }
        synchronized(told) { told shouldHaveSize 1 }
    }
})

/** Each is a JVM of its own; `LedgerSoak` kills a thousand. */
private const val KILLS = 20
