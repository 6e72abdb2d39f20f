package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId

/** The state of a call. */
internal enum class CardState(val word: String) {
    WAITING("waiting"),
    STREAMING("streaming"),
    DONE("done"),
    FAILED("failed"),
    CANCELLED("stopped"),
    NEW("new"),
}

/**
 * Renders a response as a card: what was asked, failed attempts, steps of a tool loop, reasoning, text, tool calls, images and sources; below them how it
 * ended, the model, the tokens, the cost and the times. Pure.
 *
 * @param requested the model that was asked for; the card names it until a response has begun. Null if it is not known
 */
internal class AnswerCard(
    private val requested: ModelId?,
    private val state: CardState,
    private val response: ChatResponse?,
    private val failure: Throwable? = null,
    private val facts: CardFacts = CardFacts.NONE,
) {
    private val isOver get() = state == CardState.DONE || state == CardState.FAILED || state == CardState.CANCELLED

    fun render(): Rendered = fragment().let { Rendered(styled(it.html, "parts", "markdown", "budget"), it.text) }

    /** The card without its style sheet. @param showModel false where the model that was asked for is named elsewhere: then only another one is named */
    fun fragment(showQuestion: Boolean = true, showModel: Boolean = true): Rendered = Rendered(html(showQuestion, showModel), text(showQuestion, showModel))

    private fun html(showQuestion: Boolean, showModel: Boolean) = buildString {
        append("<div class=\"ullm-card$border $NO_MATHEMATICS\" data-state=\"$word\">")
        if (showQuestion) facts.question?.let { append(questionLine(it)) }
        append(notes(attemptLines(response, failure, isOver)))
        if (response != null) content(response)
        append(body())
        if (response != null) additions(response)
        failure?.let { append(errorBox(it)) }
        end()?.let { append("<div class=\"ullm-note\">${escape(it)}</div>") }
        append("<div class=\"ullm-footer\">${footer(html = true, showModel)}</div></div>")
    }

    /** What comes before the text. */
    private fun StringBuilder.content(response: ChatResponse) {
        append(ToolSteps.html(response, facts.toolTimes, isRunning = !isOver))
        append(reasoning(response, facts.thinking, isOpen = state == CardState.STREAMING && response.text.isEmpty()))
    }

    /** What comes after the text. */
    private fun StringBuilder.additions(response: ChatResponse) {
        response.toolCalls.forEach { append(ToolSteps.html(it)) }
        builtInTools(response)?.let { append("<div class=\"ullm-note\">${escape(it)}</div>") }
        append(Pictures().html(response.media.map { Picture(it.url, it.mediaType, facts.pictures[it.url]) }))
        append(sources(response.sources))
        if (isOver) append(warningNotes(response.warnings))
    }

    private fun body(): String {
        val text = response?.text.orEmpty()
        return when {
            state == CardState.NEW -> "<div class=\"ullm-text ullm-quiet\">$NOT_SENT</div>"
            text.isBlank() && !isOver -> "<div class=\"ullm-text\">$CARET</div>"
            text.isBlank() -> "<div class=\"ullm-text\"></div>"
            isOver -> "<div class=\"ullm-text\">${GrowingMarkdown().apply { append(text) }.finish()}</div>"
            else -> "<div class=\"ullm-text\">${facts.growing ?: withCaret(plainBlock(text))}</div>"
        }
    }

    private fun text(showQuestion: Boolean, showModel: Boolean) = reveal(
        buildString {
            if (showQuestion) facts.question?.let { appendLine("> ${it.lineSequence().first().truncated(MAX_QUESTION)}") }
            if (response != null) text(response)
            failure?.let { appendLine(failureText(it)) }
            end()?.let { appendLine(it) }
            append(footer(html = false, showModel))
        },
    )

    private fun StringBuilder.text(response: ChatResponse) {
        append(ToolSteps.text(response, facts.toolTimes))
        val text = if (isOver) response.text.capped("text") else ending(response.text)
        if (text.isNotEmpty()) appendLine(text)
        response.toolCalls.forEach { appendLine(call(it)) }
        builtInTools(response)?.let { appendLine(it) }
        response.media.forEach { appendLine(Picture(it.url, it.mediaType).text) }
        response.sources.forEach { appendLine("Source: ${listOfNotNull(it.title, it.url).joinToString(" ")}".capped("sources")) }
    }

    /** The end of a text that grows: its beginning is in the updates before. */
    private fun ending(text: String) = if (text.length > MAX_GROWING) "… " + text.takeLast(MAX_GROWING) else text

    /** How the response ended, in a sentence; null for an ordinary end and while it runs. */
    private fun end(): String? = when {
        state == CardState.CANCELLED -> if (response?.text.isNullOrEmpty()) "Stopped." else "Stopped. The text above is what had arrived."
        state == CardState.DONE && response != null -> ending(response.finishReason)
        else -> null
    }

    /** The state as the style sheets and the tests know it. */
    private val word: String get() = when {
        state == CardState.FAILED && failure is LlmException.StreamInterrupted && !response?.text.isNullOrEmpty() -> "cut"
        state != CardState.DONE || response == null -> state.word
        else -> when (response.finishReason?.kind) {
            FinishReason.Kind.STOP, FinishReason.Kind.TOOL_CALLS -> state.word
            FinishReason.Kind.LENGTH, FinishReason.Kind.MAX_ITERATIONS -> "length"
            FinishReason.Kind.CONTENT_FILTER -> "filtered"
            FinishReason.Kind.REFUSAL -> "refused"
            FinishReason.Kind.ERROR -> "failed"
            FinishReason.Kind.OTHER, FinishReason.Kind.UNKNOWN, null -> "unknown"
        }
    }

    private val border: String get() = when (word) {
        "waiting", "streaming" -> " ullm-live"
        "failed" -> " ullm-failure"
        "cut", "length", "filtered", "refused", "unknown" -> " ullm-partial"
        else -> ""
    }

    private fun footer(html: Boolean, showModel: Boolean): String =
        footerLine(model().takeIf { showModel || it != requested?.toString() }, footerFacts(), html)

    private fun footerFacts(): List<String?> {
        val known = response?.let { answerFacts(it, facts.cost) }.orEmpty()
        return when (state) {
            CardState.NEW -> listOf("not sent")
            CardState.WAITING -> listOf(facts.status ?: "waiting")
            CardState.STREAMING -> listOf(facts.status ?: "streaming")
            CardState.FAILED -> listOf(if (word == "cut") "cut off" else "failed") + known
            CardState.CANCELLED -> listOf("stopped") + known
            CardState.DONE -> known
        }
    }

    /** The model that gave the response, or the requested one; null while the model after a failed one is not known. */
    private fun model(): String? {
        if (!isOver && response?.model == null && (requested == null || response?.attempts?.isNotEmpty() == true)) return null
        return (response?.model ?: requested)?.toString() ?: "unknown model"
    }

    private companion object {
        const val NOT_SENT = "To send it, make it the last expression of a cell, or call show()."
        const val MAX_QUESTION = 200
        const val MAX_GROWING = 1_000
    }
}
