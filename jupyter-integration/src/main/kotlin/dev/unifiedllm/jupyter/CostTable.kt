package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.CostRow
import java.math.MathContext
import java.util.Locale

/** Renders [report] as a table, with a line for each budget of its client. Demo models are below the total, which does not include them. */
internal fun costTable(report: CostReport): Rendered {
    val budgets = budgetLines(report)
    if (report.isEmpty()) {
        val text = listOfNotNull("$report", problemText(report)) + budgets
        return tableOutput(note("$report"), problem(report), notes(budgets), text = text.joinToString("\n"))
    }
    val (demo, real) = report.partition { it.isDemo }
    val columns = columns(report)
    val heads = columns.map { it.first }
    val cells = { row: CostRow, total: Usd -> TableRow(columns.map { it.second(row, total) }, row.isDemo) }
    val foot = if (real.isEmpty()) emptyList() else listOf(total(heads, "Total", real, report.totalText()))
    val ofDemo = demo.map { cells(it, report.demoTotal) }
    val demoTotal = if (demo.size < 2) emptyList() else listOf(total(heads, "All demo models", demo, report.demoTotal.toDisplayString(), isDemo = true))
    return tableOutput(
        problem(report),
        tableHtml("ullm-costs", report.title, heads, real.take(MAX_ROWS).map { cells(it, report.total) }, foot + ofDemo + demoTotal),
        notes(budgets),
        note(source(report)),
        note(rest(real.size, "row")?.let { "$it toCsv() has all of them." }),
        note("The costs of demo models are made up and in no total.".takeIf { demo.isNotEmpty() }),
        note(ended(report)),
        note(saved(report)),
        unpriced(report),
        links(report),
        text = (
            listOfNotNull(problemText(report), "$report") + budgets +
                listOfNotNull(source(report), ended(report), saved(report), unpricedSummary(report))
            ).joinToString("\n"),
    )
}

/** What is left of the budgets, or why that is not known: the costs are shown all the same. */
private fun budgetLines(report: CostReport): List<String> = try {
    report.budgets.take(MAX_ROWS).map { budgetLine(it) } + listOfNotNull(rest(report.budgets.size, "budget"))
} catch (unknown: LlmException.Network) {
    listOf("✗ ${unknown.message.orEmpty()}")
}

/** The columns, each with its cell as HTML for a row and the total of which the row is a part. */
private fun columns(report: CostReport): List<Pair<Head, (CostRow, Usd) -> String>> {
    fun number(title: String, leave: Int, value: (CostRow) -> Long) = Head(title, leave) to { row: CostRow, _: Usd -> count(value(row)) }
    return listOfNotNull(
        Head(report.by.name.lowercase().replaceFirstChar { it.titlecase(Locale.ROOT) }) to { row, _ -> escape(row.name) },
        number("Calls", 0) { it.calls.toLong() },
        number("Failed", 3) { it.failed.toLong() }.takeIf { report.any { it.failed > 0 } },
        (Head("Success", 1) to { row: CostRow, _: Usd -> success(row.calls, row.failed, row.cancelled) }).takeIf { report.any { it.failed > 0 } },
        number("Cancelled", 3) { it.cancelled.toLong() }.takeIf { report.any { it.cancelled > 0 } },
        number("Tokens in", 2) { it.inputTokens },
        number("Cached", 1) { it.cacheReadTokens }.takeIf { report.any { it.cacheReadTokens > 0 } },
        number("Tokens out", 2) { it.outputTokens },
        (Head("Saved", 1) to { row: CostRow, _: Usd -> row.saved.toDisplayString() }).takeIf { report.any { it.cached > 0 } },
        (Head("Per call", 1) to { row: CostRow, _: Usd -> average(row) }).takeIf { report.any { it.calls > 1 } },
        Head("Cost") to { row, _ -> escape(row.costText) },
        (Head("Share", 2) to { row: CostRow, total: Usd -> shareOf(row, total) }).takeIf { report.count { (it.cost ?: Usd.ZERO) > Usd.ZERO } > 1 },
    )
}

private fun shareOf(row: CostRow, total: Usd): String {
    val cost = row.cost ?: return ""
    return if (total <= Usd.ZERO) "" else share(cost.amount.divide(total.amount, MathContext.DECIMAL32).toDouble())
}

private fun average(row: CostRow): String = row.averageCost?.takeUnless { row.isFree }?.toDisplayString().orEmpty()

/** The share of calls that did not fail, of those that were not cancelled. */
private fun success(calls: Int, failed: Int, cancelled: Int): String {
    val ended = calls - cancelled
    if (ended <= 0) return ""
    val percent = 100.0 * (ended - failed) / ended
    return if (failed > 0 && percent > MOST_WITH_FAILURES) "&gt; 99 %" else "${Math.round(percent)} %"
}

/** The sum of [rows] in the columns [heads]. */
private fun total(heads: List<Head>, name: String, rows: List<CostRow>, amount: String, isDemo: Boolean = false): TableRow {
    val cells = heads.drop(1).map { head ->
        when (head.title) {
            "Calls" -> count(rows.sumOf { it.calls.toLong() })
            "Failed" -> count(rows.sumOf { it.failed.toLong() })
            "Success" -> success(rows.sumOf { it.calls }, rows.sumOf { it.failed }, rows.sumOf { it.cancelled })
            "Cancelled" -> count(rows.sumOf { it.cancelled.toLong() })
            "Tokens in" -> count(rows.sumOf { it.inputTokens })
            "Cached" -> count(rows.sumOf { it.cacheReadTokens })
            "Tokens out" -> count(rows.sumOf { it.outputTokens })
            "Saved" -> rows.fold(Usd.ZERO) { sum, row -> sum + row.saved }.toDisplayString()
            "Cost" -> escape(amount)
            else -> ""
        }
    }
    return TableRow(listOf(name) + cells, isDemo)
}

/** What the rows do not have, above the table. */
private fun problem(report: CostReport): String =
    report.ledgerProblem?.let { "<div class=\"ullm-problem\"><b class=\"ullm-bad\">${problemTitle(report)}</b> ${escape(it)}</div>" }.orEmpty()

private fun problemText(report: CostReport): String? = report.ledgerProblem?.let { "${problemTitle(report)} $it" }

private fun problemTitle(report: CostReport): String =
    if (report.isLedgerUnread) "✗ The ledger cannot be read, the costs of other processes are missing:" else "✗ Not all costs are in the ledger:"

/** Where the rows of some days come from. */
private fun source(report: CostReport): String? = when {
    report.ledger != null -> "The ledger has the calls of all processes that use it, also of those that have ended."
    report.days == null || report.ledgerProblem != null -> null
    else -> "Only the calls of this process: no ledger is kept. configure { ledger() } keeps one from then on."
}

private fun saved(report: CostReport): String? {
    val cached = report.sumOf { it.cached }.takeIf { it > 0 && report.by != By.TAG } ?: return null
    val amount = report.fold(Usd.ZERO) { sum, row -> sum + row.saved }
    val ofDemo = if (report.any { it.isDemo && it.saved > Usd.ZERO }) " (with made-up costs of demo models)" else ""
    return "${count(cached, "response")} from the cache saved ${amount.toDisplayString()}$ofDemo."
}

/** That calls failed or were cancelled, which a narrow table does not show. */
private fun ended(report: CostReport): String? {
    val failed = report.sumOf { it.failed }
    val cancelled = report.sumOf { it.cancelled }
    val facts = listOfNotNull(
        "${count(failed, "call")} failed".takeIf { failed > 0 },
        "${count(cancelled, "call")} ${if (cancelled == 1) "was" else "were"} cancelled".takeIf { cancelled > 0 },
    )
    return if (facts.isEmpty()) null else facts.joinToString(", ") + ". Their tokens are not in the columns; their costs are, where they are known."
}

private fun unpricedSummary(report: CostReport): String? {
    val models = report.unpriced.groupingBy { it.model }.fold(0) { sum, each -> sum + each.calls }
    if (models.isEmpty()) return null
    val names = models.entries.joinToString { (model, calls) -> "$model ($calls)" }
    return "${count(report.unknownCosts, "call")} without a known cost, not in the total: $names"
}

private fun unpriced(report: CostReport): String {
    val summary = unpricedSummary(report) ?: return ""
    return folded(summary, report.unpriced.take(MAX_REASONS).joinToString("") { note("${it.model}: ${it.why} (${count(it.calls, "call")})") })
}

/** Front ends that strip the links leave the names of the functions. */
private fun links(report: CostReport): String {
    val csv = report.toCsv()
    if (csv.length > MAX_LINK) return note("Save them by toCsv() or toJson().")
    val name = "costs-by-${report.by.name.lowercase()}"
    return "<div class=\"ullm-note ullm-links\">${download("CSV", "$name.csv", "text/csv", csv)} · " +
        "${download("JSON", "$name.json", "application/json", report.toJson())} · in code: toCsv(), toJson()" +
        "${", costs(by = By.DAY)".takeIf { report.by == By.MODEL }.orEmpty()}</div>"
}

private const val MAX_REASONS = 20
private const val MOST_WITH_FAILURES = 99.5

/** A saved notebook keeps the links. */
private const val MAX_LINK = 100_000
