package dev.unifiedllm.jupyter

import dev.unifiedllm.CheckStatus
import dev.unifiedllm.DoctorCheck
import dev.unifiedllm.DoctorReport
import dev.unifiedllm.Setting

private val heads = listOf(Head("Check"), Head("Result", isShort = true), Head("Finding", isText = true))

internal fun doctorTable(report: DoctorReport): Rendered {
    val failed = report.count { it.status == CheckStatus.FAILED }
    val warnings = report.count { it.status == CheckStatus.WARNING }
    val facts = listOfNotNull("$failed failed".takeIf { failed > 0 }, count(warnings, "warning").takeIf { warnings > 0 })
    val caption = "Set-up: " + if (facts.isEmpty()) "all is well" else facts.joinToString()
    val rows = report.map { TableRow(listOf(escape(it.subject), word(it.status, html = true), escape(it.finding))) }
    return tableOutput(
        tableHtml("ullm-doctor", caption, heads, rows),
        settings(report.settings),
        text = (listOf(caption) + report.map(::line) + settingsText(report.settings)).joinToString("\n"),
    )
}

private fun line(check: DoctorCheck) = "${word(check.status, html = false)} ${check.subject}: ${check.finding}"

private val settingHeads = listOf(Head("Setting"), Head("Value", isText = true), Head("Source", isText = true))

/** All settings, folded. What is set is before the defaults. */
private fun settings(settings: List<Setting>): String {
    if (settings.isEmpty()) return ""
    val rows = sorted(settings).map { TableRow(listOf(escape(it.name), escape(it.value), escape(it.source))) }
    return folded(summary(settings), tableHtml("ullm-settings", null, settingHeads, rows))
}

private fun settingsText(settings: List<Setting>): List<String> =
    if (settings.isEmpty()) emptyList() else listOf(summary(settings)) + sorted(settings).filterNot { it.isDefault }.map { "  $it" }

private fun sorted(settings: List<Setting>) = settings.sortedBy { it.isDefault }

/** As in `Settings: 2 set (code, MODEL), 25 by default`. */
private fun summary(settings: List<Setting>): String {
    val set = settings.filterNot { it.isDefault }
    val sources = set.map { it.source.substringBefore(", line") }.distinct()
    return "Settings: ${set.size} set${if (set.isEmpty()) "" else sources.joinToString(prefix = " (", postfix = ")")}, ${settings.size - set.size} by default"
}

private val Setting.isDefault: Boolean get() = source == "default"

private fun word(status: CheckStatus, html: Boolean): String = when (status) {
    CheckStatus.OK -> "✓ ok"
    CheckStatus.WARNING -> "! warning"
    CheckStatus.FAILED -> if (html) "<span class=\"ullm-bad\">✗ failed</span>" else "✗ failed"
    CheckStatus.SKIPPED -> "– skipped"
}
