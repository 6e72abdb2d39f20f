package dev.unifiedllm.store

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.chat.Usd
import java.math.BigDecimal
import java.math.RoundingMode
import java.time.Instant
import java.time.ZoneId
import java.util.Locale

/** The report of [facts], grouped by [by]. */
internal fun costReport(facts: ReportFacts, by: By, period: ReportPeriod): CostReport = CostReport(by, facts.rows(by), period, facts, FromKotlin.CALL)

/** The report of rows of any time. Days begin at midnight in [zone]. */
internal fun costReport(ledger: List<LedgerRow>, by: By, zone: ZoneId): CostReport =
    costReport(MemoryFacts(ledger, zone), by, ReportPeriod(null, null, Instant.now(), zone, "these calls"))

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

internal fun average(sum: Usd, count: Int): Usd = Usd.of(sum.amount.divide(BigDecimal(count), AVERAGE_DIGITS, RoundingMode.HALF_UP).stripTrailingZeros())

/** Sums, then a block by provider and one by model, each sorted by cost. */
internal fun summary(title: String, facts: ReportFacts): String = buildString {
    val models = facts.rows(By.MODEL).filterNot { it.isDemo }
    val known = models.filter { it.cost != null }
    val total = known.fold(Usd.ZERO) { sum, row -> sum + row.cost!! }
    val priced = models.sumOf { it.calls - it.unknownCosts }
    val unknown = models.sumOf { it.unknownCosts }
    appendLine(title)
    appendLine("Total cost: ${sixDigits(total)}" + if (unknown == 0) "" else " (without $unknown unpriced ${if (unknown == 1) "call" else "calls"})")
    appendLine("Total tokens: ${thousands(models.sumOf { it.inputTokens + it.outputTokens })}")
    append("Average cost per call: ${if (priced == 0) "n/a" else sixDigits(average(total, priced))}")
    block("By provider", facts.rows(By.PROVIDER)) { "${it.name}: ${cost(it)}" }
    block("By model", models) { row ->
        val each = row.averageCost?.let { ", ${sixDigits(it)} per call" }.orEmpty()
        "${row.name}: ${cost(row)} (${thousands(row.calls.toLong())} ${if (row.calls == 1) "call" else "calls"}$each)"
    }
}

private fun StringBuilder.block(title: String, rows: List<CostRow>, line: (CostRow) -> String) {
    val shown = rows.filterNot { it.isDemo }.ifEmpty { return }
    append("\n\n$title:")
    for (row in shown) append("\n  ").append(line(row))
}

private fun cost(row: CostRow): String = when {
    row.isFree -> row.costText
    row.cost == null -> "n/a"
    row.unknownCosts == 0 -> sixDigits(row.cost)
    else -> "${sixDigits(row.cost)} + ${row.unknownCosts} unpriced"
}

private fun sixDigits(amount: Usd): String = "$" + String.format(Locale.ROOT, "%,.6f", amount.amount)

private const val AVERAGE_DIGITS = 12
