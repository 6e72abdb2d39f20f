package dev.unifiedllm.jupyter

import dev.unifiedllm.Comparison
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ComparedAnswer
import dev.unifiedllm.chat.ComparisonResult
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.store.amountText

/** One model of a comparison. @property card its answer without a style sheet and without the question */
internal class ComparedColumn(val model: String, val marks: List<String>, val card: Rendered) {
    constructor(model: String, marks: List<String>, card: AnswerCard) : this(model, marks, card.fragment(showQuestion = false, showModel = false))
}

/**
 * Renders the answers of several models side by side, below what was asked. Where the page is narrow, and where it has no style sheets, they stand one below
 * the other. Pure.
 *
 * @param summary how many answers, their costs; null while they arrive
 */
internal fun compareCard(question: String?, columns: List<ComparedColumn>, state: CardState, summary: String? = null): Rendered {
    val html = buildString {
        append("<div class=\"ullm-root ullm-compare $NO_MATHEMATICS\" data-state=\"${state.word}\">")
        question?.let { append(questionLine(it)) }
        append("<div class=\"ullm-columns${if (columns.size == FOUR) " ullm-pairs" else ""}\">")
        for (column in columns) {
            append("<div class=\"ullm-column\"><div class=\"ullm-model\"><b>${escape(column.model)}</b>")
            for (mark in column.marks) append(" <span class=\"ullm-mark\">✓ ${escape(mark)}</span>")
            append("</div>${column.card.html}</div>")
        }
        append("</div>")
        summary?.let { append("<div class=\"ullm-note\">${escape(it)}</div>") }
        append("</div>")
    }
    val asked = question?.let { "> ${it.lineSequence().first()}" }
    val texts = columns.map { column ->
        val marks = column.marks.ifEmpty { null }?.joinToString(", ", " (", ")").orEmpty()
        "${column.model}$marks\n${column.card.text}"
    }
    val text = (listOfNotNull(asked) + texts + listOfNotNull(summary)).joinToString("\n\n")
    return Rendered(styled(html, "compare", "parts", "markdown", "budget"), reveal(text))
}

/** The card of [comparison] in its present state. Sends nothing. */
internal fun comparisonCard(comparison: Comparison): Rendered =
    comparisonCard(comparison, if (comparison.replies.all { it.hasEnded }) resultOf(comparison) else null)

/** @param result null if the comparison runs, or was cancelled */
internal fun comparisonCard(comparison: Comparison, result: ComparisonResult?): Rendered {
    val replies = comparison.replies
    val columns = replies.mapIndexed { index, reply -> ComparedColumn("${reply.model}", result?.let { marks(it, it[index]) }.orEmpty(), answerCard(reply)) }
    val state = when {
        replies.all { it.state == Reply.State.NEW } -> CardState.NEW
        replies.any { !it.hasEnded } -> CardState.STREAMING
        replies.any { it.state == Reply.State.CANCELLED } -> CardState.CANCELLED
        else -> CardState.DONE
    }
    return compareCard(question(replies.first()), columns, state, result?.let(::summary))
}

/** The result of [comparison], whose replies have all ended; null if it was cancelled. Sends nothing. */
private fun resultOf(comparison: Comparison): ComparisonResult? = try {
    comparison.get()
} catch (_: LlmException) {
    null
}

internal fun comparisonCard(result: ComparisonResult): Rendered {
    val question = result.firstNotNullOfOrNull { answer -> answer.response?.let { CardFacts.of(it) }?.question }
    return compareCard(question, result.map { ComparedColumn("${it.model}", marks(result, it), card(it)) }, CardState.DONE, summary(result))
}

/** The card of one answer of a comparison. */
internal fun comparedCard(answer: ComparedAnswer): Rendered = card(answer).render()

private fun card(answer: ComparedAnswer): AnswerCard {
    val response = answer.response ?: (answer.failure as? LlmException)?.partial
    val state = when (answer.failure) {
        null -> CardState.DONE
        is LlmException.Cancelled -> CardState.CANCELLED
        else -> CardState.FAILED
    }
    val facts = response?.let { CardFacts.of(it) } ?: CardFacts.NONE
    return AnswerCard(answer.model, state, response, answer.failure.takeUnless { state == CardState.CANCELLED }, facts)
}

/**
 * What [answer] is among the answers of [result]. No answer is the cheapest if all cost the same, or the fastest if it is the only one. Where an answer has no
 * price, the mark says so: it could be the cheapest.
 */
internal fun marks(result: ComparisonResult, answer: ComparedAnswer): List<String> {
    if (!answer.isComparable) return emptyList()
    val given = result.filter { it.isComparable }
    val priced = given.filter { it.cost.usd() != null }
    val least = result.cheapest?.cost?.usd()
    val isCheapest = least != null && answer.cost.usd() == least && priced.any { it.cost.usd() != least }
    return listOfNotNull(
        if (!isCheapest) {
            null
        } else if (priced.size < given.size) {
            "cheapest of ${priced.size} with a price"
        } else {
            "cheapest"
        },
        "fastest".takeIf { answer === result.fastest && given.size > 1 },
    )
}

/** As in `3 models, 1 failed · $0.0021 in all`. */
private fun summary(result: ComparisonResult): String {
    val failed = result.count { it.failure != null }
    val costs = result.filter { it.failure == null }.map { it.cost }
    val isMadeUp = costs.all { it is Cost.Known && it.source == DEMO_SOURCE }
    val known = costs.filter { isMadeUp || (it as? Cost.Known)?.source != DEMO_SOURCE }.mapNotNull { it.usd() }
    val amount = amountText(known.reduceOrNull { sum, next -> sum + next }, costs.count { it is Cost.Unknown })
    val what = count(result.size, "model") + if (failed > 0) ", $failed failed" else ""
    return if (costs.isEmpty()) what else "$what · $amount in all${if (isMadeUp) " (demo)" else ""}"
}

private const val FOUR = 4 // two rows of two, not three and one
private const val DEMO_SOURCE = "demo"
