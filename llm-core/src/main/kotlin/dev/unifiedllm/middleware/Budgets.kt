package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.BudgetAccount
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.SentFlag
import dev.unifiedllm.chat.UnknownPrice
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow
import java.math.BigDecimal
import java.time.Duration
import java.time.Instant
import kotlin.time.toKotlinDuration

/**
 * Lets an attempt begin when all its budgets have the most that it can cost, and counts what it did cost.
 *
 * An attempt that cannot have been billed gives its reservation back. One that may have been, and whose cost is not known, counts as its reservation.
 *
 * @param unknown what budgets do that do not say what to do with an unknown price
 */
internal class Budgets(
    private val target: AttemptTarget,
    private val rules: List<BudgetRule>,
    private val limits: TokenLimits,
    private val unknown: UnknownPrice = UnknownPrice.REFUSE,
    private val now: () -> Instant = Instant::now,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> =
        if (rules.isEmpty() && request.context.budget == null) next.stream(request) else held(request, next)

    private fun held(request: Request, next: Model): Flow<Delta> = linkFlow {
        val context = request.context
        val held = rules.filter { it.holdsFor(context) } + listOfNotNull(context.budget?.let { BudgetRule("call", it, Period.CALL) })
        if (held.isEmpty()) return@linkFlow next.stream(request).collect(this)
        val at = now()
        val accounts = held.map { Held(it, it.account(context, at)) }
        val cost = HighestCost.of(request, target, limits)
        if (cost == null) accounts.firstOrNull { (it.rule.unknownPrice ?: unknown) == UnknownPrice.REFUSE }?.let { throw unpriced(it, at) }
        val (reservation, maxTokens) = reserve(accounts, cost, request, at)
        val flag = SentFlag()
        val asked = if (maxTokens == null) request else (request as ChatRequest).with { this.maxTokens = maxTokens }
        var hasBegun = false
        var mayBeBilled = true
        try {
            if (maxTokens != null) emit(Delta.Warning("the budget pays for $maxTokens output tokens: maxTokens was set to $maxTokens"))
            next.stream(asked.withContext(asked.context.with { sent = flag })).collect { delta ->
                if (delta is Delta.Start) {
                    hasBegun = true
                } else if (delta is Delta.Finish) {
                    reservation.settle(delta.cost) // before a consumer that may call again
                    accounts.forEach { it.rule.warn(it.account, at) }
                }
                emit(delta)
            }
        } catch (failure: LlmException) {
            mayBeBilled = hasBegun || failure.mayBeBilled
            throw failure
        } finally {
            if (flag.isSent && mayBeBilled) reservation.settle(null) else reservation.settle(Cost.Free)
        }
    }

    /** @return the reservation, and the limit of output tokens to set; null for none */
    private fun reserve(accounts: List<Held>, cost: HighestCost?, request: Request, at: Instant): Pair<Reservation, Int?> = synchronized(BudgetAccount.lock) {
        val asked = BudgetRule.pico(cost?.total ?: BigDecimal.ZERO)
        val least = accounts.minBy { it.left }
        if (cost == null || asked == 0L || asked <= least.left) return Reservation(accounts, asked) to null
        if (request is ChatRequest && request.maxTokens == null && least.left > 0) {
            val tokens = cost.affordable(BudgetRule.usd(least.left).amount)
            if (tokens > 0) return Reservation(accounts, BudgetRule.pico(cost.of(tokens))) to tokens.toInt()
        }
        throw refusal(least, asked, at)
    }

    private fun refusal(held: Held, asked: Long, at: Instant): LlmException.BudgetExceeded {
        val status = held.rule.status(held.account, at)
        val amount = BudgetRule.usd(asked)
        val text = "The budget \"${status.name}\" of ${status.limit} does not pay for this call to ${target.id}, which can cost $amount: " +
            "${status.spent} is spent, ${status.reserved} is reserved by calls that run. Lower maxTokens, or raise the budget."
        return LlmException.BudgetExceeded(text, null, details(status.resetsAt, at), status, amount)
    }

    private fun unpriced(held: Held, at: Instant): LlmException.BudgetExceeded {
        val status = held.rule.status(held.account, at)
        val why = if (target.price(null) == null) target.whyUnpriced(null) else "its output has no known limit (set maxTokens), or its media have no known size"
        val text = "The budget \"${held.rule.name}\" refuses this call to ${target.id}, because the most that it can cost is not known: $why. " +
            "To allow such calls, set unknownPrice = UnknownPrice.ALLOW in the budget."
        return LlmException.BudgetExceeded(text, null, details(status.resetsAt, at), status)
    }

    private fun details(resetsAt: Instant?, at: Instant) =
        LlmException.Details(target.id, retryAfter = resetsAt?.let { Duration.between(at, it).toKotlinDuration() })

    private class Held(val rule: BudgetRule, val account: BudgetAccount) {
        val left: Long get() = rule.limit - account.spent - account.reserved
    }

    /** Made by the holder of the lock. */
    private class Reservation(private val held: List<Held>, private val amount: Long) {
        private var isSettled = false

        init {
            for (one in held) one.account.reserved += amount
        }

        /** Does nothing the second time. @param cost null or Unknown: counts as what is reserved */
        fun settle(cost: Cost?): Unit = synchronized(BudgetAccount.lock) {
            if (isSettled) return
            isSettled = true
            val spent = cost?.usd()?.let { BudgetRule.pico(it.amount) } ?: amount
            for (one in held) {
                one.account.reserved -= amount
                one.account.spent += spent
            }
        }
    }
}

/** Marks an attempt that the rate limits have let begin. */
internal object MarkSent : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val flag = request.context.sent ?: return next.stream(request)
        return linkFlow {
            flag.isSent = true
            next.stream(request).collect(this)
        }
    }
}
