package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import java.time.LocalDate

/**
 * What [Llm.refreshPrices] or [Llm.importPrices] took. The prices apply to the client at once, also to calls that run.
 *
 * @property source who states the prices, as costs name it: a file, a URL without its query, or the price list of a proxy
 * @property asOf the day on which they were read
 * @property modelsBefore how many models had a price in what was replaced
 * @property modelsAfter how many models have one now
 * @property unpriced the models of a proxy that it told no price for, or several; empty for files and URLs
 */
public class PriceRefresh internal constructor(
    @get:JvmName("source") public val source: String,
    @get:JvmName("asOf") public val asOf: LocalDate,
    @get:JvmName("modelsBefore") public val modelsBefore: Int,
    @get:JvmName("modelsAfter") public val modelsAfter: Int,
    @get:JvmName("unpriced") public val unpriced: List<ModelId>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** As in `prices of 4290 models (before: 4120) from prices.json, 2026-11-27`. */
    override fun toString(): String {
        val rest = if (unpriced.isEmpty()) "" else "; without a price: ${unpriced.joinToString()}"
        return "prices of $modelsAfter models (before: $modelsBefore) from $source, $asOf$rest"
    }
}
