package dev.unifiedllm.store

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import java.time.Instant
import java.time.ZoneId
import java.time.temporal.ChronoUnit
import kotlin.time.Duration

/** One attempt at a model and how it ended. */
internal class LedgerRow(
    val callId: String?,
    val model: ModelId,
    val startedAt: Instant,
    val status: Status,
    /** Estimated if the response was cut; null if none had begun, or if the provider did not report it. */
    val usage: Usage?,
    /** Null if the attempt ended before anything could be billed. */
    val cost: Cost?,
    val latency: Duration,
    val timeToFirstToken: Duration?,
    val task: String?,
    val tags: List<String>,
    /** True if the model runs on this machine: the host of its base URL is a loopback address. Known where [cost] is free. */
    val isLocal: Boolean = false,
    /** The number of the cell of a notebook that ran when the call started; null for none. */
    val cell: Int? = null,
) {
    enum class Status { DONE, FAILED, CANCELLED }

    /** True for demo models, whose costs are made up and not part of any total. */
    val isDemo: Boolean get() = model.provider == DEMO

    companion object {
        const val DEMO: String = "demo"
    }
}

/** Stores one row for each attempt. Thread-safe. */
internal interface Ledger {
    fun add(row: LedgerRow)

    /** A copy of all rows, oldest first. */
    fun rows(): List<LedgerRow>
}

/**
 * Keeps the latest rows in memory, at most [capacity].
 *
 * @param session gets each row as well; null for none
 * @param runningCell the number of the cell that runs in the notebook of the session; null if none does
 */
internal class MemoryLedger(
    private val session: MemoryLedger? = null,
    private val capacity: Int = DEFAULT_CAPACITY,
    private val runningCell: () -> Int? = { session?.cell },
) : Ledger {
    private val rows = ArrayDeque<LedgerRow>()
    private var isCut = false

    /** The number of the cell that runs in the notebook of the session; null if none does. No call fails because a notebook cannot tell. */
    val cell: Int?
        get() = try {
            runningCell()
        } catch (_: RuntimeException) {
            null
        } catch (_: LinkageError) { // a kernel with another API
            null
        }

    override fun add(row: LedgerRow) {
        synchronized(rows) {
            if (rows.size == capacity) {
                rows.removeFirst()
                isCut = true
            }
            rows.addLast(row)
        }
        session?.add(row)
    }

    override fun rows(): List<LedgerRow> = synchronized(rows) { rows.toList() }

    /**
     * The report of the rows that began in the last [days] times 24 hours.
     *
     * @param days null for all rows
     * @param whose whose calls are in this ledger, for the title of the report
     */
    fun report(by: By, days: Int?, whose: String): CostReport = select(days, whose) { rows, period -> costReport(rows, by, period) }

    /** The tokens of the rows that [report] takes. */
    fun usage(days: Int?, whose: String): UsageReport = select(days, whose, ::usageReport)

    private fun <T> select(days: Int?, whose: String, report: (List<LedgerRow>, ReportPeriod) -> T): T {
        require(days == null || days > 0) { "days must be positive, was $days" }
        val now = Instant.now()
        val from = days?.let { now.minus(it.toLong(), ChronoUnit.DAYS) }
        val (all, isCut) = synchronized(rows) { rows.toList() to isCut }
        val isIncomplete = isCut && (from == null || all.first().startedAt >= from)
        val period = ReportPeriod(days, from, now, ZoneId.systemDefault(), whose, all.size.takeIf { isIncomplete })
        return report(all.filter { from == null || it.startedAt >= from }, period)
    }

    private companion object {
        const val DEFAULT_CAPACITY = 100_000
    }
}

/** The sum of all known costs, without demo models. */
internal fun Ledger.total(): Usd = rows().filterNot(LedgerRow::isDemo).mapNotNull { it.cost?.usd() }.fold(Usd.ZERO, Usd::plus)
