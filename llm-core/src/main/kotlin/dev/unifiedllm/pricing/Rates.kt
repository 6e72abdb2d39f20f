package dev.unifiedllm.pricing

import java.math.BigDecimal

/** US dollars per million tokens, by the counter of the tokens. A rate that the source does not state is null. */
internal data class Rates(
    val input: BigDecimal?,
    val output: BigDecimal?,
    val cacheRead: BigDecimal? = null,
    val cacheWrite: BigDecimal? = null,
    val cacheWrite1h: BigDecimal? = null,
    val reasoning: BigDecimal? = null,
    val audioIn: BigDecimal? = null,
    val audioOut: BigDecimal? = null,
    val imageOut: BigDecimal? = null,
    val imageIn: BigDecimal? = null,
    val cacheReadAudio: BigDecimal? = null,
    val cacheReadImage: BigDecimal? = null,
) {
    operator fun times(factor: BigDecimal): Rates = combined(this) { own, _ -> own?.multiply(factor) }

    operator fun plus(other: Rates): Rates = combined(other) { own, others -> own?.add(others ?: BigDecimal.ZERO) }

    private inline fun combined(other: Rates, combine: (BigDecimal?, BigDecimal?) -> BigDecimal?) = Rates(
        combine(input, other.input),
        combine(output, other.output),
        combine(cacheRead, other.cacheRead),
        combine(cacheWrite, other.cacheWrite),
        combine(cacheWrite1h, other.cacheWrite1h),
        combine(reasoning, other.reasoning),
        combine(audioIn, other.audioIn),
        combine(audioOut, other.audioOut),
        combine(imageOut, other.imageOut),
        combine(imageIn, other.imageIn),
        combine(cacheReadAudio, other.cacheReadAudio),
        combine(cacheReadImage, other.cacheReadImage),
    )
}

/** The rates of whole requests with more than [above] input tokens. */
internal data class LongContext(val above: Long, val rates: Rates)

/** The rates of a request by its length. @param longContext ascending */
internal data class RateTable(val base: Rates, private val longContext: List<LongContext> = emptyList()) {
    /** True if a request with [input] input tokens has rates of its own. */
    fun isLong(input: Long): Boolean = longContext.any { input > it.above }

    /** The rates of a request with [input] input tokens. */
    fun rates(input: Long): Rates {
        val long = longContext.lastOrNull { input > it.above }?.rates ?: return base
        return long.copy(input = long.input ?: base.input, output = long.output ?: base.output)
    }

    /** The rates of all requests with up to [input] input tokens. */
    fun upTo(input: Long): List<Rates> = listOf(base) + longContext.filter { input > it.above }.map { it.rates }

    fun changed(change: (Rates) -> Rates): RateTable = RateTable(change(base), longContext.map { LongContext(it.above, change(it.rates)) })
}
