package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import java.util.Locale
import kotlin.math.roundToLong
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.DurationUnit

/** Tokens, cost, times and speed of [response], as far as they are known. @param estimate the cost of a response that was cut */
internal fun answerFacts(response: ChatResponse, estimate: Cost? = null): List<String> {
    val isCut = response.finishReason == null
    val cost = if (isCut && response.cost is Cost.Unknown) estimate else response.cost
    return listOfNotNull(
        tokens(response.usage).takeUnless { isCut && response.usage == null },
        cost(cost).takeUnless { isCut && cost == null },
        response.timeToFirstToken?.let { "first token ${seconds(it)}" },
        seconds(response.latency),
        speed(response),
    )
}

/** The line below a card. @param model null if it is not known, or not to be named @param facts a null is left out */
internal fun footerLine(model: String?, facts: List<String?>, html: Boolean): String {
    val names = listOfNotNull(model)
    val items = names.map { if (html) "<b>${escape(it)}</b>" else it } + facts.filterNotNull().map { if (html) escape(it) else it }
    return items.joinToString(if (html) "\u00A0· " else " · ") // in a narrow window a line ends with the dot
}

internal fun tokens(usage: Usage?): String {
    if (usage == null) return "tokens n/a"
    val about = if (usage.estimated) "~" else ""
    val cached = usage.cacheReadTokens?.takeIf { it > 0 }?.let { " (${count(it)} cached)" }.orEmpty()
    return "${usage.inputTokens?.let { about + count(it) } ?: "n/a"} in$cached + ${usage.outputTokens?.let { about + count(it) } ?: "n/a"} out"
}

internal fun cost(cost: Cost?): String = when (cost) {
    is Cost.Known -> (if (cost.estimated) "~" else "") + cost.amount.toDisplayString() + if (cost.source == DEMO) " (demo)" else ""
    Cost.Free -> "free"
    is Cost.Unknown, null -> "$ n/a"
}

/** As in `0.42 s`, `1.9 s` or `2 min 5 s`. */
internal fun seconds(duration: Duration): String = when {
    duration.inWholeMilliseconds < SHORT_MILLIS -> "${duration.inWholeMilliseconds} ms"
    duration.inWholeMilliseconds < MILLIS -> "%.2f s".format(Locale.ROOT, duration.toDouble(DurationUnit.SECONDS))
    duration.inWholeMilliseconds < MINUTE_MILLIS -> "%.1f s".format(Locale.ROOT, duration.toDouble(DurationUnit.SECONDS))
    else -> duration.inWholeSeconds.let { "${it / SIXTY} min" + if (it % SIXTY > 0) " ${it % SIXTY} s" else "" }
}

/** Null where the time from the first token to the end is not that of these tokens: tools ran in it, or the tokens are estimated. */
private fun speed(response: ChatResponse): String? {
    val usage = response.usage?.takeUnless { it.estimated || response.messages.size > 1 } ?: return null
    val hidden = usage.reasoningTokens?.takeIf { response.reasoning.isEmpty() } ?: 0 // before the first token that is seen
    val output = usage.outputTokens?.minus(hidden) ?: return null
    val streaming = response.latency - (response.timeToFirstToken ?: return null)
    val perSecond = output / streaming.toDouble(DurationUnit.SECONDS)
    return if (output < 2 || streaming < SHORTEST) null else "${rate(perSecond)} tok/s"
}

private fun rate(perSecond: Double): String = if (perSecond < TEN) "%.1f".format(Locale.ROOT, perSecond) else count(perSecond.roundToLong())

/** How a response ended, in a sentence; null for an ordinary end. @param reason null: it is incomplete */
internal fun ending(reason: FinishReason?): String? {
    val raw = reason?.raw?.ifBlank { null }?.capped("reason", MAX_REASON)?.let { " ($it)" }.orEmpty()
    return when (reason?.kind) {
        null -> "Incomplete: the response has no end."
        FinishReason.Kind.STOP, FinishReason.Kind.TOOL_CALLS -> null
        FinishReason.Kind.LENGTH -> "Cut at the token limit. Raise maxTokens for a longer answer."
        FinishReason.Kind.MAX_ITERATIONS -> "Stopped at the limit of the tool loop: the last tool calls were not run. Raise maxIterations for more."
        FinishReason.Kind.CONTENT_FILTER -> "The provider's filter withheld text$raw."
        FinishReason.Kind.REFUSAL -> "The model declined to answer$raw."
        FinishReason.Kind.ERROR -> "The provider ended the response with an error$raw."
        FinishReason.Kind.OTHER -> "Ended for another reason$raw."
        FinishReason.Kind.UNKNOWN -> "The provider gave no reason for the end$raw."
    }
}

private const val MAX_REASON = 200
private const val SHORT_MILLIS = 10
private const val MILLIS = 1_000
private const val TEN = 10
private const val SIXTY = 60
private const val MINUTE_MILLIS = 60_000

/** A response that arrives in less time has no meaningful speed. */
private val SHORTEST = 50.milliseconds
