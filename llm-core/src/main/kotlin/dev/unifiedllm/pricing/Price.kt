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
    private val table: RateTable,
    private val terms: Terms,
    /** US dollars for an image that the model makes, whatever its size; null if images are billed by tokens, or by their size and quality. */
    @get:JvmName("perImage") public val perImage: Usd? = null,
) {
    /** True if tokens have a price. */
    @get:JvmSynthetic
    internal val isOfTokens: Boolean get() = table.base.input != null || table.base.output != null || table.base.imageOut != null

    /** US dollars per million input tokens. */
    @get:JvmName("inputPerMillion")
    public val inputPerMillion: Usd? get() = table.base.input?.let(Usd::of)

    /** US dollars per million output tokens, reasoning included. */
    @get:JvmName("outputPerMillion")
    public val outputPerMillion: Usd? get() = table.base.output?.let(Usd::of)

    /** US dollars per million tokens read from a cache. */
    @get:JvmName("cacheReadPerMillion")
    public val cacheReadPerMillion: Usd? get() = table.base.cacheRead?.let(Usd::of)

    /** US dollars per million tokens written to a cache. */
    @get:JvmName("cacheWritePerMillion")
    public val cacheWritePerMillion: Usd? get() = table.base.cacheWrite?.let(Usd::of)

    /** The fee for a web search of the provider; null if it is not known, or depends on the size of the search. */
    @get:JvmName("perWebSearch")
    public val perWebSearch: Usd? get() = terms.search?.uniform?.let(Usd::of)

    /**
     * Returns the cost of [usage], or [Cost.Unknown] if a token count or a rate that it needs is missing.
     *
     * The usage of a response has more than tokens: the service tier in which the provider served it, and the web searches. A price that was set in
     * code is that of every tier.
     */
    public fun cost(usage: Usage?): Cost = cost(usage) { null }

    /** The cost of [usage], of which other models may have had a part. @param priceOf the price of another model of the same provider; null if none is known */
    @JvmSynthetic
    internal fun cost(usage: Usage?, priceOf: (String) -> Price?): Cost =
        cost(usage, table, terms, priceOf) { Cost.Known(it, source, asOf, usage!!.estimated) }

    /** The most that a request within [bound] can cost; null if input tokens have no rate. The number of web searches is not bounded: one counts. */
    @JvmSynthetic
    internal fun worstCase(bound: InputBound): WorstCase? {
        val mayDiffer = (bound.hasOptions || bound.serviceTier != null) && !terms.isUniform
        val tables = if (mayDiffer) terms.services.values + table else listOf(table)
        val factor = if (mayDiffer) terms.factors.values.filter { it > BigDecimal.ONE }.fold(BigDecimal.ONE, BigDecimal::multiply) else BigDecimal.ONE
        return worstCase(bound, tables, factor, terms.search?.dearest(always = !bound.hasOptions) ?: BigDecimal.ZERO)
    }

    /** What two prices have alike that bill the same, whoever states them. */
    @JvmSynthetic
    internal fun terms(): Any = listOf(table.toString(), terms.toString(), perImage)

    /** This price with other rates. */
    @JvmSynthetic
    internal fun changed(change: (Rates) -> Rates): Price = Price(source, asOf, table.changed(change), terms.changed(change), perImage)

    /**
     * Builds a price, in US dollars per million tokens. The rates of input and output tokens are required unless there is a price per image, 0 means free; a
     * null cache rate is that of input tokens.
     *
     * The functions take an amount as [Usd], [BigDecimal], number or text: `inputPerMillion(0.10)` and `inputPerMillion("0.10")` are exactly ten cents. What
     * is no number, such as NaN, throws a [NumberFormatException].
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

        /** The fee for a web search that the provider runs; null: the cost of a response with searches is unknown. */
        @get:JvmSynthetic @set:JvmSynthetic
        public var perWebSearch: Usd? = null

        /** The price of an image that the model makes; null: its images are billed by their tokens. */
        @get:JvmSynthetic @set:JvmSynthetic
        public var perImage: Usd? = null

        public fun inputPerMillion(price: Usd): Builder = apply { inputPerMillion = price }

        public fun inputPerMillion(price: BigDecimal): Builder = inputPerMillion(Usd.of(price))

        public fun inputPerMillion(price: Double): Builder = inputPerMillion(BigDecimal.valueOf(price))

        public fun inputPerMillion(price: String): Builder = inputPerMillion(Usd.of(price))

        public fun outputPerMillion(price: Usd): Builder = apply { outputPerMillion = price }

        public fun outputPerMillion(price: BigDecimal): Builder = outputPerMillion(Usd.of(price))

        public fun outputPerMillion(price: Double): Builder = outputPerMillion(BigDecimal.valueOf(price))

        public fun outputPerMillion(price: String): Builder = outputPerMillion(Usd.of(price))

        public fun cacheReadPerMillion(price: Usd): Builder = apply { cacheReadPerMillion = price }

        public fun cacheReadPerMillion(price: BigDecimal): Builder = cacheReadPerMillion(Usd.of(price))

        public fun cacheReadPerMillion(price: Double): Builder = cacheReadPerMillion(BigDecimal.valueOf(price))

        public fun cacheReadPerMillion(price: String): Builder = cacheReadPerMillion(Usd.of(price))

        public fun cacheWritePerMillion(price: Usd): Builder = apply { cacheWritePerMillion = price }

        public fun cacheWritePerMillion(price: BigDecimal): Builder = cacheWritePerMillion(Usd.of(price))

        public fun cacheWritePerMillion(price: Double): Builder = cacheWritePerMillion(BigDecimal.valueOf(price))

        public fun cacheWritePerMillion(price: String): Builder = cacheWritePerMillion(Usd.of(price))

        public fun perWebSearch(fee: Usd): Builder = apply { perWebSearch = fee }

        public fun perWebSearch(fee: BigDecimal): Builder = perWebSearch(Usd.of(fee))

        public fun perWebSearch(fee: Double): Builder = perWebSearch(BigDecimal.valueOf(fee))

        public fun perWebSearch(fee: String): Builder = perWebSearch(Usd.of(fee))

        public fun perImage(price: Usd): Builder = apply { perImage = price }

        public fun perImage(price: BigDecimal): Builder = perImage(Usd.of(price))

        public fun perImage(price: Double): Builder = perImage(BigDecimal.valueOf(price))

        public fun perImage(price: String): Builder = perImage(Usd.of(price))

        @InternalLlmApi
        public fun build(source: String): Price = build(source, null)

        @JvmSynthetic
        internal fun build(source: String, asOf: LocalDate?): Price {
            val stated = listOf(inputPerMillion, outputPerMillion, cacheReadPerMillion, cacheWritePerMillion, perWebSearch, perImage)
            require(stated.all { it == null || it >= Usd.ZERO }) { "a price must not be negative, was ${stated.first { it != null && it < Usd.ZERO }}" }
            val isOfImages = perImage != null
            require(isOfImages || inputPerMillion != null) { "a price needs inputPerMillion: set it, to zero if input tokens are free" }
            require(isOfImages || outputPerMillion != null) { "a price needs outputPerMillion: set it, to zero if output tokens are free" }
            val rates = Rates(inputPerMillion?.amount, outputPerMillion?.amount, cacheReadPerMillion?.amount, cacheWritePerMillion?.amount)
            val search = perWebSearch?.let { fee -> SearchFee(SearchFee.Unit.QUERY, mapOf("medium" to fee.amount)) }
            return Price(source, asOf, RateTable(rates), Terms(search = search, isUniform = true), perImage)
        }
    }

    internal companion object {
        fun of(source: String, asOf: LocalDate?, table: RateTable, terms: Terms = Terms()): Price = Price(source, asOf, table, terms)
    }
}
