package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Usage
import dev.unifiedllm.store.UsageReport
import dev.unifiedllm.store.UsageRow

/** The columns after the model, each with its number. Those of parts of the tokens are left out if they are zero everywhere. */
private val columns: List<Pair<Head, (UsageRow) -> Long>> = listOf(
    Head("Responses", leave = 3) to { it.calls.toLong() },
    Head("Tokens in") to { it.inputTokens },
    Head("Cached", leave = 1) to { it.cacheReadTokens },
    Head("Cache written", leave = 1) to { it.cacheWriteTokens },
    Head("Tokens out") to { it.outputTokens },
    Head("Reasoning", leave = 2) to { it.reasoningTokens },
)

internal fun usageTable(report: UsageReport): Rendered {
    if (report.isEmpty()) return tableOutput(note("$report"), text = "$report")
    val missing = report.total.unreported
    val note = "${count(missing, "response")} without a report of tokens ${if (missing == 1) "is" else "are"} not in the sums.".takeIf { missing > 0 }
    val shown = columns.filter { (head, number) -> head.leave !in 1..2 || number(report.total) > 0 }
    fun row(name: String, row: UsageRow) = TableRow(listOf(escape(name)) + shown.map { (_, number) -> count(number(row)) })
    val heads = listOf(Head("Model")) + shown.map { it.first }
    return tableOutput(
        tableHtml("ullm-usage", report.title, heads, report.map { row(it.model, it) }, listOf(row("Total", report.total))),
        note(note),
        text = listOfNotNull("$report", note).joinToString("\n"),
    )
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
    val caption = if (counters.isEmpty()) "The provider reported no tokens." else "Tokens of one response"
    if (counters.isEmpty()) return tableOutput(note(caption), text = caption)
    return tableOutput(
        tableHtml("ullm-usage", caption, listOf(Head("Counter"), Head("Tokens")), counters.map { (name, tokens) -> TableRow(listOf(name, tokens)) }),
        note(note),
        text = (listOf(caption) + counters.map { (name, tokens) -> "$name: $tokens" } + listOfNotNull(note)).joinToString("\n"),
    )
}
