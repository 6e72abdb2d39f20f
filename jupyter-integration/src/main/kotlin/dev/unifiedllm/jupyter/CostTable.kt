package dev.unifiedllm.jupyter

import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.CostRow
import java.util.Locale

private class Column(val title: String, val cell: (CostRow) -> String)

/** Renders [report] as a table. Demo models are below the total, which does not include them. A pure function. */
internal fun costTable(report: CostReport): Rendered {
    if (report.isEmpty()) return Rendered("$style<div class=\"ullm-note\">No calls yet.</div>", report.toString())
    val (demo, real) = report.partition { it.isDemo }
    val by = report.by.name.lowercase()
    val columns = columns(report)
    val html = buildString {
        append(style)
        append("<table class=\"ullm-costs\"><caption>Costs by $by</caption><thead><tr>")
        for (title in listOf(by.replaceFirstChar { it.titlecase(Locale.ROOT) }) + columns.map { it.title }) append("<th scope=\"col\">$title</th>")
        append("</tr></thead><tbody>")
        real.forEach { row(it, columns) }
        append("</tbody><tfoot>")
        sum("Total", report.totalText(), columns)
        demo.forEach { row(it, columns) }
        if (demo.isNotEmpty()) sum("Demo models (made-up prices, not in the total)", report.demoTotal.toDisplayString(), columns, " class=\"ullm-demo\"")
        append("</tfoot></table>")
    }
    return Rendered(html, reveal(report.toString()))
}

/** The columns after the name. The one of cancelled calls is left out if there are none. */
private fun columns(report: CostReport): List<Column> = listOfNotNull(
    Column("Calls") { count(it.calls.toLong()) },
    Column("Failed") { count(it.failed.toLong()) },
    Column("Cancelled") { row: CostRow -> count(row.cancelled.toLong()) }.takeIf { report.any { it.cancelled > 0 } },
    Column("Tokens in") { count(it.inputTokens) },
    Column("Cached") { count(it.cacheReadTokens) },
    Column("Tokens out") { count(it.outputTokens) },
    Column("Cost") { it.costText },
)

private fun StringBuilder.row(row: CostRow, columns: List<Column>) {
    append(if (row.isDemo) "<tr class=\"ullm-demo\">" else "<tr>")
    append("<th scope=\"row\">${escape(row.name)}</th>")
    for (column in columns) append("<td>${escape(column.cell(row))}</td>")
    append("</tr>")
}

/** A row of one amount. The name and the amount span several columns, so that they do not widen one. */
private fun StringBuilder.sum(name: String, amount: String, columns: List<Column>, attributes: String = "") {
    append("<tr$attributes><th scope=\"row\" colspan=\"${columns.size + 1 - AMOUNT_COLUMNS}\">$name</th>")
    append("<td colspan=\"$AMOUNT_COLUMNS\">${escape(amount)}</td></tr>")
}

private const val AMOUNT_COLUMNS = 3
