package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Billing
import java.math.BigDecimal

/**
 * What a price depends on beside the tokens.
 *
 * @property services the rates of the service tiers, by their names
 * @property factors what the rates are multiplied with under the [Billing.conditions]
 * @property search the fee for web searches; null if none is known
 * @property isUniform true if the rates are those of every service tier and condition: a price that the user set
 */
internal data class Terms(
    val services: Map<String, RateTable> = emptyMap(),
    val factors: Map<String, BigDecimal> = emptyMap(),
    val search: SearchFee? = null,
    val isUniform: Boolean = false,
) {
    fun changed(change: (Rates) -> Rates): Terms = Terms(services.mapValues { it.value.changed(change) }, factors, search, isUniform)
}

/** A fee for web searches in US dollars. @param bySize by the size of the search context */
internal data class SearchFee(private val unit: Unit, private val bySize: Map<String, BigDecimal>) {
    enum class Unit {
        /** Each search. */
        QUERY,

        /** A response with searches, however many. */
        PROMPT,

        /** Every response. */
        REQUEST,
    }

    /** The fee for a search whose size is not known; null if there are several. */
    val uniform: BigDecimal? get() = bySize.values.distinctBy { it.stripTrailingZeros() }.singleOrNull()

    /** The most that one search, or one response with searches, costs; what each response costs if [always]. */
    fun dearest(always: Boolean): BigDecimal = if (always && unit != Unit.REQUEST) BigDecimal.ZERO else bySize.values.maxOrNull() ?: BigDecimal.ZERO

    /** The fee for a response; null if it depends on something that the provider did not report. */
    fun of(billing: Billing): BigDecimal? {
        val searches = billing.webSearches ?: 0
        val count = when (unit) {
            Unit.QUERY -> searches
            Unit.PROMPT -> searches.coerceAtMost(1)
            Unit.REQUEST -> 1
        }
        if (count == 0L) return BigDecimal.ZERO
        return (bySize[billing.searchContext] ?: uniform)?.multiply(BigDecimal.valueOf(count))
    }
}
