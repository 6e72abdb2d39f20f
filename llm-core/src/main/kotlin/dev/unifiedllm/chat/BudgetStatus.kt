package dev.unifiedllm.chat

import dev.unifiedllm.FromKotlin
import java.math.RoundingMode
import java.time.Instant

/**
 * What the amount of a budget is for.
 *
 * CALL: each call, with all its steps, retries and fallbacks. CLIENT: all calls of the client. SESSION: the calls of all clients of the process that have the
 * budget; in a notebook, until its kernel ends. DAY and MONTH: the calls in each day or month of the budget's time zone. TOTAL: the calls at any time.
 *
 * DAY, MONTH and TOTAL outlive the process if the client has a place for that: the server of `state(url)`, else the database of `ledger()`. All clients with
 * that place and a budget of the same name, tag, period and time zone count together. Without such a place they are those of the client alone.
 */
public enum class Period { CALL, CLIENT, SESSION, DAY, MONTH, TOTAL }

/** What a budget does where it cannot know whether an amount is left. */
public enum class BudgetPolicy { REFUSE, ALLOW }

/**
 * The state of a budget at one moment.
 *
 * @property limit what may be spent in the period @property spent what responses have cost, with what was reserved by attempts that have not ended within ten minutes
 * @property reserved the highest costs of the requests that run
 * @property resetsAt when the period ends; null if it has no end
 * @property tag of the calls for which the budget holds; null: all
 */
public class BudgetStatus internal constructor(
    @get:JvmName("name") public val name: String,
    @get:JvmName("period") public val period: Period,
    @get:JvmName("limit") public val limit: Usd,
    @get:JvmName("spent") public val spent: Usd,
    @get:JvmName("reserved") public val reserved: Usd,
    @get:JvmName("resetsAt") public val resetsAt: Instant?,
    @get:JvmName("tag") public val tag: String?,
    private val warnAt: Double?,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** What further requests may reserve; never negative. */
    @get:JvmName("left")
    public val left: Usd get() = maxOf(limit - spent - reserved, Usd.ZERO)

    /** The part of [limit] that is spent: 0.5 is half; above 1 if responses cost more than was reserved for them. */
    @get:JvmName("share")
    public val share: Double get() = if (limit == Usd.ZERO) 1.0 else spent.amount.divide(limit.amount, DIGITS, RoundingMode.DOWN).toDouble()

    @get:JvmName("state")
    public val state: State
        get() = when {
            spent >= limit -> State.OVER
            warnAt != null && share >= warnAt -> State.WARN
            else -> State.OK
        }

    /** WARN: the smallest share of `warnAt` is spent. OVER: all is spent. */
    public enum class State { OK, WARN, OVER }

    override fun toString(): String = "$name${tag?.let { " of the tag $it" }.orEmpty()}: $spent spent and $reserved reserved of $limit"

    private companion object {
        const val DIGITS = 9
    }
}

internal fun checkedBudget(amount: Usd): Usd {
    require(amount >= Usd.ZERO && amount <= MOST) { "a budget must be between $0 and $MOST, was $amount" }
    return amount
}

private val MOST = Usd.of("1000000")
