package dev.unifiedllm.jupyter

import dev.unifiedllm.BulkProgress
import dev.unifiedllm.BulkResult
import dev.unifiedllm.store.amountText
import java.util.Locale
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes

/**
 * Renders how far a bulk has come: a bar with the items that are done and those that failed; below it their numbers, the cost and the time. Pure.
 *
 * @param failure what the bulk as a whole failed with; null if it did not
 * @param results of which the first failures are told; empty while the bulk runs
 */
internal fun bulkBar(
    progress: BulkProgress,
    state: CardState,
    failure: Throwable? = null,
    results: List<BulkResult<*, *>> = emptyList(),
): Rendered {
    val facts = bulkFacts(progress, state)
    val notes = listOfNotNull(progress.stopReason) + progress.warnings.map { "⚠ $it" }
    val failed = results.filter { it.state == BulkResult.State.FAILED }
    val failures = failed.take(MAX_FAILURES).map { result -> "Item ${count(result.index)}: ${result.failure?.let(::shortCause).orEmpty()}" }
    val more = failed.size - failures.size
    val lines = if (more > 0) failures + "${count(more, "more failure")}." else failures
    val html = buildString {
        append("<div class=\"ullm-root ullm-bulk $NO_MATHEMATICS\" data-state=\"${state.word}\">")
        append(bar(progress))
        append("<div class=\"ullm-footer\">${footerLine(null, facts, html = true)}</div>")
        notes.forEach { append(note(it.capped("progress", MAX_NOTE))) }
        if (lines.isNotEmpty()) append(folded("What failed", lines.joinToString("") { note(it) }))
        failure?.let { append(errorBox(it)) }
        append("</div>")
    }
    val text = listOf(facts.joinToString(" · ")) + notes + lines + listOfNotNull(failure?.let(::failureText))
    return Rendered(styled(html, "table", "parts", "budget"), reveal(text.joinToString("\n")))
}

/** The line below the bar. */
private fun bulkFacts(progress: BulkProgress, state: CardState): List<String> {
    val total = progress.total
    val isRunning = state == CardState.STREAMING
    return listOfNotNull(
        "${count(progress.done)} done",
        "${count(progress.failed)} failed",
        progress.notStarted.takeIf { it > 0 }?.let { "${count(it)} not started" },
        progress.resumed.takeIf { it > 0 }?.let { "${count(it)} from the checkpoint" },
        total?.let { "of ${count(it)}" + if (it > 0) " (${percent(progress.done + progress.failed, it).toInt()} %)" else "" },
        amountText(progress.cost, progress.unpriced.toInt()) + if (isRunning) " so far" else "",
        seconds(progress.elapsed),
        if (isRunning) remaining(progress)?.let { "about ${wholeSeconds(it)} left" } else null,
        state.word.takeIf { state == CardState.CANCELLED || state == CardState.FAILED },
    )
}

/** How long the rest takes if it goes on as fast; null if that is not known. */
private fun remaining(progress: BulkProgress): Duration? {
    val fresh = progress.done + progress.failed - progress.resumed
    val left = progress.total?.let { it - progress.finished } ?: return null
    return if (fresh <= 0 || left <= 0 || progress.stopReason != null) null else progress.elapsed * (left.toDouble() / fresh)
}

/** In whole seconds, at least one: it is an estimate. */
private fun wholeSeconds(duration: Duration): String = if (duration < 1.minutes) "${maxOf(duration.inWholeSeconds, 1)} s" else seconds(duration)

/** The parts that are done and failed, which front ends that strip styles leave out; nothing if the number of items is not known. */
private fun bar(progress: BulkProgress): String {
    val total = progress.total?.takeIf { it > 0 } ?: return ""
    fun part(kind: String, number: Long) = if (number == 0L) "" else "<span class=\"$kind\" style=\"width:${width(percent(number, total))}%\"></span>"
    val label = "aria-label=\"Items with a result\" aria-valuemin=\"0\" aria-valuemax=\"$total\" aria-valuenow=\"${progress.finished}\""
    return "<div class=\"ullm-progress\" role=\"progressbar\" $label>" +
        "${part("ullm-done", progress.done)}${part("ullm-lost", progress.failed)}</div>"
}

private fun percent(part: Long, total: Long): Double = part * PERCENT / total

private fun width(percent: Double): String = "%.2f".format(Locale.ROOT, percent)

private const val PERCENT = 100.0
private const val MAX_FAILURES = 10
private const val MAX_NOTE = 2_000
