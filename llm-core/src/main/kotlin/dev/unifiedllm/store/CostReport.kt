package dev.unifiedllm.store

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import java.time.ZoneId

/** How a [CostReport] groups calls into rows. */
public enum class By { MODEL, PROVIDER, DAY, TASK }

/**
 * The calls of one model, provider, day or task. Each attempt counts as a call: a retry or a fallback is one more.
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
) {
    /** The cost as a short text: `$ n/a` if it is unknown, `local $0` if all responses came from servers on this machine, `free $0` if others are free. */
    @get:JvmName("costText")
    public val costText: String
        get() = when {
            isFree -> if (isLocal) "local $0" else "free $0"
            cost == null -> "$ n/a"
            unknownCosts > 0 -> "${cost.toDisplayString()} + $unknownCosts n/a"
            else -> cost.toDisplayString()
        }
}

/** The costs of calls: a list of rows, the most expensive first, demo models last. */
public class CostReport internal constructor(
    @get:JvmName("by") public val by: By,
    private val rows: List<CostRow>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : List<CostRow> by rows {
    /** The sum of all known costs, without demo models. */
    @get:JvmName("total")
    public val total: Usd = rows.filterNot { it.isDemo }.mapNotNull { it.cost }.fold(Usd.ZERO, Usd::plus)

    /** The sum of the made-up costs of demo models. */
    @get:JvmName("demoTotal")
    public val demoTotal: Usd = rows.filter { it.isDemo }.mapNotNull { it.cost }.fold(Usd.ZERO, Usd::plus)

    /** The number of calls whose cost is unknown; [total] does not include them. */
    @get:JvmName("unknownCosts")
    public val unknownCosts: Int = rows.filterNot { it.isDemo }.sumOf { it.unknownCosts }

    /** The report as a text table. The column `cancelled` is left out if no call was cancelled. */
    override fun toString(): String {
        if (rows.isEmpty()) return "No calls yet."
        val columns = columns()
        val lines = listOf(columns.map { it.title }) + rows.map { row -> columns.map { it.cell(row) } }
        val widths = columns.indices.map { column -> lines.maxOf { it[column].length } }
        fun line(cells: List<String>) = cells.mapIndexed { column, cell ->
            if (column == 0) cell.padEnd(widths[0]) else cell.padStart(widths[column])
        }.joinToString("  ")
        return buildString {
            lines.forEach { appendLine(line(it)) }
            append("total ").append(totalText())
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

    /** The total as a short text with the number of calls whose cost is unknown: `$1.20 + 2 calls of unknown cost`. */
    public fun totalText(): String = total.toDisplayString() + when (unknownCosts) {
        0 -> ""
        1 -> " + 1 call of unknown cost"
        else -> " + $unknownCosts calls of unknown cost"
    }
}

private class Column(val title: String, val cell: (CostRow) -> String)

/** The report of the rows of [ledger], grouped by [by]. Days begin at midnight in [zone]. */
internal fun costReport(ledger: List<LedgerRow>, by: By, zone: ZoneId): CostReport {
    val groups = ledger.groupBy { row ->
        val name = when (by) {
            By.MODEL -> row.model.toString()
            By.PROVIDER -> row.model.provider
            By.DAY -> row.startedAt.atZone(zone).toLocalDate().toString()
            By.TASK -> row.task ?: "(none)"
        }
        name to row.isDemo
    }
    val rows = groups.map { (key, group) -> row(key.first, key.second, group) }
    val sorted = rows.sortedWith(compareBy<CostRow> { it.isDemo }.thenByDescending { it.cost ?: Usd.ZERO }.thenBy { it.name })
    return CostReport(by, sorted, FromKotlin.CALL)
}

/** A row without a cost ended before anything could be billed. */
private fun cost(group: List<LedgerRow>): Usd? {
    val known = group.mapNotNull { it.cost?.usd() }
    return if (known.isEmpty() && group.any { it.cost != null }) null else known.fold(Usd.ZERO, Usd::plus)
}

private fun row(name: String, demo: Boolean, group: List<LedgerRow>, reported: List<Usage> = reported(group)) = CostRow(
    name = name,
    calls = group.size,
    failed = group.count { it.status == LedgerRow.Status.FAILED },
    cancelled = group.count { it.status == LedgerRow.Status.CANCELLED },
    inputTokens = reported.sumOf { it.inputTokens ?: 0 },
    cacheReadTokens = reported.sumOf { it.cacheReadTokens ?: 0 },
    outputTokens = reported.sumOf { it.outputTokens ?: 0 },
    cost = cost(group),
    unknownCosts = group.count { it.cost is Cost.Unknown },
    isFree = group.all { it.cost == null || it.cost is Cost.Free } && group.any { it.cost is Cost.Free },
    isDemo = demo,
    isLocal = group.all { it.cost == null || (it.cost is Cost.Free && it.isLocal) } && group.any { it.cost is Cost.Free },
)

/** The usage of complete responses: that of the others is an estimate. */
private fun reported(group: List<LedgerRow>) = group.filter { it.status == LedgerRow.Status.DONE }.mapNotNull { it.usage }

private fun thousands(count: Long) = "%,d".format(java.util.Locale.ROOT, count)
