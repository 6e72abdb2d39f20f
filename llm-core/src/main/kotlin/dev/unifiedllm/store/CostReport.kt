package dev.unifiedllm.store

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usd
import java.time.ZoneId

/** By what the rows of a [CostReport] are put together. */
public enum class By { MODEL, PROVIDER, DAY, TASK }

/**
 * The calls of one model, provider, day or task.
 *
 * @property calls attempts that were made, failed ones included
 * @property inputTokens as far as they were reported
 * @property cost the sum of all known costs
 * @property unknownCosts how many answers have no known cost: [cost] is too low by theirs
 * @property isFree true when all of it ran on machines of the user's
 * @property isDemo true for the demo models, whose prices are made up: never part of a total
 */
public data class CostRow(
    @get:JvmName("name") public val name: String,
    @get:JvmName("calls") public val calls: Int,
    @get:JvmName("failed") public val failed: Int,
    @get:JvmName("inputTokens") public val inputTokens: Long,
    @get:JvmName("cacheReadTokens") public val cacheReadTokens: Long,
    @get:JvmName("outputTokens") public val outputTokens: Long,
    @get:JvmName("cost") public val cost: Usd,
    @get:JvmName("unknownCosts") public val unknownCosts: Int,
    @get:JvmName("isFree") public val isFree: Boolean,
    @get:JvmName("isDemo") public val isDemo: Boolean,
)

/** What the calls of a client cost: a list of rows, the most expensive first, those of the demo models last. */
public class CostReport internal constructor(
    @get:JvmName("by") public val by: By,
    private val rows: List<CostRow>,
) : List<CostRow> by rows {
    /** The sum of all known costs, without the demo models. */
    @get:JvmName("total")
    public val total: Usd = rows.filterNot { it.isDemo }.fold(Usd.ZERO) { sum, row -> sum + row.cost }

    /** What the demo models would have cost at their made-up prices. */
    @get:JvmName("demoTotal")
    public val demoTotal: Usd = rows.filter { it.isDemo }.fold(Usd.ZERO) { sum, row -> sum + row.cost }

    /** How many answers have no known cost: [total] is too low by theirs. */
    @get:JvmName("unknownCosts")
    public val unknownCosts: Int = rows.filterNot { it.isDemo }.sumOf { it.unknownCosts }

    /** A table for a terminal. */
    override fun toString(): String {
        if (rows.isEmpty()) return "No calls yet."
        val header = listOf(by.name.lowercase(), "calls", "failed", "in", "cached", "out", "cost")
        val lines = rows.map { row ->
            val marked = if (row.isDemo) "${row.name} (demo)" else row.name
            listOf(
                marked,
                "${row.calls}",
                "${row.failed}",
                thousands(row.inputTokens),
                thousands(row.cacheReadTokens),
                thousands(row.outputTokens),
                row.costText(),
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

    /** The total, with what is missing from it. */
    public fun totalText(): String = total.toDisplayString() + if (unknownCosts == 0) "" else " and $unknownCosts of unknown cost"

    internal companion object {
        fun of(ledger: List<LedgerRow>, by: By, zone: ZoneId): CostReport {
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
            return CostReport(by, rows.sortedWith(compareBy<CostRow> { it.isDemo }.thenByDescending { it.cost }.thenBy { it.name }))
        }

        private fun row(name: String, demo: Boolean, group: List<LedgerRow>) = CostRow(
            name = name,
            calls = group.size,
            failed = group.count { it.status != LedgerRow.Status.DONE },
            inputTokens = group.sumOf { it.usage?.inputTokens ?: 0 },
            cacheReadTokens = group.sumOf { it.usage?.cacheReadTokens ?: 0 },
            outputTokens = group.sumOf { it.usage?.outputTokens ?: 0 },
            cost = group.mapNotNull { it.cost?.usd() }.fold(Usd.ZERO, Usd::plus),
            unknownCosts = group.count { it.cost is Cost.Unknown },
            isFree = group.all { it.cost == null || it.cost is Cost.Free } && group.any { it.cost is Cost.Free },
            isDemo = demo,
        )
    }
}

/** The cost for people: `n/a` where nothing is known of it, `local` where nothing is billed. */
public fun CostRow.costText(): String = when {
    isFree -> "local $0"
    unknownCosts > 0 && cost == Usd.ZERO -> "$ n/a"
    unknownCosts > 0 -> "${cost.toDisplayString()} + $unknownCosts n/a"
    else -> cost.toDisplayString()
}

private fun thousands(count: Long) = "%,d".format(java.util.Locale.ROOT, count)
