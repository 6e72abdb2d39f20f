package dev.unifiedllm.jupyter

import dev.unifiedllm.CheckStatus
import dev.unifiedllm.DoctorReport

private val heads = listOf(Head("Check"), Head("Result", isShort = true), Head("Finding", isText = true))

internal fun doctorTable(report: DoctorReport): Rendered {
    val failed = report.count { it.status == CheckStatus.FAILED }
    val warnings = report.count { it.status == CheckStatus.WARNING }
    val facts = listOfNotNull("$failed failed".takeIf { failed > 0 }, count(warnings, "warning").takeIf { warnings > 0 })
    val caption = "Set-up: " + if (facts.isEmpty()) "all is well" else facts.joinToString()
    val rows = report.map { TableRow(listOf(escape(it.subject), word(it.status, html = true), escape(it.finding))) }
    return tableOutput(
        tableHtml("ullm-doctor", caption, heads, rows),
        text = (listOf(caption) + report.map { "${word(it.status, html = false)} ${it.subject}: ${it.finding}" }).joinToString("\n"),
    )
}

private fun word(status: CheckStatus, html: Boolean): String = when (status) {
    CheckStatus.OK -> "✓ ok"
    CheckStatus.WARNING -> "! warning"
    CheckStatus.FAILED -> if (html) "<span class=\"ullm-bad\">✗ failed</span>" else "✗ failed"
    CheckStatus.SKIPPED -> "– skipped"
}
