package dev.unifiedllm

import dev.unifiedllm.pricing.Price

/**
 * Who bills for a model.
 *
 * @property price what is billed; null if nobody bills, or the price is unknown
 * @property why as a part of a sentence; how to set a price is in it if that is unknown
 */
internal class BillingRule(val kind: Kind, val price: Price?, val why: String) {
    enum class Kind {
        /** Nobody bills. */
        FREE,

        /** The user has set the price, in code or in a file. */
        SET,

        /** The server has told the price. */
        TOLD,

        /** The catalogue has the price. */
        LISTED,

        UNKNOWN,
    }

    override fun toString(): String = "${kind.name.lowercase()}: $why"
}
