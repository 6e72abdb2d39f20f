package dev.unifiedllm.chat

import java.math.BigDecimal
import java.math.RoundingMode

/** An exact amount of US dollars. */
public class Usd private constructor(@get:JvmName("amount") public val amount: BigDecimal) : Comparable<Usd> {
    public operator fun plus(other: Usd): Usd = Usd(amount + other.amount)

    public operator fun minus(other: Usd): Usd = Usd(amount - other.amount)

    public operator fun times(factor: Long): Usd = Usd(amount * BigDecimal.valueOf(factor))

    override fun compareTo(other: Usd): Int = amount.compareTo(other.amount)

    override fun equals(other: Any?): Boolean = other is Usd && amount.compareTo(other.amount) == 0

    override fun hashCode(): Int = amount.stripTrailingZeros().hashCode()

    /** With at least two decimals and all that are needed: `$1.50`, `$0.000123`. */
    override fun toString(): String = format(amount.stripTrailingZeros())

    /** Rounded for people: two decimals from one cent on, else three significant digits: `$0.0123`, `$0.00000415`. */
    public fun toDisplayString(): String {
        if (amount.signum() == 0) return "$0.00"
        val magnitude = amount.abs()
        val decimals = if (magnitude >= BigDecimal.ONE) 2 else magnitude.scale() - magnitude.precision() + 3
        return format(amount.setScale(decimals.coerceAtLeast(2), RoundingMode.HALF_UP))
    }

    private fun format(value: BigDecimal): String {
        val shown = if (value.scale() < 2) value.setScale(2) else value
        return if (shown.signum() < 0) "-$" + shown.negate().toPlainString() else "$" + shown.toPlainString()
    }

    public companion object {
        @JvmField
        public val ZERO: Usd = Usd(BigDecimal.ZERO)

        @JvmStatic
        public fun of(amount: BigDecimal): Usd = Usd(amount)

        /** @throws NumberFormatException if [amount] is not a decimal number, such as `0.01` */
        @JvmStatic
        public fun of(amount: String): Usd = try {
            Usd(BigDecimal(amount))
        } catch (_: NumberFormatException) {
            throw NumberFormatException("an amount is a decimal number of US dollars, such as 0.01, was \"$amount\"")
        }
    }
}
