package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Usage
import dev.unifiedllm.store.UsageReport
import dev.unifiedllm.store.UsageRow

/** The columns after the responses, each with its number. Those of parts of the tokens are left out if they are zero everywhere. */
private val columns: List<Pair<Head, (UsageRow) -> Long>> = listOf(
    Head("Tokens in") to { it.inputTokens },
    Head("Cached", leave = 1) to { it.cacheReadTokens },
    Head("Cache written", leave = 1) to { it.cacheWriteTokens },
    Head("Tokens out") to { it.outputTokens },
    Head("Reasoning", leave = 2) to { it.reasoningTokens },
)

/** Renders [report] as a table. Demo models are below the total, which does not include them. */
internal fun usageTable(report: UsageReport): Rendered {
    if (report.isEmpty()) return tableOutput(note("$report"), text = "$report")
    val (demo, real) = report.partition { it.isDemo }
    val shown = columns.filter { (head, number) -> head.leave == 0 || report.any { number(it) > 0 } }
    fun row(name: String, row: UsageRow): TableRow {
        val isUnknown = row.calls > 0 && row.unreported == row.calls
        val cells = shown.map { (_, number) -> if (isUnknown) "n/a" else count(number(row)) }
        return TableRow(listOf(escape(name), count(row.calls.toLong())) + cells, row.isDemo)
    }
    val heads = listOf(Head("Model"), Head("Responses", leave = 3)) + shown.map { it.first }
    val total = if (real.isEmpty()) emptyList() else listOf(row("Total", report.total))
    val demoTotal = if (demo.size < 2) emptyList() else listOfNotNull(report.demoTotal?.let { row("All demo models", it) })
    val notes = listOfNotNull("The tokens of demo models are made up and in no total.".takeIf { demo.isNotEmpty() }, missing(report.sumOf { it.unreported }))
    return tableOutput(
        tableHtml("ullm-usage", report.title, heads, real.map { row(it.model, it) }, total + demo.map { row(it.model, it) } + demoTotal),
        notes.joinToString("") { note(it) },
        text = (listOf("$report") + notes).joinToString("\n"),
    )
}

private fun missing(responses: Int): String? {
    if (responses == 0) return null
    return "${count(responses, "response")} without a report of tokens ${if (responses == 1) "is" else "are"} not in the sums."
}

/** The counters of [usage] that are reported, parts below their sum. */
internal fun usageTable(usage: Usage): Rendered {
    val counters = listOf(
        "input tokens" to usage.inputTokens,
        "– read from the cache" to usage.cacheReadTokens,
        "– written to the cache" to usage.cacheWriteTokens,
        "– audio" to usage.audioInputTokens,
        "output tokens" to usage.outputTokens,
        "– reasoning" to usage.reasoningTokens,
        "– audio" to usage.audioOutputTokens,
        "– images" to usage.imageTokens,
    ).mapNotNull { (name, tokens) -> tokens?.let { name to count(it) } }
    val note = if (usage.estimated) "Estimated, not reported by the provider." else null
    val caption = if (counters.isEmpty()) "The provider reported no tokens." else "Tokens"
    if (counters.isEmpty()) return tableOutput(note(caption), text = caption)
    return tableOutput(
        tableHtml("ullm-usage", caption, listOf(Head("Counter"), Head("Tokens")), counters.map { (name, tokens) -> TableRow(listOf(name, tokens)) }),
        note(note),
        text = (listOf(caption) + counters.map { (name, tokens) -> "$name: $tokens" } + listOfNotNull(note)).joinToString("\n"),
    )
}
