package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta

/** Renders [failure] as a card without an answer: with its attempts. */
internal fun errorCard(failure: LlmException): Rendered {
    val notes = notes(attemptLines(null, failure, isOver = true))
    val html = "<div class=\"ullm-card ullm-failure $NO_MATHEMATICS\" data-state=\"failed\">$notes${errorBox(failure)}" +
        "<div class=\"ullm-footer\">${footerLine(failure.model?.toString(), listOf("failed"), html = true)}</div></div>"
    return Rendered(styled(html, "parts", "budget"), reveal(failureText(failure)))
}

/** What failed, at which model, why, the budget that refused the call, and what to do; the rest is folded. It needs the styles of parts and budget. */
internal fun errorBox(failure: Throwable): String = buildString {
    val (cause, rest) = parts(failure)
    append("<div class=\"ullm-error\"><b>${escape(failureTitle(failure))}</b>")
    val place = place(failure)
    if (place.isNotEmpty()) append(" <span class=\"ullm-quiet\">${escape(place.joinToString(" · "))}</span>")
    append("<div>${escape(cause)}</div>")
    if (failure is LlmException.BudgetExceeded) failure.budget?.let { append(budgetBar(it, failure.asked)) }
    if (rest.isNotEmpty()) append("<div>${escape(rest)}</div>")
    val details = failureDetails(failure)
    if (details.isNotEmpty()) {
        append("<details><summary>Details</summary>")
        for (line in details) append("<div>${escape(line)}</div>")
        append("</details>")
    }
    append("</div>")
}

internal fun failureText(failure: Throwable): String {
    val head = (listOf(failureTitle(failure)) + place(failure)).joinToString(" · ")
    return "$head: ${failure.message.orEmpty().capped("message")}"
}

/** What happened, in a line: for the cell's error, whose card has the rest. */
internal fun shortCause(failure: Throwable): String {
    val lines = parts(failure).toList().flatMap { it.lines() }.map { it.trim() }.filter { it.isNotEmpty() }
    val first = lines.firstOrNull().orEmpty()
    val cause = if (first.endsWith(':')) "$first ${lines.getOrNull(1).orEmpty()}" else first // a list of failures follows
    return cause.capped("message", MAX_CAUSE)
}

/** The first sentence of the message, and what follows it, without the provider's own words. */
private fun parts(failure: Throwable): Pair<String, String> {
    val message = failure.message.orEmpty().substringBefore(DETAILS).trim().capped("message")
    val end = SENTENCE_END.find(message)?.range?.first ?: return message to ""
    return message.take(end + 1) to message.substring(end + 1).trim()
}

private fun place(failure: Throwable): List<String> {
    val said = failure as? LlmException ?: return emptyList()
    return listOfNotNull(said.model?.toString(), said.status?.let { "HTTP $it" })
}

/** What is folded below the message. */
internal fun failureDetails(failure: Throwable): List<String> {
    val words = failure.message.orEmpty().substringAfter(DETAILS, "").trim().ifEmpty { null }?.capped("message", MAX_DETAILS)
    val said = failure as? LlmException
    val kind = if (said == null) null else "LlmException.${className(said)}"
    return listOfNotNull(
        words,
        kind,
        said?.requestId?.let { "Request id: $it" },
        said?.retryAfter?.let { "The provider asks to wait ${seconds(it)}." },
        failure.cause?.let { cause -> "Cause: ${className(cause)}${cause.message?.let { ": $it" }.orEmpty()}".capped("cause", MAX_DETAILS) },
    )
}

/** What happened, in two or three words. */
internal fun failureTitle(failure: Throwable): String = when (failure) {
    is LlmException.Network -> "No connection"
    is LlmException.Timeout -> "Timed out"
    is LlmException.StreamInterrupted -> "Cut off"
    is LlmException.MalformedResponse -> "Response not understood"
    is LlmException.Authentication -> "Key not accepted"
    is LlmException.PermissionDenied -> "Not allowed"
    is LlmException.NotFound -> "Not found"
    is LlmException.InvalidRequest -> "Request rejected"
    is LlmException.ContextLengthExceeded -> "Too long for the model"
    is LlmException.ContentFiltered -> "Blocked by the provider's filter"
    is LlmException.RateLimited -> "Rate limited"
    is LlmException.QuotaExhausted -> "Quota used up"
    is LlmException.Overloaded -> "Overloaded"
    is LlmException.ServerError -> "Provider error"
    is LlmException.BudgetExceeded -> "Over budget"
    is LlmException.Configuration -> "Not configured"
    is LlmException.AllFailed -> "All models failed"
    is LlmException.Cancelled -> "Stopped"
    else -> className(failure)
}

/** [lines] as small grey lines. */
internal fun notes(lines: List<String>): String = lines.joinToString("") { "<div class=\"ullm-note\">${escape(it)}</div>" }

/** The lines of the attempts of [response], and of the [failure] that ended it, whose last attempt the error box has. */
internal fun attemptLines(response: ChatResponse?, failure: Throwable?, isOver: Boolean): List<String> {
    val failed = (failure as? LlmException)?.attempts.orEmpty()
    return if (failed.isEmpty()) attemptLines(response?.attempts.orEmpty(), isOver) else attemptLines(failed, isOver).dropLast(1)
}

/** The class name of [failure]; for an anonymous class that of its superclass. */
internal fun className(failure: Throwable): String =
    generateSequence<Class<*>>(failure::class.java) { it.superclass }.first { it.simpleName.isNotEmpty() }.simpleName

private const val DETAILS = "\nDetails:\n"
private const val MAX_DETAILS = 2_000
private const val MAX_CAUSE = 300
private val SENTENCE_END = Regex("""[.?!](?=\s+[A-Z\[])""")
