package dev.unifiedllm.chat

import java.time.LocalDate

/** The cost of a response. An unknown cost is [Unknown], never zero. */
public sealed class Cost {
    /** The amount, or null when it is [Unknown]; zero for [Free]. */
    public abstract fun usd(): Usd?

    /**
     * @property source the source of the price: a price table, the provider, `demo`, `user`
     * @property asOf the day on which the price was read; null for what the provider billed and for prices set in code
     * @property estimated true if the model or interceptor that built the usage counted the tokens itself, or the provider calls its figure an estimate
     */
    public data class Known @JvmOverloads constructor(
        @get:JvmName("amount") public val amount: Usd,
        @get:JvmName("source") public val source: String,
        @get:JvmName("asOf") public val asOf: LocalDate? = null,
        @get:JvmName("estimated") public val estimated: Boolean = false,
    ) : Cost() {
        override fun usd(): Usd = amount

        /** As in `$0.00042 (litellm 1.109.1, 2026-11-21)`. */
        override fun toString(): String = listOfNotNull(source, asOf, "estimated".takeIf { estimated }).joinToString(", ", "$amount (", ")")
    }

    /** Nothing is billed: the model runs on this machine, is a function of the user's, or belongs to a provider that the user marked as free. */
    public data object Free : Cost() {
        override fun usd(): Usd = Usd.ZERO
    }

    /** @property why what is missing: the price, with how to set one where that helps, or the tokens */
    public data class Unknown(@get:JvmName("why") public val why: String) : Cost() {
        override fun usd(): Usd? = null
    }
}
