package dev.unifiedllm.store

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Usd
import java.time.Instant
import java.time.ZoneId

/**
 * How a [CostReport] groups calls into rows. [CELL] is the cell of a notebook that ran when the call started, [SESSION] the process that made it. With [TAG] a
 * call with several tags counts in the row of each; the total counts it once.
 */
public enum class By { MODEL, PROVIDER, DAY, TASK, CELL, TAG, SESSION }

/**
 * The calls of one model, provider, day, task or cell. Each attempt counts as a call: a retry or a fallback is one more.
 *
 * @property calls all calls, including those that failed or were cancelled
 * @property failed the calls that failed
 * @property cancelled the calls that were cancelled
 * @property inputTokens the sum of the reported tokens, as in the other counters
 * @property cost the sum of the known costs; zero if nothing was billed, null if there are costs and none is known
 * @property unknownCosts the number of calls whose cost is unknown; [cost] does not include them
 * @property isFree true if nobody bills for the responses
 * @property isDemo true for demo models, whose costs are made up and not part of any total
 * @property isLocal true if [isFree], and all responses came from servers on this machine
 * @property cached the responses that came from a cache of the library; their cost is zero, and their tokens are not counted
 * @property saved what the responses from the cache would have cost, as far as it is known
 */
public data class CostRow @JvmOverloads constructor(
    @get:JvmName("name") public val name: String,
    @get:JvmName("calls") public val calls: Int,
    @get:JvmName("failed") public val failed: Int,
    @get:JvmName("cancelled") public val cancelled: Int,
    @get:JvmName("inputTokens") public val inputTokens: Long,
    @get:JvmName("cacheReadTokens") public val cacheReadTokens: Long,
    @get:JvmName("outputTokens") public val outputTokens: Long,
    @get:JvmName("cost") public val cost: Usd?,
    @get:JvmName("unknownCosts") public val unknownCosts: Int,
    @get:JvmName("isFree") public val isFree: Boolean,
    @get:JvmName("isDemo") public val isDemo: Boolean,
    @get:JvmName("isLocal") public val isLocal: Boolean = false,
    @get:JvmName("cached") public val cached: Int = 0,
    @get:JvmName("saved") public val saved: Usd = Usd.ZERO,
) {
    /** The known cost of a call on average; null if no cost is known. Calls whose cost is unknown do not count. */
    @get:JvmName("averageCost")
    public val averageCost: Usd? get() = cost?.takeIf { calls > unknownCosts }?.let { average(it, calls - unknownCosts) }

    /** The share of calls that did not fail, from 0 to 1; those that were cancelled do not count. Null if all were cancelled. */
    @get:JvmName("successRate")
    public val successRate: Double? get() = if (calls == cancelled) null else (calls - cancelled - failed).toDouble() / (calls - cancelled)

    /** The cost as a short text: `$0.0123`, `$0.06 + 2 unpriced`, `$ n/a` if it is unknown, `free`, or `free (local)`. */
    @get:JvmName("costText")
    public val costText: String get() = if (isFree) freeText(isLocal) else amountText(cost, unknownCosts)
}

/**
 * Calls whose cost is not known.
 *
 * @property model "provider/model"
 * @property why what is missing: the price, with how to set one where that helps, or the tokens
 */
public data class UnpricedCalls(
    @get:JvmName("model") public val model: String,
    @get:JvmName("calls") public val calls: Int,
    @get:JvmName("why") public val why: String,
)

/**
 * The costs of calls: a list of rows. The most expensive row is first, those of days and cells are in the order of time; demo models are last.
 *
 * It is a copy: calls that end later are not in it.
 */
public class CostReport internal constructor(
    @get:JvmName("by") public val by: By,
    private val rows: List<CostRow>,
    private val period: ReportPeriod,
    private val facts: ReportFacts,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
    readBudgets: () -> List<BudgetStatus> = { emptyList() },
) : List<CostRow> by rows {
    /** Only calls that began in the last so many times 24 hours are in the report; null: all that are known. */
    @get:JvmName("days")
    public val days: Int? get() = period.days

    /** Whose calls these are, of which time, and how they are grouped, as in `Costs of the last 7 days of this session, by model`. */
    @get:JvmName("title")
    public val title: String get() = "Costs of $period, by ${by.name.lowercase()}"

    /** The place of the ledger that the rows are from, as in a path: it has the calls of all processes that use it. Null: from the memory of this process. */
    @get:JvmName("ledger")
    public val ledger: String? get() = period.ledger

    /** Why the ledger of this client does not have all calls, or cannot be read, and what to do; null if it has them, and if there is none. */
    @get:JvmName("ledgerProblem")
    public val ledgerProblem: String? get() = period.problem

    /** True if [ledgerProblem] is that the ledger cannot be read: the rows are those of this process. False if calls could not be written. */
    @InternalLlmApi
    @get:JvmSynthetic
    public val isLedgerUnread: Boolean get() = period.isUnread

    /**
     * The budgets of the client, as they are when this is read first. Blocks while their place is asked.
     *
     * @throws dev.unifiedllm.LlmException.Network if the place of one cannot be used
     */
    @InternalLlmApi
    @get:JvmSynthetic
    public val budgets: List<BudgetStatus> by lazy(readBudgets)

    /** This report with the budgets that [read] gives. */
    @JvmSynthetic
    internal fun with(read: () -> List<BudgetStatus>): CostReport = CostReport(by, rows, period, facts, FromKotlin.CALL, read)

    /** The sum of all known costs, without demo models. */
    @get:JvmName("total")
    public val total: Usd = once(by, rows, facts).filterNot { it.isDemo }.mapNotNull { it.cost }.fold(Usd.ZERO, Usd::plus)

    /** The sum of the made-up costs of demo models. */
    @get:JvmName("demoTotal")
    public val demoTotal: Usd = once(by, rows, facts).filter { it.isDemo }.mapNotNull { it.cost }.fold(Usd.ZERO, Usd::plus)

    /** The number of calls whose cost is unknown; [total] does not include them. */
    @get:JvmName("unknownCosts")
    public val unknownCosts: Int = once(by, rows, facts).filterNot { it.isDemo }.sumOf { it.unknownCosts }

    /** The calls whose cost is unknown, by model and reason, those with the most calls first. */
    @get:JvmName("unpriced")
    public val unpriced: List<UnpricedCalls> get() = read { facts.unpriced() }

    /** The report as a text table. The column `cancelled` is left out if no call was cancelled. */
    override fun toString(): String {
        if (rows.isEmpty()) return "$title: no calls yet."
        val columns = columns()
        val lines = listOf(columns.map { it.title }) + rows.map { row -> columns.map { it.cell(row) } }
        val widths = columns.indices.map { column -> lines.maxOf { it[column].length } }
        fun line(cells: List<String>) = cells.mapIndexed { column, cell ->
            if (column == 0) cell.padEnd(widths[0]) else cell.padStart(widths[column])
        }.joinToString("  ")
        return buildString {
            appendLine(title)
            lines.forEach { appendLine(line(it)) }
            append("total ").append(totalText())
            val all = once(by, rows, facts)
            val cached = all.sumOf { it.cached }
            if (cached > 0) append("; $cached from a cache, ").append(all.mapNotNull { it.saved }.fold(Usd.ZERO, Usd::plus).toDisplayString()).append(" saved")
            if (rows.any { it.isDemo }) append("; demo models, not in the total: ").append(demoTotal.toDisplayString())
        }
    }

    private fun columns(): List<Column> = listOfNotNull(
        Column(by.name.lowercase()) { if (it.isDemo) "${it.name} (demo)" else it.name },
        Column("calls") { "${it.calls}" },
        Column("failed") { "${it.failed}" },
        Column("cancelled") { row: CostRow -> "${row.cancelled}" }.takeIf { rows.any { it.cancelled > 0 } },
        Column("in") { thousands(it.inputTokens) },
        Column("cached") { thousands(it.cacheReadTokens) },
        Column("out") { thousands(it.outputTokens) },
        Column("cost") { it.costText },
    )

    /** The total as a short text, as [CostRow.costText]: `$1.20 + 2 unpriced`. */
    public fun totalText(): String {
        val real = rows.filterNot { it.isDemo }
        if (real.isNotEmpty() && real.all { it.isFree }) return freeText(real.all { it.isLocal })
        return amountText(total.takeUnless { real.isNotEmpty() && real.all { it.cost == null } }, unknownCosts)
    }

    /** What was spent over time, by model, in parts of a minute up to a day; of a day if the report is by day. */
    public fun timeline(): Timeline = timeline(read { facts.spent() }, period, if (by == By.DAY) DAY else null)

    /** How long the complete responses of each row took, in the order of the rows. Rows without any are left out. */
    public fun times(): List<CallTimes> = read { facts.times(by) }

    /** The costs in sum, by provider and by model, as a text for a terminal. Demo models are not in it. */
    public fun summary(): String = read { summary(title.substringBeforeLast(", by "), facts) }

    /**
     * The rows as comma-separated values (RFC 4180), with a line of column names. Amounts are exact US dollars; that of an unknown cost is empty.
     *
     * A name that a spreadsheet would take for a formula begins with an apostrophe.
     */
    public fun toCsv(): String = csv(by, rows)

    /** The report as a JSON object. Amounts are exact US dollars as numbers; that of an unknown cost is null. */
    public fun toJson(): String = json(this)
}

/**
 * The time and the ledger of a report.
 *
 * @property days null for all rows
 * @property whose whose calls are in the ledger, as in `this session`
 * @property kept how many rows the ledger has, if it has dropped older ones of this time; else null
 * @property ledger the place of the rows; null if they are in memory
 * @property problem why rows are not in the ledger that lasts, or why it cannot be read
 * @property isUnread true if it cannot be read, and nothing else is known to be wrong
 */
internal class ReportPeriod(
    val days: Int?,
    val from: Instant?,
    val until: Instant,
    val zone: ZoneId,
    private val whose: String,
    private val kept: Int? = null,
    val ledger: String? = null,
    val problem: String? = null,
    val isUnread: Boolean = false,
) {
    override fun toString(): String = when {
        kept != null -> "the latest ${thousands(kept.toLong())} calls of $whose"
        days == null -> whose
        days == 1 -> "the last day of $whose"
        else -> "the last $days days of $whose"
    }
}

/** Runs a query that comes after the report. @throws LlmException.Network if the ledger cannot be read any more */
private inline fun <T> read(query: () -> T): T = try {
    query()
} catch (failure: StoreException) {
    throw LlmException.Network("The costs cannot be read: ${failure.message}", LlmException.Network.Phase.CONNECT, failure)
}

/** The rows of which the sum has each call once. */
private fun once(by: By, rows: List<CostRow>, facts: ReportFacts): List<CostRow> = if (by == By.TAG) facts.rows(By.MODEL) else rows

private class Column(val title: String, val cell: (CostRow) -> String)

internal fun thousands(count: Long): String = "%,d".format(java.util.Locale.ROOT, count)
