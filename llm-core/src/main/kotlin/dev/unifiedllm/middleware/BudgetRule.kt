package dev.unifiedllm.middleware

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.BudgetAmounts
import dev.unifiedllm.store.BudgetClaim
import java.math.BigDecimal
import java.math.RoundingMode
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId
import java.time.ZoneOffset

/**
 * A budget. An attempt that ends in another period than it began in counts in that of its beginning.
 *
 * @property unknownPrice null: what the client does
 */
internal class BudgetRule(
    val name: String,
    private val amount: Usd,
    val period: Period,
    private val tag: String? = null,
    private val zone: ZoneId = ZoneOffset.UTC,
    val unknownPrice: BudgetPolicy? = null,
    val whenUnavailable: BudgetPolicy = BudgetPolicy.REFUSE,
    private val warnings: List<Pair<Double, (BudgetStatus) -> Unit>> = emptyList(),
) {
    /** As in `budget "day" of the tag a`. */
    val title: String get() = "budget \"$name\"${tag?.let { " of the tag $it" }.orEmpty()}"

    fun holdsFor(context: CallContext): Boolean = tag == null || tag in context.tags

    fun claim(at: Instant): BudgetClaim = BudgetClaim(account(at), pico(amount.amount), end(at))

    private fun account(at: Instant): String =
        listOfNotNull("$period", day(at)?.let { "${zone.normalized()} $it" }, name, tag).joinToString("/") { it.replace("%", "%25").replace("/", "%2F") }

    private fun day(at: Instant): LocalDate? = when (period) {
        Period.DAY -> at.atZone(zone).toLocalDate()
        Period.MONTH -> at.atZone(zone).toLocalDate().withDayOfMonth(1)
        else -> null
    }

    private fun end(at: Instant): Instant? = day(at)?.let { if (period == Period.DAY) it.plusDays(1) else it.plusMonths(1) }?.atStartOfDay(zone)?.toInstant()

    fun status(held: BudgetAmounts, at: Instant): BudgetStatus =
        BudgetStatus(name, period, amount, usd(held.spent), usd(held.reserved), end(at), tag, warnings.minOfOrNull { it.first }, FromKotlin.CALL)

    /**
     * Tells the listeners of the shares that a response has reached.
     *
     * @param held what the account holds after it @param spent by it
     * @return the highest of these shares, as a sentence; null for none
     */
    fun warn(held: BudgetAmounts, spent: Long, at: Instant): String? {
        if (warnings.isEmpty()) return null
        val status = status(held, at)
        val before = status(BudgetAmounts(held.spent - spent, held.reserved), at).share
        val reached = warnings.filter { it.first > before && it.first <= status.share }.ifEmpty { return null }
        for ((_, listener) in reached) listener(status)
        return "the $title has reached ${percent(reached.maxOf { it.first })} %: ${status.spent.toDisplayString()} of ${status.limit} is spent"
    }

    /** As in `5.00 per day, of the tag a`. */
    override fun toString(): String = "$amount per ${period.name.lowercase()}${tag?.let { ", of the tag $it" }.orEmpty()}"

    private fun percent(share: Double) = BigDecimal.valueOf(share).movePointRight(2).stripTrailingZeros().toPlainString()

    companion object {
        private const val DIGITS = 12
        private val MOST = BigDecimal(1_000_000)

        /** In pico dollars, rounded up. What is above a million dollars is a million. */
        fun pico(amount: BigDecimal): Long = amount.min(MOST).movePointRight(DIGITS).setScale(0, RoundingMode.CEILING).toLong()

        fun usd(pico: Long): Usd = Usd.of(BigDecimal.valueOf(pico, DIGITS))
    }
}
