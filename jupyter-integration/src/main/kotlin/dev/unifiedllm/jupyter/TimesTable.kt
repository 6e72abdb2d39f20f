package dev.unifiedllm.jupyter

import dev.unifiedllm.store.CallTimes
import dev.unifiedllm.store.Percentiles
import kotlin.time.toKotlinDuration

private val measures: List<Pair<String, (CallTimes) -> Percentiles?>> = listOf("Latency" to { it.latency }, "First token" to { it.timeToFirstToken })

private val percentiles: List<Pair<String, (Percentiles) -> java.time.Duration>> = listOf("p50" to { it.p50 }, "p90" to { it.p90 }, "p99" to { it.p99 })

/** Renders [times] as a table: how long the complete responses of each row took, and how long the first content. */
internal fun timesTable(times: List<CallTimes>): Rendered {
    val columns = measures.flatMap { (measure, of) ->
        percentiles.mapIndexed { index, (percentile, value) ->
            // The first token gives way before the latency, the middle before the ends.
            val leave = if (measure == "Latency") listOf(0, 3, 2)[index] else listOf(2, 1, 1)[index]
            Head("$measure $percentile", leave) to { row: CallTimes -> of(row)?.let { seconds(value(it).toKotlinDuration()) } ?: "n/a" }
        }
    }
    val heads = listOf(Head("Row"), Head("Responses")) + columns.map { it.first }
    val rows = times.take(MAX_ROWS).map { row -> TableRow(listOf(escape(row.name), count(row.calls.toLong())) + columns.map { it.second(row) }) }
    return tableOutput(
        tableHtml("ullm-times", CAPTION, heads, rows),
        note(EXPLANATION),
        note(rest(times.size, "row")),
        text = (listOf(CAPTION) + times.take(MAX_ROWS).map(::line) + listOfNotNull(EXPLANATION, rest(times.size, "row"))).joinToString("\n"),
    )
}

private fun line(row: CallTimes): String {
    val facts = measures.mapNotNull { (measure, of) ->
        val times = of(row) ?: return@mapNotNull null
        "${measure.lowercase()} " + percentiles.joinToString { (name, value) -> "$name ${seconds(value(times).toKotlinDuration())}" }
    }
    return "${row.name}: " + (listOf(count(row.calls, "response")) + facts).joinToString("; ")
}

private const val CAPTION = "Times of complete responses"
private const val EXPLANATION = "Half of the responses took at most p50, nine of ten at most p90, 99 of 100 at most p99. Those from a cache are not counted."
