package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Delta
import kotlin.time.toKotlinDuration

private val heads = listOf(Head("#", isShort = true), Head("Model", isShort = true), Head("Result", isText = true), Head("Then", leave = 2, isText = true))

/** The attempts of one call, in order: the property `attempts` of a response or a failure. */
internal fun attemptTable(attempts: List<Delta.Attempt>): Rendered {
    val caption = count(attempts.size, "attempt")
    val rows = attempts.mapIndexed { index, attempt -> cells(index, attempt, attempts.getOrNull(index + 1)) }
    return tableOutput(
        tableHtml("ullm-attempts", caption, heads, rows.map { row -> TableRow(row.map(::escape)) }),
        text = (listOf(caption) + rows.map { row -> row.filter { it.isNotEmpty() }.joinToString(" · ") }).joinToString("\n"),
    )
}

private fun cells(index: Int, attempt: Delta.Attempt, next: Delta.Attempt?): List<String> {
    val failure = attempt.error
    val then = when {
        failure == null || next == null -> ""
        next.model == attempt.model -> "tried again" + attempt.delay?.let { " after ${seconds(it.toKotlinDuration())}" }.orEmpty()
        else -> "went on to ${next.model}"
    }
    val result = if (failure == null) "responded" else "${failure::class.simpleName}: ${failure.message.orEmpty().capped("message", MAX_MESSAGE)}"
    return listOf("${index + 1}", attempt.model.toString(), result, then)
}

private const val MAX_MESSAGE = 2_000
