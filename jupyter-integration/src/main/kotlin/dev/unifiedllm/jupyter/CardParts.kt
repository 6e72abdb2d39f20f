package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Part
import java.util.Locale
import kotlin.time.Duration
import kotlin.time.toKotlinDuration

/** The attempts that failed, a line each, and what was tried next. @param isOver false while the next one may still come */
internal fun attemptLines(attempts: List<Delta.Attempt>, isOver: Boolean): List<String> = attempts.mapIndexedNotNull { index, attempt ->
    val error = attempt.error ?: return@mapIndexedNotNull null
    val next = attempts.getOrNull(index + 1)?.model
    val wait = attempt.delay?.toKotlinDuration()?.let(::seconds)
    val then = when {
        next == attempt.model -> ", tried again" + wait?.let { " after $it" }.orEmpty()
        next != null -> ", tried $next instead"
        isOver -> ""
        wait != null -> ", trying again in $wait"
        else -> ", trying the next model"
    }
    "${attempt.model} failed (${className(error)})$then"
}

internal fun warningNotes(warnings: List<String>): String =
    notes(warnings.map { "⚠ ${it.capped("warnings")}" })

/** What was asked, as one line; a longer text is folded behind its beginning. */
internal fun questionLine(question: String): String {
    val shown = question.capped("request", MAX_QUESTION)
    val line = question.lineSequence().first().trim()
    val beginning = if (line.length > MAX_LINE) line.truncated(MAX_LINE) + "…" else line
    if (beginning == question) return "<div class=\"ullm-question\">${escape(question)}</div>"
    val summary = if (beginning.endsWith("…")) beginning else "$beginning …"
    return "<details class=\"ullm-question\"><summary>${escape(summary)}</summary><div>${escape(shown)}</div></details>"
}

/** The reasoning, folded. @param isOpen true while nothing else has arrived */
internal fun reasoning(response: ChatResponse, duration: Duration?, isOpen: Boolean): String {
    val text = response.reasoning
    if (text.isEmpty()) return ""
    val facts = listOfNotNull("${count(text.length.toLong())} characters", duration?.let(::seconds)).joinToString(", ")
    val open = if (isOpen) " open" else ""
    return "<details class=\"ullm-reasoning\"$open><summary>Thinking ($facts)</summary><div>${escape(text.capped("reasoning"))}</div></details>"
}

/** Names the blocks of built-in tools, which only their provider reads; null if there are none. */
internal fun builtInTools(response: ChatResponse?): String? {
    val types = response?.parts.orEmpty().filterIsInstance<Part.Raw>().map { it.type }.distinct()
    return if (types.isEmpty()) null else "Built-in tools: ${types.joinToString(" · ")}".capped("messages")
}

internal fun sources(sources: List<Delta.Source>): String {
    if (sources.isEmpty()) return ""
    return "<div class=\"ullm-note ullm-links\">Sources: ${sources.joinToString(" · ") { link(it.url, it.title) }}</div>"
}

internal fun call(call: Part.ToolCall): String = "${call.name}(${call.arguments.capped("arguments")})"

/** A link to [url] with the text [title]; the text alone if the address is not safe. */
internal fun link(url: String, title: String?): String {
    val safe = safeUrl(url) ?: return escape(title ?: url)
    return "<a href=\"${escape(safe)}\" rel=\"noopener noreferrer\" target=\"_blank\">${escape(title ?: safe)}</a>"
}

private const val MAX_SHOWN = 1_000_000
private const val MAX_LINE = 200
private const val MAX_QUESTION = 4_000

/** Limits the length of this text, because a notebook file keeps its outputs. The note at the end names the property that has the whole text: [name]. */
internal fun String.capped(name: String, limit: Int = MAX_SHOWN): String {
    if (length <= limit) return this
    val shown = truncated(limit)
    return shown + "\n… ${count((length - shown.length).toLong())} more characters are not shown. The property `$name` has the whole text."
}

/** At most [limit] UTF-16 units of this text, without half a character at the end. */
internal fun String.truncated(limit: Int): String = if (length > limit && this[limit - 1].isHighSurrogate()) take(limit - 1) else take(limit)

internal fun count(number: Long): String = "%,d".format(Locale.ROOT, number)

/** As in `3 images`. */
internal fun count(number: Int, noun: String): String = "${count(number.toLong())} $noun${if (number == 1) "" else "s"}"
