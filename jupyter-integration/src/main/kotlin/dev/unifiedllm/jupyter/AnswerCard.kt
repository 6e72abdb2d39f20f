package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import java.util.Locale
import kotlin.math.roundToLong
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.DurationUnit

/** The state of a card. */
internal enum class CardState(val word: String) {
    WAITING("waiting"),
    STREAMING("streaming"),
    DONE("done"),
    FAILED("failed"),
    CANCELLED("cancelled"),
    NEW("new"),
}

/**
 * Renders a response as a card: failed attempts, reasoning, text, tool calls and sources; below them the model, the tokens, the cost and the times. Pure.
 *
 * @param requested the model that was asked for; the card names it until a response has begun. Null if it is not known
 */
internal class AnswerCard(
    private val requested: ModelId?,
    private val state: CardState,
    private val response: ChatResponse?,
    private val failure: Throwable? = null,
) {
    private val isOver get() = state == CardState.DONE || state == CardState.FAILED || state == CardState.CANCELLED

    fun render(): Rendered = Rendered(html(), text())

    private fun html() = buildString {
        append(style)
        append("<div class=\"ullm-card $NO_MATHEMATICS\" data-state=\"${state.word}\">")
        response?.let { attempts(it) }
        response?.let { reasoning(it) }
        append(body())
        response?.toolCalls?.forEach { append("<div class=\"ullm-call\">${escape(call(it))}</div>") }
        response?.sources?.let { sources ->
            if (sources.isNotEmpty()) append("<div class=\"ullm-note\">Sources: ${sources.joinToString(" · ") { source(it.url, it.title) }}</div>")
        }
        if (isOver) response?.warnings?.forEach { append("<div class=\"ullm-note\">⚠ ${escape(it)}</div>") }
        failure?.let { append(errorBox(it)) }
        append("<div class=\"ullm-footer\">${footer(html = true)}</div>")
        append("</div>")
    }

    private fun StringBuilder.attempts(response: ChatResponse) {
        response.attempts.forEachIndexed { index, attempt ->
            val error = attempt.error ?: return@forEachIndexed
            val next = response.attempts.getOrNull(index + 1)?.model
            val then = when {
                next == attempt.model -> ", tried again"
                next != null -> ", tried $next instead"
                isOver -> ""
                else -> ", trying the next model…"
            }
            append("<div class=\"ullm-note\">${escape("${attempt.model} failed (${failureName(error)})$then")}</div>")
        }
    }

    private fun StringBuilder.reasoning(response: ChatResponse) {
        if (response.reasoning.isEmpty()) return
        val open = if (state == CardState.STREAMING && response.text.isEmpty()) " open" else ""
        append("<details class=\"ullm-reasoning\"$open><summary>Reasoning</summary><div>${escape(response.reasoning.capped("reasoning"))}</div></details>")
    }

    private fun body(): String {
        val text = response?.text.orEmpty()
        if (text.isEmpty()) {
            return when (state) {
                CardState.WAITING, CardState.STREAMING -> "<div class=\"ullm-text ullm-waiting\"><span class=\"ullm-caret\"></span></div>"
                CardState.NEW -> "<div class=\"ullm-text ullm-waiting\">To send it, make it the last expression of a cell, or call show().</div>"
                else -> "<div class=\"ullm-text\"></div>"
            }
        }
        // An incomplete response may end in the middle of Markdown markup, so it is shown as plain text.
        val markdown = if (state == CardState.DONE) Markdown.html(text) else null
        if (markdown != null) return "<div class=\"ullm-text\">$markdown</div>"
        val caret = if (isOver) "" else " ullm-caret"
        return "<div class=\"ullm-text ullm-plain$caret\">${escape(text.capped("text"))}</div>"
    }

    private fun text() = reveal(
        buildString {
            val text = response?.text.orEmpty()
            if (text.isNotEmpty()) appendLine(text.capped("text"))
            response?.toolCalls?.forEach { appendLine(call(it)) }
            failure?.let { appendLine(failureText(it)) }
            append(footer(html = false))
        },
    )

    private fun footer(html: Boolean): String {
        val name = model()?.let { if (html) "<b>${escape(it)}</b>" else it }
        val facts = when (state) {
            CardState.NEW -> listOf("not sent")
            CardState.WAITING -> listOf("waiting for the first token…")
            CardState.STREAMING -> listOf("streaming…")
            CardState.FAILED -> listOf("failed") + times()
            CardState.CANCELLED -> listOf("cancelled") + times()
            CardState.DONE -> tokens() + listOf(cost(), *times().toTypedArray(), speed(), ending())
        }
        val items = listOfNotNull(name) + facts.filterNotNull().map { if (html) escape(it) else it }
        return items.joinToString(if (html) "\u00A0· " else " · ") // in a narrow window a line ends with the dot
    }

    /** The model that gave the response, or the requested one; null while the model after a failed one is not known. */
    private fun model(): String? {
        if (state == CardState.WAITING && response != null && response.model == null && response.attempts.isNotEmpty()) return null
        return (response?.model ?: requested)?.toString() ?: "unknown model"
    }

    private fun tokens(): List<String> {
        val usage = response?.usage ?: return listOf("tokens n/a")
        val cached = usage.cacheReadTokens?.takeIf { it > 0 }?.let { " (${count(it)} cached)" }.orEmpty()
        return listOf("${usage.inputTokens?.let(::count) ?: "n/a"} in$cached + ${usage.outputTokens?.let(::count) ?: "n/a"} out")
    }

    private fun cost(): String = when (val cost = response?.cost) {
        is Cost.Known -> cost.amount.toDisplayString() + if (cost.source == DEMO) " (demo)" else ""
        Cost.Free -> "free · $0"
        is Cost.Unknown, null -> "$ n/a"
    }

    private fun times(): List<String> = listOfNotNull(
        response?.timeToFirstToken?.let { "TTFT ${seconds(it)}" },
        response?.latency?.let { "${seconds(it)} total" },
    )

    private fun speed(): String? {
        val output = response?.usage?.outputTokens ?: return null
        val streaming = response.latency - (response.timeToFirstToken ?: return null)
        val perSecond = output / streaming.toDouble(DurationUnit.SECONDS)
        return if (output < 2 || streaming < SHORTEST) null else "${rate(perSecond)} tok/s"
    }

    /** How the response ended; null for an ordinary end. */
    private fun ending(): String? {
        val reason = response?.finishReason
        val raw = reason?.raw?.ifBlank { null }?.capped("reason")
        return when (reason?.kind) {
            null -> "incomplete"
            FinishReason.Kind.STOP, FinishReason.Kind.TOOL_CALLS -> null
            FinishReason.Kind.LENGTH -> "stopped at the token limit"
            FinishReason.Kind.CONTENT_FILTER -> "blocked by the provider's filter"
            FinishReason.Kind.REFUSAL -> "refused"
            FinishReason.Kind.ERROR -> "ended by an error of the provider" + raw?.let { " ($it)" }.orEmpty()
            FinishReason.Kind.OTHER -> "ended for another reason" + raw?.let { " ($it)" }.orEmpty()
            FinishReason.Kind.UNKNOWN -> "the provider gave no finish reason" + raw?.let { " ($it)" }.orEmpty()
        }
    }
}

/** Renders [failure] as a box without a card. */
internal fun errorCard(failure: LlmException): Rendered = Rendered(style + errorBox(failure), reveal(failureText(failure)))

private fun errorBox(failure: Throwable): String =
    "<div class=\"ullm-error $NO_MATHEMATICS\"><b>${escape(failureName(failure))}</b><div>${escape(failureMessage(failure))}</div></div>"

private fun failureText(failure: Throwable) = "${failureName(failure)}: ${failureMessage(failure)}"

/** The class name of [failure]; for an anonymous class that of its superclass. */
private fun failureName(
    failure: Throwable,
): String = generateSequence<Class<*>>(failure::class.java) { it.superclass }.first { it.simpleName.isNotEmpty() }.simpleName

private fun failureMessage(failure: Throwable): String = failure.message.orEmpty().capped("message")

private fun call(call: Part.ToolCall): String = "${call.name}(${call.arguments.capped("arguments")})"

private fun source(url: String, title: String?): String {
    val safe = safeUrl(url) ?: return escape(title ?: url)
    return "<a href=\"${escape(safe)}\" rel=\"noopener noreferrer\" target=\"_blank\">${escape(title ?: safe)}</a>"
}

private const val DEMO = "demo"
private const val MAX_SHOWN = 1_000_000

/** Limits the length of this text, because a notebook file keeps its outputs. The note at the end names the property that has the whole text: [name]. */
private fun String.capped(name: String): String {
    if (length <= MAX_SHOWN) return this
    val end = if (this[MAX_SHOWN - 1].isHighSurrogate()) MAX_SHOWN - 1 else MAX_SHOWN
    return take(end) + "\n… ${count((length - end).toLong())} more characters are not shown. The property `$name` has the whole text."
}

private fun rate(perSecond: Double): String = if (perSecond < SLOW) "%.1f".format(Locale.ROOT, perSecond) else count(perSecond.roundToLong())

private const val SLOW = 10

/** A response that arrives in less time has no meaningful speed. */
private val SHORTEST = 50.milliseconds

internal fun count(number: Long): String = "%,d".format(Locale.ROOT, number)

internal fun seconds(duration: Duration): String = when {
    duration.inWholeMilliseconds < 1 -> "0 ms"
    duration.inWholeMilliseconds < 1000 -> "${duration.inWholeMilliseconds} ms"
    else -> "%.1f s".format(Locale.ROOT, duration.toDouble(DurationUnit.SECONDS))
}
