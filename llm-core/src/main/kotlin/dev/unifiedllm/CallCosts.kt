package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.ComparisonResult
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.plus
import dev.unifiedllm.middleware.each
import dev.unifiedllm.middleware.mayBeBilled
import dev.unifiedllm.store.LedgerRow

/**
 * What a call that has ended cost.
 *
 * @property cost null if nothing was sent that is billed
 * @property known the sum of what is known, without the made-up costs of demo models
 * @property isIncomplete true if more may be billed than [known]
 */
internal class CallCosts(val cost: Cost?, val known: Usd, val isIncomplete: Boolean) {
    operator fun plus(other: CallCosts): CallCosts {
        val sum = if (cost == null || other.cost == null) cost ?: other.cost else cost + other.cost
        return CallCosts(sum, known + other.known, isIncomplete || other.isIncomplete)
    }

    companion object {
        val NONE: CallCosts = CallCosts(null, Usd.ZERO, isIncomplete = false)
    }
}

/** The costs of [call], which gave [value]. */
internal fun costsOf(call: Call<*>, value: Any): CallCosts = when (value) {
    is ChatResponse -> costs(value.cost, value.model, value.attempts)
    is ImageResponse -> costs(value.cost, value.model, value.attempts)
    is EmbeddingResponse -> costs(value.cost, value.model, value.attempts)
    is ComparisonResult -> value.map { answer -> answer.response?.let { costsOf(call, it) } ?: answer.failure?.let { costsOf(it, true) } ?: CallCosts.NONE }
        .fold(CallCosts.NONE, CallCosts::plus)
    else -> (call as? TypedReply<*>)?.reply?.partial?.let { costsOf(call, it) } ?: unknown("the call does not tell its cost")
}

/** The costs of a call that failed. @param isSent false if it failed before it was sent */
internal fun costsOf(failure: Throwable, isSent: Boolean): CallCosts {
    if (failure !is LlmException) return if (isSent) unknown("the call failed: $failure") else CallCosts.NONE
    val partial = failure.partial
    if (partial?.finishReason != null) return costs(partial.cost, partial.model, partial.attempts)
    val steps = partial?.steps.orEmpty().map { costs(it.cost, partial?.model, emptyList()) }.fold(CallCosts.NONE, CallCosts::plus)
    val isBilled = failure.attempts.mapNotNull { it.error }.plus(failure.each()).any { it.mayBeBilled } || partial?.model != null
    return if (isBilled) steps + costs(Cost.Unknown("the response was cut"), partial?.model, emptyList()) else steps
}

/** @param attempts of which all but the last one failed */
private fun costs(cost: Cost, model: ModelId?, attempts: List<Delta.Attempt>): CallCosts {
    val isDemo = model?.provider == LedgerRow.DEMO
    val isIncomplete = !isDemo && (cost is Cost.Unknown || attempts.any { it.error?.mayBeBilled == true })
    return CallCosts(cost, if (isDemo) Usd.ZERO else cost.usd() ?: Usd.ZERO, isIncomplete)
}

private fun unknown(why: String) = CallCosts(Cost.Unknown(why), Usd.ZERO, isIncomplete = true)
