package dev.unifiedllm.pricing

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import java.math.BigDecimal
import java.time.LocalDate

/**
 * What a model costs, in dollars per million tokens. Null: not stated; the counter is then billed as the one it is a part of.
 *
 * @property source who states it
 * @property asOf when it was read there; null if unknown
 */
public class Price private constructor(
    @get:JvmName("source") public val source: String,
    @get:JvmName("asOf") public val asOf: LocalDate?,
    @get:JvmSynthetic internal val rates: Rates,
    @get:JvmSynthetic internal val tiers: List<Tier>,
) {
    @get:JvmName("inputPerMillion")
    public val inputPerMillion: Usd? get() = rates.input?.let(Usd::of)

    @get:JvmName("outputPerMillion")
    public val outputPerMillion: Usd? get() = rates.output?.let(Usd::of)

    @get:JvmName("cacheReadPerMillion")
    public val cacheReadPerMillion: Usd? get() = rates.cacheRead?.let(Usd::of)

    @get:JvmName("cacheWritePerMillion")
    public val cacheWritePerMillion: Usd? get() = rates.cacheWrite?.let(Usd::of)

    /** What [usage] costs; Unknown where a figure that it needs is missing. */
    public fun cost(usage: Usage?): Cost {
        val input = usage?.inputTokens ?: return Cost.Unknown("the tokens were not reported")
        val output = usage.outputTokens ?: return Cost.Unknown("the tokens of the answer were not reported")
        val rates = tiers.lastOrNull { input > it.above }?.let { rates.replacedBy(it) } ?: rates
        val inputRate = rates.input ?: return Cost.Unknown("no price is stated for tokens sent")
        val image = usage.imageTokens?.coerceAtMost(output) ?: 0
        // Vectors have no output, and what draws may have a price for images only.
        val isOutputPriced = output == 0L || (output == image && rates.imageOut != null)
        val outputRate = rates.output
            ?: if (isOutputPriced) BigDecimal.ZERO else return Cost.Unknown("no price is stated for tokens received")
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

    /** Other rates for the whole request once more than [above] tokens are sent. */
    internal class Tier(val above: Long, val rates: Rates)

    /** States a price in code. */
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
            require(stated.all { it == null || it >= Usd.ZERO }) { "a price is not negative" }
            requireNotNull(inputPerMillion) { "a price needs inputPerMillion" }
            requireNotNull(outputPerMillion) { "a price needs outputPerMillion" }
            val rates = Rates(inputPerMillion?.amount, outputPerMillion?.amount, cacheReadPerMillion?.amount, cacheWritePerMillion?.amount)
            return Price(source, null, rates, emptyList())
        }
    }

    internal companion object {
        private const val MILLION_DIGITS = 6

        fun of(source: String, asOf: LocalDate?, rates: Rates, tiers: List<Tier> = emptyList()): Price = Price(source, asOf, rates, tiers)
    }
}
