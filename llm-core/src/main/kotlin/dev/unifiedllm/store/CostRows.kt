package dev.unifiedllm.store

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import java.time.Instant
import java.time.ZoneId

/** The report of the rows of [ledger], grouped by [by]. Days begin at midnight in the zone of [period]. */
internal fun costReport(ledger: List<LedgerRow>, by: By, period: ReportPeriod): CostReport {
    val groups = ledger.groupBy { groupName(it, by, period) to it.isDemo }
    val order = if (by == By.DAY || by == By.CELL) {
        compareBy<Pair<CostRow, LedgerRow>> { it.second.startedAt }
    } else {
        compareByDescending<Pair<CostRow, LedgerRow>> { it.first.cost ?: Usd.ZERO }.thenBy { it.first.name }
    }
    val rows = groups.map { (key, group) -> row(key.first, key.second, group) to group.minBy { it.startedAt } }
        .sortedWith(compareBy<Pair<CostRow, LedgerRow>> { it.first.isDemo }.then(order))
    return CostReport(by, rows.map { it.first }, period, ledger, FromKotlin.CALL)
}

/** The report of rows of any time. */
internal fun costReport(ledger: List<LedgerRow>, by: By, zone: ZoneId): CostReport =
    costReport(ledger, by, ReportPeriod(null, null, Instant.now(), zone, "these calls"))

private fun groupName(row: LedgerRow, by: By, period: ReportPeriod): String = when (by) {
    By.MODEL -> row.model.toString()
    By.PROVIDER -> row.model.provider
    By.DAY -> row.startedAt.atZone(period.zone).toLocalDate().toString()
    By.TASK -> row.task ?: NONE
    By.CELL -> row.cell?.let { "[$it]" } ?: NONE
}

internal fun unpricedCalls(ledger: List<LedgerRow>): List<UnpricedCalls> = ledger.filterNot { it.isDemo }
    .mapNotNull { row -> (row.cost as? Cost.Unknown)?.let { row.model.toString() to it.why } }
    .groupingBy { it }
    .eachCount()
    .map { (key, count) -> UnpricedCalls(key.first, count, key.second) }
    .sortedWith(compareByDescending<UnpricedCalls> { it.calls }.thenBy { it.model }.thenBy { it.why })

/**
 * A sum of costs as a short text: `$0.0123`, `$0.06 + 2 unpriced`, `$ n/a`.
 *
 * @param known the sum of the known costs; null if none is known
 * @param unpriced how many calls it does not include
 */
@InternalLlmApi
@JvmSynthetic
public fun amountText(known: Usd?, unpriced: Int): String = when {
    known == null -> "$ n/a"
    unpriced == 0 -> known.toDisplayString()
    else -> "${known.toDisplayString()} + ${thousands(unpriced.toLong())} unpriced"
}

/** What stands in place of an amount where nobody bills. */
@InternalLlmApi
@JvmSynthetic
public fun freeText(isLocal: Boolean): String = if (isLocal) "free (local)" else "free"

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
internal fun reported(group: List<LedgerRow>): List<Usage> = group.filter { it.status == LedgerRow.Status.DONE }.mapNotNull { it.usage }

private const val NONE = "(none)"
