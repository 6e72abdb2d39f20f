package dev.unifiedllm.store

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usd
import java.time.ZoneId

/** What the rows of a [CostReport] stand for. */
public enum class By { MODEL, PROVIDER, DAY, TASK }

/**
 * The calls of one model, provider, day or task.
 *
 * @property calls attempts that were made, the failed and cancelled ones included
 * @property failed attempts that failed
 * @property cancelled attempts that were cancelled
 * @property inputTokens as far as they were reported
 * @property cost the sum of all known costs; null if there were costs and none is known
 * @property unknownCosts the number of responses whose cost is unknown: [cost] does not include them
 * @property isFree true if all responses came from machines of the user's
 * @property isDemo true for demo models, whose costs are made up and never part of a total
 */
public data class CostRow(
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
)

/** The costs of calls: a list of rows, the most expensive first, those of demo models last. */
public class CostReport internal constructor(
    @get:JvmName("by") public val by: By,
    private val rows: List<CostRow>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : List<CostRow> by rows {
    /** The sum of all known costs, without those of demo models. */
    @get:JvmName("total")
    public val total: Usd = rows.filterNot { it.isDemo }.mapNotNull { it.cost }.fold(Usd.ZERO, Usd::plus)

    /** The sum of the made-up costs of demo models. */
    @get:JvmName("demoTotal")
    public val demoTotal: Usd = rows.filter { it.isDemo }.mapNotNull { it.cost }.fold(Usd.ZERO, Usd::plus)

    /** The number of responses whose cost is unknown: [total] does not include them. */
    @get:JvmName("unknownCosts")
    public val unknownCosts: Int = rows.filterNot { it.isDemo }.sumOf { it.unknownCosts }

    /** A table for a terminal. */
    override fun toString(): String {
        if (rows.isEmpty()) return "No calls yet."
        val header = listOf(by.name.lowercase(), "calls", "failed", "cancelled", "in", "cached", "out", "cost")
        val lines = rows.map { row ->
            val marked = if (row.isDemo) "${row.name} (demo)" else row.name
            listOf(
                marked,
                "${row.calls}",
                "${row.failed}",
                "${row.cancelled}",
                thousands(row.inputTokens),
                thousands(row.cacheReadTokens),
                thousands(row.outputTokens),
                row.costText,
            )
        }
        val widths = header.indices.map { column -> (lines + listOf(header)).maxOf { it[column].length } }
        fun line(cells: List<String>) = cells.mapIndexed { column, cell ->
            if (column == 0) cell.padEnd(widths[0]) else cell.padStart(widths[column])
        }.joinToString("  ")
        return buildString {
            appendLine(line(header))
            lines.forEach { appendLine(line(it)) }
            append("total ").append(totalText())
            if (rows.any { it.isDemo }) append("; demo models, not in the total: ").append(demoTotal.toDisplayString())
        }
    }

    /** The total as a text, with the number of unknown costs. */
    public fun totalText(): String = total.toDisplayString() + if (unknownCosts == 0) "" else " and $unknownCosts of unknown cost"
}

/** The rows of [ledger] put together by [by]; days begin at midnight in [zone]. */
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

/** What failed before anything could be billed cost nothing. */
private fun cost(group: List<LedgerRow>): Usd? {
    val known = group.mapNotNull { it.cost?.usd() }
    return if (known.isEmpty() && group.any { it.cost != null }) null else known.fold(Usd.ZERO, Usd::plus)
}

private fun row(name: String, demo: Boolean, group: List<LedgerRow>) = CostRow(
    name = name,
    calls = group.size,
    failed = group.count { it.status == LedgerRow.Status.FAILED },
    cancelled = group.count { it.status == LedgerRow.Status.CANCELLED },
    inputTokens = group.sumOf { it.usage?.inputTokens ?: 0 },
    cacheReadTokens = group.sumOf { it.usage?.cacheReadTokens ?: 0 },
    outputTokens = group.sumOf { it.usage?.outputTokens ?: 0 },
    cost = cost(group),
    unknownCosts = group.count { it.cost is Cost.Unknown },
    isFree = group.all { it.cost == null || it.cost is Cost.Free } && group.any { it.cost is Cost.Free },
    isDemo = demo,
)

/** The cost as a short text: `$ n/a` if it is unknown, `local $0` if nothing is billed. */
@get:JvmName("costText")
public val CostRow.costText: String
    get() = when {
        isFree -> "local $0"
        cost == null -> "$ n/a"
        unknownCosts > 0 -> "${cost.toDisplayString()} + $unknownCosts n/a"
        else -> cost.toDisplayString()
    }

private fun thousands(count: Long) = "%,d".format(java.util.Locale.ROOT, count)
