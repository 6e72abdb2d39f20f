package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportResponse

/** [delta] with what some servers send in headers: the cost, for a finish without one, and the tokens of embeddings, for a finish without usage. */
internal fun TransportResponse.billed(delta: Delta, target: Target, request: Request): Delta {
    if (delta !is Delta.Finish) return delta
    val counted = if (delta.usage == null && request is EmbeddingRequest) delta.copy(usage = inputTokens()?.let { Usage.of(it, 0) }) else delta
    val cost = if (delta.cost is Cost.Known) null else cost(target)
    return if (cost == null) counted else counted.copy(cost = cost)
}

private fun TransportResponse.inputTokens(): Long? = header(BEDROCK_INPUT_TOKENS)?.trim()?.toLongOrNull()?.takeIf { it >= 0 }

/** Null if there is none. An amount beyond all reason does not count. */
private fun TransportResponse.cost(target: Target): Cost? {
    val name = target.provider.quirks.costHeader ?: LITELLM_COST.takeIf { target.isElsewhere } ?: return null
    val amount = header(name)?.trim()?.toBigDecimalOrNull() ?: return null
    val isPlausible = amount.signum() > 0 && amount.scale() in SCALES && amount.precision() <= DIGITS
    return if (isPlausible) Cost.Known(Usd.of(amount), target.provider.id) else null
}

/** Of a LiteLLM proxy, which may stand at the base URL of any provider. */
private const val LITELLM_COST = "x-litellm-response-cost"
private const val BEDROCK_INPUT_TOKENS = "x-amzn-bedrock-input-token-count"
private val SCALES = -6..30
private const val DIGITS = 40
