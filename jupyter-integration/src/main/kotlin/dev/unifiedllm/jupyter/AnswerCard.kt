package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import java.util.Locale
import kotlin.math.roundToLong
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
 * Renders a response as a card: failed attempts, steps of a tool loop, reasoning, text, tool calls, images and sources; below them the model, the tokens,
 * the cost and the times. Pure.
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
        response?.let { append(attemptNotes(it.attempts, isOver)) }
        response?.let { append(ToolSteps.html(it, isRunning = !isOver)) }
        response?.let { reasoning(it) }
        append(body())
        response?.toolCalls?.forEach { append("<div class=\"ullm-call\">${escape(call(it))}</div>") }
        builtInTools()?.let { append("<div class=\"ullm-note\">${escape(it)}</div>") }
        response?.media?.let { media -> append(Pictures().html(media.map { Picture(it.url, it.mediaType) })) }
        response?.sources?.let { sources ->
            if (sources.isNotEmpty()) append("<div class=\"ullm-note\">Sources: ${sources.joinToString(" · ") { link(it.url, it.title) }}</div>")
        }
        if (isOver) response?.let { append(warningNotes(it.warnings)) }
        failure?.let { append(errorBox(it)) }
        append("<div class=\"ullm-footer\">${footer(html = true)}</div>")
        append("</div>")
    }

    /** Names the blocks of built-in tools, which only their provider reads; null if there are none. */
    private fun builtInTools(): String? {
        val types = response?.parts.orEmpty().filterIsInstance<Part.Raw>().map { it.type }.distinct()
        return if (types.isEmpty()) null else "Built-in tools: ${types.joinToString(" · ")}".capped("messages")
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
            response?.let { append(ToolSteps.text(it)) }
            if (text.isNotEmpty()) appendLine(text.capped("text"))
            response?.toolCalls?.forEach { appendLine(call(it)) }
            builtInTools()?.let { appendLine(it) }
            response?.media?.forEach { appendLine(Picture(it.url, it.mediaType).text) }
            response?.sources?.forEach { appendLine("Source: ${listOfNotNull(it.title, it.url).joinToString(" ")}".capped("sources")) }
            failure?.let { appendLine(failureText(it)) }
            append(footer(html = false))
        },
    )

    private fun footer(html: Boolean): String {
        val facts = when (state) {
            CardState.NEW -> listOf("not sent")
            CardState.WAITING -> listOf("waiting for the first token…")
            CardState.STREAMING -> listOf("streaming…")
            CardState.FAILED -> listOf("failed") + times(response)
            CardState.CANCELLED -> listOf("cancelled") + times(response)
            CardState.DONE -> listOf(tokens(response?.usage), cost(response?.cost)) + times(response) + listOf(speed(), ending())
        }
        return footerLine(model(), facts, html)
    }

    /** The model that gave the response, or the requested one; null while the model after a failed one is not known. */
    private fun model(): String? {
        if (state == CardState.WAITING && response != null && response.model == null && response.attempts.isNotEmpty()) return null
        return (response?.model ?: requested)?.toString() ?: "unknown model"
    }

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
            FinishReason.Kind.MAX_ITERATIONS -> "stopped at the limit of the tool loop: the last tool calls were not run"
            FinishReason.Kind.CONTENT_FILTER -> "blocked by the provider's filter"
            FinishReason.Kind.REFUSAL -> "refused"
            FinishReason.Kind.ERROR -> "ended by an error of the provider" + raw?.let { " ($it)" }.orEmpty()
            FinishReason.Kind.OTHER -> "ended for another reason" + raw?.let { " ($it)" }.orEmpty()
            FinishReason.Kind.UNKNOWN -> "the provider gave no finish reason" + raw?.let { " ($it)" }.orEmpty()
        }
    }
}

private fun times(response: ChatResponse?): List<String> = listOfNotNull(
    response?.timeToFirstToken?.let { "TTFT ${seconds(it)}" },
    response?.latency?.let { "${seconds(it)} total" },
)

private fun rate(perSecond: Double): String = if (perSecond < SLOW) "%.1f".format(Locale.ROOT, perSecond) else count(perSecond.roundToLong())

private const val SLOW = 10

/** A response that arrives in less time has no meaningful speed. */
private val SHORTEST = 50.milliseconds
