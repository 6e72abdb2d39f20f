package dev.unifiedllm.jupyter

import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.CostRow
import dev.unifiedllm.store.costText
import java.util.Locale

/** What was spent, as a table; demo models stand apart, below the total. Pure. */
internal fun costTable(report: CostReport): Rendered {
    if (report.isEmpty()) return Rendered("$style<div class=\"ullm-note\">No calls yet.</div>", report.toString())
    val (demo, real) = report.partition { it.isDemo }
    val by = report.by.name.lowercase().replaceFirstChar { it.titlecase(Locale.ROOT) }
    val html = buildString {
        append(style)
        append("<table class=\"ullm-costs\"><caption>Costs of this session</caption><thead><tr>")
        for (title in listOf(by, "Calls", "Failed", "Cancelled", "Tokens in", "Cached", "Tokens out", "Cost")) append("<th scope=\"col\">$title</th>")
        append("</tr></thead><tbody>")
        real.forEach { row(it) }
        append("</tbody><tfoot>")
        append("<tr><th scope=\"row\">Total</th><td></td><td></td><td></td><td></td><td></td><td></td><td>${escape(report.totalText())}</td></tr>")
        demo.forEach { row(it) }
        if (demo.isNotEmpty()) {
            append("<tr class=\"ullm-demo\"><th scope=\"row\">Demo models at made-up prices, not in the total</th>")
            append("<td></td><td></td><td></td><td></td><td></td><td></td><td>${escape(report.demoTotal.toDisplayString())}</td></tr>")
        }
        append("</tfoot></table>")
    }
    return Rendered(html, reveal(report.toString()))
}

private fun StringBuilder.row(row: CostRow) {
    append(if (row.isDemo) "<tr class=\"ullm-demo\">" else "<tr>")
    append("<th scope=\"row\">${escape(row.name)}</th>")
    for (cell in listOf(
        row.calls.toLong(),
        row.failed.toLong(),
        row.cancelled.toLong(),
        row.inputTokens,
        row.cacheReadTokens,
        row.outputTokens,
    )) {
        append("<td>${count(cell)}</td>")
    }
    append("<td>${escape(row.costText)}</td></tr>")
}
