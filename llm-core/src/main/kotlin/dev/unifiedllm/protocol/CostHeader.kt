package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportResponse

/** [delta] with the cost that some servers send in a header, if it is a finish without a cost. An amount beyond all reason does not count. */
internal fun TransportResponse.billed(delta: Delta, target: Target): Delta {
    if (delta !is Delta.Finish || delta.cost is Cost.Known) return delta
    val amount = target.provider.quirks.costHeader?.let(::header)?.trim()?.toBigDecimalOrNull() ?: return delta
    val isPlausible = amount.signum() > 0 && amount.scale() in SCALES && amount.precision() <= DIGITS
    return if (isPlausible) delta.copy(cost = Cost.Known(Usd.of(amount), target.provider.id)) else delta
}

private val SCALES = -6..30
private const val DIGITS = 40
