package dev.unifiedllm.store.sql

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.store.BudgetStore
import dev.unifiedllm.store.LastingLedger
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.ReportFacts
import dev.unifiedllm.store.StoreException
import java.time.Instant
import java.time.ZoneId
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicReference
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.thread
import kotlin.concurrent.withLock

/**
 * A ledger in a database, which processes share. A thread of its own writes; it opens the database for the first row. Rows that could not be written are kept
 * in memory and tried again, up to [CAPACITY].
 *
 * @param tell gets each new problem once
 */
internal class SqlLedger(private val url: DatabaseUrl, private val tell: (String) -> Unit = System.err::println) :
    LastingLedger,
    AutoCloseable {
    override val place: String get() = url.address
    override val budgets: BudgetStore = SqlBudgetStore { database.value }
    private val lock = ReentrantLock()
    private val changed = lock.newCondition()
    private var waiting = ArrayList<LedgerRow>()
    private var unwritten = 0
    private var dropped = 0L
    private var writer: Thread? = null
    private var isClosed = false
    private val database = lazy { Database.open(url).also { it.migrate("ledger", LedgerTable.MIGRATIONS) } }

    @Volatile
    private var failure: String? = null

    private val told = AtomicReference<String?>()

    override fun untold(): String? = failure?.takeIf { told.getAndSet(it) != it }?.let { problem }

    override val problem: String?
        get() = failure?.let { why ->
            val (kept, lost) = lock.withLock { unwritten to dropped }
            "$kept calls are not in the ledger $place yet" + (if (lost == 0L) "" else ", and $lost never will be") + ": $why"
        }

    override fun add(row: LedgerRow): Unit = lock.withLock {
        if (unwritten >= CAPACITY) {
            dropped++
            return
        }
        waiting.add(storable(row))
        unwritten++
        if (writer == null && !isClosed) writer = thread(name = "unified-llm-ledger", isDaemon = true) { write() }
        if (waiting.size == 1) changed.signalAll()
    }

    /** What a server makes up is not stored. */
    private fun storable(row: LedgerRow): LedgerRow {
        val fits = row.saved?.let(LedgerTable::fits) != false
        val amount = (row.cost as? Cost.Known)?.amount?.takeUnless(LedgerTable::fits)
        if (amount == null && fits) return row
        val cost = if (amount == null) row.cost else Cost.Unknown("the reported cost of $amount is too high to be true")
        return row.with(cost, row.saved.takeIf { fits })
    }

    private fun write() {
        var failures = 0
        var isLastTry = false
        while (true) {
            val rows = take(if (failures == 0) 0 else PAUSE_MILLIS shl (failures - 1).coerceAtMost(MAX_SHIFT), isLastTry) ?: return
            isLastTry = lock.withLock { isClosed }
            try {
                write(rows)
                failures = 0
                failure = null
            } catch (failed: StoreException) {
                failures++
                failed(failed.message.orEmpty())
            } catch (broken: RuntimeException) { // of a driver
                failures++
                failed("$place cannot be used: $broken")
            } catch (absent: LlmException.Configuration) {
                failed(absent.message.orEmpty())
                return
            }
        }
    }

    /** What cannot be written waits again. */
    private fun write(rows: List<LedgerRow>) {
        var done = 0
        try {
            for (batch in rows.chunked(BATCH)) {
                database.value.write { LedgerTable.insert(it, batch) }
                done += batch.size
                written(batch.size)
            }
        } finally {
            if (done < rows.size) giveBack(rows.drop(done))
        }
    }

    /** @return null when the ledger is closed and all is written, or could not be written once more */
    private fun take(pause: Long, hasTriedLast: Boolean): List<LedgerRow>? = lock.withLock {
        if (pause > 0 && !isClosed) changed.await(pause, TimeUnit.MILLISECONDS)
        while (waiting.isEmpty() && !isClosed) changed.await()
        if (waiting.isEmpty() || (isClosed && pause > 0 && hasTriedLast)) {
            changed.signalAll()
            return null
        }
        waiting.also { waiting = ArrayList() }
    }

    private fun giveBack(rows: List<LedgerRow>): Unit = lock.withLock {
        waiting = ArrayList(rows + waiting)
    }

    private fun written(count: Int): Unit = lock.withLock {
        unwritten -= count
        if (unwritten == 0) changed.signalAll()
    }

    private fun failed(why: String) {
        val isNew = failure != why
        failure = why
        lock.withLock { changed.signalAll() }
        if (isNew) tell("unified-llm: ${problem ?: why} Costs of this process are still counted in memory.")
    }

    override fun flush(): Unit = flush(System.nanoTime() + FLUSH_NANOS)

    private fun flush(until: Long): Unit = lock.withLock {
        while (unwritten > 0 && failure == null) {
            val left = (until - System.nanoTime()) / NANOS_IN_MILLI
            if (left <= 0) return
            changed.await(left, TimeUnit.MILLISECONDS)
        }
    }

    override fun facts(from: Instant?, zone: ZoneId): ReportFacts {
        val open = try {
            database.value
        } catch (absent: LlmException.Configuration) {
            throw StoreException(absent.message.orEmpty(), absent)
        }
        return SqlFacts(open, from, open.read { connection -> connection.query("SELECT MAX(id) FROM ledger") { it.getLong(1) }.single() }, zone)
    }

    /** Writes what is left, for five seconds at most: the end of a process does not wait for a server that hangs. */
    override fun close() {
        val until = System.nanoTime() + FLUSH_NANOS
        flush(until)
        val running = lock.withLock {
            isClosed = true
            changed.signalAll()
            writer
        }
        running?.join(maxOf(1, (until - System.nanoTime()) / NANOS_IN_MILLI))
        val left = lock.withLock { unwritten }
        if (left > 0) tell("unified-llm: $left calls are not in the ledger $place, and are lost: ${failure ?: "it did not take them in five seconds."}")
        if (database.isInitialized() && running?.isAlive != true) database.value.close()
    }

    companion object {
        /** The most rows that wait to be written. */
        const val CAPACITY: Int = 200_000
        private const val BATCH = 2_000
        private const val PAUSE_MILLIS = 250L
        private const val MAX_SHIFT = 6
        private const val FLUSH_NANOS = 5_000_000_000L
        private const val NANOS_IN_MILLI = 1_000_000L

        private val open = ConcurrentHashMap<String, SqlLedger>()

        /** The ledger at [url], one for all clients of the process; it is written to the end when the process ends. */
        fun at(url: DatabaseUrl): SqlLedger = open.computeIfAbsent(url.identity) {
            SqlLedger(url).also { ledger -> Runtime.getRuntime().addShutdownHook(Thread(ledger::close, "unified-llm-ledger-end")) }
        }
    }
}
