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
    /** What else is kept in a ledger that lasts. */
    val origin: Origin = Origin.UNKNOWN,
    /** True for a response from a cache of the library: [cost] is zero, and [usage] is that of the response that was kept. */
    val isCached: Boolean = false,
    /** What a response from the cache would have cost; null if it is not known. */
    val saved: Usd? = null,
) {
    val session: String? get() = origin.session

    /**
     * Where a row comes from. Null: not known.
     *
     * @property client a client of the process @property session when the process began, and a few letters of its own
     * @property notebook the name of its file @property tool the tool whose function made the call
     * @property asked the model as the call names it @property answered the model as the response names it
     * @property requestId the provider's id of the request @property error the type of the failure @property httpStatus of the response
     * @property attempt the number of the attempt in its call, from 1
     */
    class Origin(
        val client: String? = null,
        val session: String? = null,
        val notebook: String? = null,
        val tool: String? = null,
        val asked: String? = null,
        val answered: String? = null,
        val requestId: String? = null,
        val error: String? = null,
        val httpStatus: Int? = null,
        val attempt: Int? = null,
        val isStreamed: Boolean? = null,
    ) {
        companion object {
            val UNKNOWN = Origin()
        }
    }

    enum class Status { DONE, FAILED, CANCELLED }

    /** True for demo models, whose costs are made up and not part of any total. */
    val isDemo: Boolean get() = model.provider == DEMO

    fun with(cost: Cost?, saved: Usd?): LedgerRow =
        LedgerRow(callId, model, startedAt, status, usage, cost, latency, timeToFirstToken, task, tags, isLocal, cell, origin, isCached, saved)

    companion object {
        const val DEMO: String = "demo"
    }
}

/** Stores one row for each attempt. Thread-safe; adding a row does not block. */
internal interface Ledger {
    fun add(row: LedgerRow)
}

/** A ledger that has the calls of all clients that name it, of other processes, too. */
internal interface LastingLedger : Ledger {
    /** Where it is, as in a path; has no password. */
    val place: String

    /** Why rows are not written, and what to do; null while all are. */
    val problem: String?

    /** The budgets that are kept beside the rows. */
    val budgets: BudgetStore

    /** [problem] for the first who asks about it; null then. */
    fun untold(): String?

    /** The rows that began since [from]; null: all. @throws StoreException if they cannot be read */
    fun facts(from: Instant?, zone: ZoneId): ReportFacts

    /** Waits until the rows that were added are written, for a few seconds at most. */
    fun flush()
}

/**
 * Keeps the latest rows in memory, at most [capacity].
 *
 * @property lasting gets each row as well, and has the rows of reports of some days; null for none
 * @param session gets each row as well; null for none
 * @param runningCell the number of the cell that runs in the notebook of the session; null if none does
 */
internal class MemoryLedger(
    private val session: MemoryLedger? = null,
    private val capacity: Int = DEFAULT_CAPACITY,
    @Volatile var lasting: LastingLedger? = null,
    private val runningCell: () -> Int? = { session?.cell },
) : Ledger {
    private val rows = ArrayDeque<LedgerRow>()
    private var isCut = false
    private var sum = Usd.ZERO

    /** The sum of the known costs of all rows, also of those that are not kept any more; without demo models. */
    val total: Usd get() = synchronized(rows) { sum }

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
            if (!row.isDemo) row.cost?.usd()?.let { sum += it }
        }
        session?.add(row)
        lasting?.add(row)
    }

    /** A copy of all rows, oldest first. */
    fun rows(): List<LedgerRow> = synchronized(rows) { rows.toList() }

    /**
     * The report of the rows that began in the last [days] times 24 hours: those of [lasting], if there is one and it can be read.
     *
     * @param days null for all rows that are in memory
     * @param whose whose calls are in memory, for the title of the report
     */
    fun report(by: By, days: Int?, whose: String, lasting: LastingLedger? = this.lasting): CostReport =
        select(days, whose, lasting) { facts, period -> costReport(facts, by, period) }

    /** The tokens of the rows that [report] takes. */
    fun usage(days: Int?, whose: String, lasting: LastingLedger? = this.lasting): UsageReport = select(days, whose, lasting, ::usageReport)

    private fun <T> select(days: Int?, whose: String, lasting: LastingLedger?, report: (ReportFacts, ReportPeriod) -> T): T {
        require(days == null || days > 0) { "days must be positive, was $days" }
        val now = Instant.now()
        val from = days?.let { now.minus(it.toLong(), ChronoUnit.DAYS) }
        val zone = ZoneId.systemDefault()
        var unread: String? = null
        if (from != null && lasting != null) {
            try {
                lasting.flush()
                val facts = lasting.facts(from, zone)
                val whole = "all calls in ${lasting.place}"
                return report(facts, ReportPeriod(days, from, now, zone, whole, ledger = lasting.place, problem = lasting.problem))
            } catch (failure: StoreException) {
                unread = failure.message.orEmpty()
            }
        }
        val (all, isCut) = synchronized(rows) { rows.toList() to isCut }
        val isIncomplete = isCut && (from == null || all.first().startedAt >= from)
        val those = whose + unread?.let { " (not of other processes: ${it.trimEnd('.')})" }.orEmpty()
        val unwritten = lasting?.problem
        val kept = all.size.takeIf { isIncomplete }
        val period = ReportPeriod(days, from, now, zone, those, kept, null, unwritten ?: unread, isUnread = unread != null && unwritten == null)
        return report(MemoryFacts(all.filter { from == null || it.startedAt >= from }, zone), period)
    }

    private companion object {
        const val DEFAULT_CAPACITY = 100_000
    }
}
