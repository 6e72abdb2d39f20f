package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usd
import java.time.Instant
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.util.Locale
import kotlin.math.roundToInt

/** Renders each of [budgets] as a bar with its amounts in words. What a colour says is also said by a sign and in words. */
internal fun budgetBars(budgets: List<BudgetStatus>): Rendered {
    val shown = budgets.take(MAX_ROWS)
    val rest = rest(budgets.size, "budget")
    val html = shown.joinToString("", "<div class=\"ullm-root $NO_MATHEMATICS\">", "${note(rest)}</div>", transform = ::budgetBar)
    return Rendered(styled(html, "budget"), reveal((shown.map(::budgetText) + listOfNotNull(rest)).joinToString("\n\n")))
}

/** The bar of [budget], without a style. @param asked the most that a call can cost that the budget has refused; null for none */
internal fun budgetBar(budget: BudgetStatus, asked: Usd? = null): String = buildString {
    val (spent, reserved) = parts(budget, PERCENT)
    append("<div class=\"ullm-budget ullm-budget-${budget.state.name.lowercase()}\">")
    append("<div class=\"ullm-budget-head\"><b>${escape(title(budget))}</b> <span class=\"ullm-budget-state\">${escape(stateText(budget))}</span></div>")
    append("<div class=\"ullm-bar\" role=\"img\" aria-label=\"${escape(description(budget, asked))}\">")
    if (spent > 0) append("<span class=\"ullm-spent\" style=\"width:$spent%\"></span>")
    if (reserved > 0) append("<span class=\"ullm-reserved\" style=\"width:$reserved%\"></span>")
    append("</div><div>${escape(amounts(budget, asked, " (hatched)")).replace(" · ", "\u00A0· ")}</div>${note(reset(budget))}</div>")
}

/**
 * As in `Budget day: $0.12 of $1.00 (12 %), $0.00 reserved`; with a word more if it is near its limit or used up.
 *
 * @param hasReserved false: without what is reserved
 */
internal fun budgetLine(budget: BudgetStatus, hasReserved: Boolean = true): String = listOfNotNull(
    "Budget ${budget.name}${budget.tag?.let { " (tag \"$it\")" }.orEmpty()}: ${budget.spent.toDisplayString()} of ${budget.limit} (${percent(budget)})",
    "${budget.reserved.toDisplayString()} reserved".takeIf { hasReserved },
    when (budget.state) {
        BudgetStatus.State.OK -> null
        BudgetStatus.State.WARN -> "nearly used up"
        BudgetStatus.State.OVER -> "used up"
    },
).joinToString(", ")

/** The bar in letters: `#` is spent, `=` reserved, `-` left. */
private fun budgetText(budget: BudgetStatus): String {
    val (spent, reserved) = parts(budget, LETTERS)
    val letters = "#".repeat(spent) + "=".repeat(reserved) + "-".repeat(LETTERS - spent - reserved)
    return listOfNotNull("${title(budget)}: ${stateText(budget)}", "[$letters] ${amounts(budget)}", reset(budget)).joinToString("\n")
}

/** The parts of a bar of the length [whole] that are spent and reserved: what is not zero can be seen, if the other leaves room. */
private fun parts(budget: BudgetStatus, whole: Int): Pair<Int, Int> {
    val spent = length(budget.share, budget.spent <= Usd.ZERO, whole, whole)
    val shareOfReserved = if (budget.limit <= Usd.ZERO) 0.0 else budget.reserved.amount.toDouble() / budget.limit.amount.toDouble()
    return spent to length(shareOfReserved, budget.reserved <= Usd.ZERO, whole, whole - spent)
}

private fun length(share: Double, isZero: Boolean, whole: Int, most: Int): Int {
    if (isZero || most == 0) return 0
    return (share.coerceAtMost(1.0) * whole).roundToInt().coerceIn(1, most)
}

private fun title(budget: BudgetStatus): String {
    val name = budget.name.takeUnless { it == budget.period.name.lowercase() }?.let { " \"$it\"" }.orEmpty()
    return "Budget$name ${scope(budget.period)}" + budget.tag?.let { ", calls with the tag \"$it\"" }.orEmpty()
}

private fun scope(period: Period): String = when (period) {
    Period.CALL -> "for each call"
    Period.CLIENT -> "for this client"
    Period.SESSION -> "for this session"
    Period.DAY -> "for the day"
    Period.MONTH -> "for the month"
    Period.TOTAL -> "in total"
}

private fun stateText(budget: BudgetStatus): String = when (budget.state) {
    BudgetStatus.State.OK -> "✓ ${percent(budget)} spent"
    BudgetStatus.State.WARN -> "! warning: ${percent(budget)} spent"
    BudgetStatus.State.OVER -> "✗ used up: ${percent(budget)} spent"
}

/** Rounded down, so that no budget looks used up before it is. */
private fun percent(budget: BudgetStatus): String {
    val percent = (budget.share * PERCENT).toLong()
    return if (percent == 0L && budget.spent > Usd.ZERO) "< 1 %" else "${count(percent)} %"
}

/** @param asked the most that a refused call can cost; null for none @param mark how the bar shows what is reserved */
private fun amounts(budget: BudgetStatus, asked: Usd? = null, mark: String = ""): String = listOfNotNull(
    "${budget.spent.toDisplayString()} of ${budget.limit} spent",
    "${budget.reserved.toDisplayString()} reserved for calls that run$mark".takeIf { budget.reserved > Usd.ZERO },
    "${budget.left.toDisplayString()} left",
    asked?.let { "this call can cost ${it.toDisplayString()}" },
).joinToString(" · ")

private fun description(budget: BudgetStatus, asked: Usd?): String =
    "${title(budget)}: ${stateText(budget)}, ${amounts(budget, asked).replace(" · ", ", ")}"

private fun reset(budget: BudgetStatus): String? = budget.resetsAt?.let { "It starts again at ${time(it)}." }

private fun time(instant: Instant): String = TIME.format(instant.atZone(ZoneOffset.UTC)) + " UTC"

private val TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT)
private const val PERCENT = 100
private const val LETTERS = 40
