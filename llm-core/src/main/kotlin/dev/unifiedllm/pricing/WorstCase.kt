package dev.unifiedllm.pricing

import java.math.BigDecimal

/**
 * The most that a request can cost by a price.
 *
 * @property input for all of its input, with fees that each response has
 * @property perOutputToken null if no rate is known
 */
internal class WorstCase(val input: BigDecimal, val perOutputToken: BigDecimal?)

/**
 * What bounds the cost of a request before it is sent.
 *
 * @property tokens at least as many as its input has
 * @property hasOptions true if it may choose a service tier, a condition or a built-in tool in the provider's own words
 */
internal class InputBound(val tokens: Long, val serviceTier: String? = null, val hasOptions: Boolean = false, val writesCache: Boolean = false)

/** The dearest rates of [tables] that can apply to [bound], times [factor]; null if the input has no rate. */
internal fun worstCase(bound: InputBound, tables: List<RateTable>, factor: BigDecimal, fee: BigDecimal): WorstCase? {
    val rates = tables.flatMap { it.upTo(bound.tokens) }
    if (rates.all { it.input == null }) return null
    val input = rates.flatMap { rate ->
        val hour = rate.cacheWrite1h.takeIf { bound.writesCache || bound.hasOptions }
        listOfNotNull(rate.input, rate.cacheRead, rate.cacheWrite, hour, rate.audioIn, rate.imageIn, rate.cacheReadAudio, rate.cacheReadImage)
    }.max()
    val output = rates.flatMap { listOfNotNull(it.output, it.reasoning, it.audioOut, it.imageOut) }.maxOrNull()
    val scale = factor.movePointLeft(MILLION_DIGITS)
    return WorstCase(input.multiply(BigDecimal.valueOf(bound.tokens)).multiply(scale).add(fee), output?.multiply(scale))
}

private const val MILLION_DIGITS = 6
