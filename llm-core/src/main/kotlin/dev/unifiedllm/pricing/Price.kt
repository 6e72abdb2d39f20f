package dev.unifiedllm.pricing

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import java.math.BigDecimal
import java.time.LocalDate

/**
 * The price of a model in US dollars per million tokens.
 *
 * A rate is null if the source does not state it. A null cache rate: those tokens are billed as input tokens. A null input rate gives [Cost.Unknown], and so
 * does a null output rate for a response with output tokens.
 *
 * @property source who states the price: a price table, `user`, `demo`
 * @property asOf the day on which the price was read from the source; null if unknown
 */
public class Price private constructor(
    @get:JvmName("source") public val source: String,
    @get:JvmName("asOf") public val asOf: LocalDate?,
    @get:JvmSynthetic internal val rates: Rates,
    @get:JvmSynthetic internal val tiers: List<Tier>,
) {
    /** US dollars per million input tokens. */
    @get:JvmName("inputPerMillion")
    public val inputPerMillion: Usd? get() = rates.input?.let(Usd::of)

    /** US dollars per million output tokens, reasoning included. */
    @get:JvmName("outputPerMillion")
    public val outputPerMillion: Usd? get() = rates.output?.let(Usd::of)

    /** US dollars per million tokens read from a cache. */
    @get:JvmName("cacheReadPerMillion")
    public val cacheReadPerMillion: Usd? get() = rates.cacheRead?.let(Usd::of)

    /** US dollars per million tokens written to a cache. */
    @get:JvmName("cacheWritePerMillion")
    public val cacheWritePerMillion: Usd? get() = rates.cacheWrite?.let(Usd::of)

    /** Returns the cost of [usage], or [Cost.Unknown] if a token count or a rate that it needs is missing. */
    public fun cost(usage: Usage?): Cost {
        val input = usage?.inputTokens ?: return Cost.Unknown("the provider did not report the input tokens")
        val output = usage.outputTokens ?: return Cost.Unknown("the provider did not report the output tokens")
        val rates = tiers.lastOrNull { input > it.above }?.let { rates.replacedBy(it) } ?: rates
        val inputRate = rates.input ?: return Cost.Unknown("no price is known for input tokens")
        val image = usage.imageTokens?.coerceAtMost(output) ?: 0
        // Embeddings have no output tokens, and a model that makes images may have a price for image tokens only.
        val isOutputPriced = output == 0L || (output == image && rates.imageOut != null)
        val outputRate = rates.output
            ?: if (isOutputPriced) BigDecimal.ZERO else return Cost.Unknown("no price is known for output tokens")
        if (usage.billedInputTokens != null && usage.billedOutputTokens != null) {
            val billed = inputRate.of(usage.billedInputTokens) + outputRate.of(usage.billedOutputTokens)
            return Cost.Known(Usd.of(billed), source, asOf, usage.estimated)
        }
        val cacheRead = usage.cacheReadTokens ?: 0
        val cacheWrite1h = usage.cacheWrite1hTokens ?: 0
        val cacheWrite = (usage.cacheWriteTokens ?: 0) - cacheWrite1h
        val audioIn = usage.audioInputTokens ?: 0
        val reasoning = usage.reasoningTokens ?: 0
        val audioOut = usage.audioOutputTokens ?: 0
        val plainInput = (input - cacheRead - cacheWrite - cacheWrite1h - audioIn).coerceAtLeast(0)
        val plainOutput = (output - reasoning - audioOut - image).coerceAtLeast(0)
        val total = inputRate.of(plainInput) +
            (rates.cacheRead ?: inputRate).of(cacheRead) +
            (rates.cacheWrite ?: inputRate).of(cacheWrite) +
            (rates.cacheWrite1h ?: rates.cacheWrite ?: inputRate).of(cacheWrite1h) +
            (rates.audioIn ?: inputRate).of(audioIn) +
            outputRate.of(plainOutput) +
            (rates.reasoning ?: outputRate).of(reasoning) +
            (rates.audioOut ?: outputRate).of(audioOut) +
            (rates.imageOut ?: outputRate).of(image)
        return Cost.Known(Usd.of(total), source, asOf, usage.estimated)
    }

    private fun BigDecimal.of(tokens: Long): BigDecimal = multiply(BigDecimal.valueOf(tokens)).movePointLeft(MILLION_DIGITS)

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
    ) {
        fun replacedBy(tier: Tier): Rates = copy(
            input = tier.rates.input ?: input,
            output = tier.rates.output ?: output,
            cacheRead = tier.rates.cacheRead ?: cacheRead,
            cacheWrite = tier.rates.cacheWrite ?: cacheWrite,
        )
    }

    /** The rates of a whole request with more than [above] input tokens. A rate that is null is that of the price. */
    internal class Tier(val above: Long, val rates: Rates)

    /**
     * Builds a price, in US dollars per million tokens. The rates of input and output tokens are required, 0 means free; a null cache rate is that of input
     * tokens.
     *
     * A rate that is missing or negative throws an [IllegalArgumentException] when the price is built.
     */
    @LlmDsl
    public class Builder @InternalLlmApi constructor() {
        @get:JvmSynthetic @set:JvmSynthetic
        public var inputPerMillion: Usd? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var outputPerMillion: Usd? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var cacheReadPerMillion: Usd? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var cacheWritePerMillion: Usd? = null

        public fun inputPerMillion(price: Usd): Builder = apply { inputPerMillion = price }

        public fun outputPerMillion(price: Usd): Builder = apply { outputPerMillion = price }

        public fun cacheReadPerMillion(price: Usd): Builder = apply { cacheReadPerMillion = price }

        public fun cacheWritePerMillion(price: Usd): Builder = apply { cacheWritePerMillion = price }

        @InternalLlmApi
        public fun build(source: String): Price {
            val stated = listOf(inputPerMillion, outputPerMillion, cacheReadPerMillion, cacheWritePerMillion)
            require(stated.all { it == null || it >= Usd.ZERO }) { "a price must not be negative, was ${stated.first { it != null && it < Usd.ZERO }}" }
            requireNotNull(inputPerMillion) { "a price needs inputPerMillion: set it, to zero if input tokens are free" }
            requireNotNull(outputPerMillion) { "a price needs outputPerMillion: set it, to zero if output tokens are free" }
            val rates = Rates(inputPerMillion?.amount, outputPerMillion?.amount, cacheReadPerMillion?.amount, cacheWritePerMillion?.amount)
            return Price(source, null, rates, emptyList())
        }
    }

    internal companion object {
        private const val MILLION_DIGITS = 6

        fun of(source: String, asOf: LocalDate?, rates: Rates, tiers: List<Tier> = emptyList()): Price = Price(source, asOf, rates, tiers)
    }
}
