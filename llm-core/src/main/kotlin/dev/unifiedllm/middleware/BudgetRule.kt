package dev.unifiedllm.middleware

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.chat.BudgetAccount
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.UnknownPrice
import dev.unifiedllm.chat.Usd
import java.math.BigDecimal
import java.math.RoundingMode
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId

/** A budget, and the accounts of its periods. An attempt that ends in another period than it began in counts in that of its beginning. */
internal class BudgetRule(
    val name: String,
    val amount: Usd,
    val period: Period,
    private val tag: String? = null,
    private val zone: ZoneId = ZoneId.of("UTC"),
    val unknownPrice: UnknownPrice? = null,
    private val warnings: List<Pair<Double, (BudgetStatus) -> Unit>> = emptyList(),
) {
    val limit: Long = pico(amount.amount)

    /** By the first day of the period: those of all periods, for a clock that goes back. */
    private val accounts = HashMap<LocalDate?, BudgetAccount>()
    private val told = HashMap<BudgetAccount, Double>()

    fun holdsFor(context: CallContext): Boolean = tag == null || tag in context.tags

    private fun day(now: Instant): LocalDate? = when (period) {
        Period.CALL, Period.CLIENT -> null
        Period.DAY -> now.atZone(zone).toLocalDate()
        Period.MONTH -> now.atZone(zone).toLocalDate().withDayOfMonth(1)
    }

    private fun end(now: Instant): Instant? = day(now)?.let { if (period == Period.DAY) it.plusDays(1) else it.plusMonths(1) }?.atStartOfDay(zone)?.toInstant()

    /** @param context of the call; null for a report */
    fun account(context: CallContext?, now: Instant): BudgetAccount = if (period == Period.CALL) {
        context?.accounts?.of(key) ?: BudgetAccount()
    } else {
        synchronized(BudgetAccount.lock) { accounts.getOrPut(day(now)) { BudgetAccount() } }
    }

    /** Of a budget that a call sets there is a rule for each attempt: they have one account. */
    private val key: Any = if (period == Period.CALL) "$name $amount" else this

    fun status(account: BudgetAccount, now: Instant): BudgetStatus = synchronized(BudgetAccount.lock) {
        BudgetStatus(name, period, amount, usd(account.spent), usd(account.reserved), end(now), warnings.minOfOrNull { it.first }, FromKotlin.CALL)
    }

    /** Tells the listeners of the shares that [account] has reached since the last time. */
    fun warn(account: BudgetAccount, now: Instant) {
        if (warnings.isEmpty()) return
        val status = status(account, now)
        val before = synchronized(told) { (told[account] ?: 0.0).also { told[account] = maxOf(it, status.share) } }
        for ((share, listener) in warnings) if (share > before && share <= status.share) listener(status)
    }

    companion object {
        private const val DIGITS = 12
        private val MOST = BigDecimal(4_000_000_000_000_000_000)

        /** In pico dollars, rounded up. */
        fun pico(amount: BigDecimal): Long = amount.movePointRight(DIGITS).setScale(0, RoundingMode.CEILING).min(MOST).toLong()

        fun usd(pico: Long): Usd = Usd.of(BigDecimal.valueOf(pico, DIGITS))
    }
}
