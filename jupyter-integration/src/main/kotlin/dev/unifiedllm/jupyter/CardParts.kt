package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Usage
import java.util.Locale
import kotlin.time.Duration
import kotlin.time.DurationUnit
import kotlin.time.toKotlinDuration

/** The attempts that failed, a line each, and what was tried next. @param isOver false while the next one may still come */
internal fun attemptNotes(attempts: List<Delta.Attempt>, isOver: Boolean): String = buildString {
    attempts.forEachIndexed { index, attempt ->
        val error = attempt.error ?: return@forEachIndexed
        val next = attempts.getOrNull(index + 1)?.model
        val wait = attempt.delay?.toKotlinDuration()?.let(::seconds)
        val then = when {
            next == attempt.model -> ", tried again" + wait?.let { " after $it" }.orEmpty()
            next != null -> ", tried $next instead"
            isOver -> ""
            wait != null -> ", trying again in $wait…"
            else -> ", trying the next model…"
        }
        append("<div class=\"ullm-note\">${escape("${attempt.model} failed (${failureName(error)})$then")}</div>")
    }
}

internal fun warningNotes(warnings: List<String>): String = warnings.joinToString("") { "<div class=\"ullm-note\">⚠ ${escape(it)}</div>" }

/** The line below a card. @param model null if it is not known @param facts a null is left out */
internal fun footerLine(model: String?, facts: List<String?>, html: Boolean): String {
    val name = model?.let { if (html) "<b>${escape(it)}</b>" else it }
    val items = listOfNotNull(name) + facts.filterNotNull().map { if (html) escape(it) else it }
    return items.joinToString(if (html) "\u00A0· " else " · ") // in a narrow window a line ends with the dot
}

internal fun tokens(usage: Usage?): String {
    if (usage == null) return "tokens n/a"
    val cached = usage.cacheReadTokens?.takeIf { it > 0 }?.let { " (${count(it)} cached)" }.orEmpty()
    return "${usage.inputTokens?.let(::count) ?: "n/a"} in$cached + ${usage.outputTokens?.let(::count) ?: "n/a"} out"
}

internal fun cost(cost: Cost?): String = when (cost) {
    is Cost.Known -> cost.amount.toDisplayString() + if (cost.source == DEMO) " (demo)" else ""
    Cost.Free -> "free · $0"
    is Cost.Unknown, null -> "$ n/a"
}

/** Renders [failure] as a box without a card. */
internal fun errorCard(failure: LlmException): Rendered = Rendered(style + errorBox(failure), reveal(failureText(failure)))

internal fun errorBox(failure: Throwable): String =
    "<div class=\"ullm-error $NO_MATHEMATICS\"><b>${escape(failureName(failure))}</b><div>${escape(failureMessage(failure))}</div></div>"

internal fun failureText(failure: Throwable): String = "${failureName(failure)}: ${failureMessage(failure)}"

/** The class name of [failure]; for an anonymous class that of its superclass. */
private fun failureName(
    failure: Throwable,
): String = generateSequence<Class<*>>(failure::class.java) { it.superclass }.first { it.simpleName.isNotEmpty() }.simpleName

private fun failureMessage(failure: Throwable): String = failure.message.orEmpty().capped("message")

internal fun call(call: Part.ToolCall): String = "${call.name}(${call.arguments.capped("arguments")})"

/** A link to [url] with the text [title]; the text alone if the address is not safe. */
internal fun link(url: String, title: String?): String {
    val safe = safeUrl(url) ?: return escape(title ?: url)
    return "<a href=\"${escape(safe)}\" rel=\"noopener noreferrer\" target=\"_blank\">${escape(title ?: safe)}</a>"
}

private const val DEMO = "demo"
private const val MAX_SHOWN = 1_000_000

/** Limits the length of this text, because a notebook file keeps its outputs. The note at the end names the property that has the whole text: [name]. */
internal fun String.capped(name: String, limit: Int = MAX_SHOWN): String {
    if (length <= limit) return this
    val end = if (this[limit - 1].isHighSurrogate()) limit - 1 else limit
    return take(end) + "\n… ${count((length - end).toLong())} more characters are not shown. The property `$name` has the whole text."
}

internal fun count(number: Long): String = "%,d".format(Locale.ROOT, number)

/** As in `3 images`. */
internal fun count(number: Int, noun: String): String = "${count(number.toLong())} $noun${if (number == 1) "" else "s"}"

internal fun seconds(duration: Duration): String = when {
    duration.inWholeMilliseconds < 1 -> "0 ms"
    duration.inWholeMilliseconds < 1000 -> "${duration.inWholeMilliseconds} ms"
    else -> "%.1f s".format(Locale.ROOT, duration.toDouble(DurationUnit.SECONDS))
}
