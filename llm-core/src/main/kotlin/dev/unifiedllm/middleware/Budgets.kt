package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.OwnWarnings
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.SentFlag
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.linkFlow
import dev.unifiedllm.store.StoreException
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import java.math.BigDecimal
import java.time.Duration
import java.time.Instant
import kotlin.time.toKotlinDuration

/**
 * Lets an attempt begin when all its budgets have the most that it can cost, and counts what it did cost.
 *
 * An attempt that cannot have been billed gives its reservation back. One that may have been, and whose cost is not known, counts as its reservation.
 *
 * @param limits of the model, looked up for a call that has a budget
 * @param places where the amounts are
 * @param unknown what budgets do that do not say what to do with an unknown price
 */
internal class Budgets(
    private val target: AttemptTarget,
    private val rules: List<BudgetRule>,
    private val limits: () -> TokenLimits,
    private val places: BudgetPlaces = BudgetPlaces(),
    private val unknown: BudgetPolicy = BudgetPolicy.REFUSE,
    private val now: () -> Instant = Instant::now,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val context = request.context
        val held = rules.filter { it.holdsFor(context) } + listOfNotNull(context.budget?.let { BudgetRule("call", it, Period.CALL) })
        return if (held.isEmpty()) next.stream(request) else linkFlow { Attempt(held, request, this).collect(next) }
    }

    private inner class Attempt(private val held: List<BudgetRule>, private val request: Request, private val out: FlowCollector<Delta>) {
        private val at = now()
        private val cost = HighestCost.of(request, target, limits())
        private val reservation = BudgetReservation(held, places, request.context, at)
        private val flag = SentFlag()

        suspend fun collect(next: Model) {
            if (cost == null) held.firstOrNull { (it.unknownPrice ?: unknown) == BudgetPolicy.REFUSE }?.let { throw unpriced(it) }
            val maxTokens = reserve()
            var hasBegun = false
            var mayBeBilled = true
            try {
                for (place in reservation.places()) warn("budgets count in this client alone, because $place cannot be used")
                if (cost == null) warn("the most that this call can cost is not known (${whyUnknown()}): the budgets count it only if its cost is known then")
                if (maxTokens != null) out.emit(Delta.Warning("the budget pays for $maxTokens output tokens: maxTokens was set to $maxTokens"))
                next.stream(asked(maxTokens)).collect { delta ->
                    if (delta is Delta.Start) {
                        hasBegun = true
                    } else if (delta is Delta.Finish) {
                        for (warning in reservation.settle(delta.cost)) warn(warning) // before a consumer that may call again
                    }
                    out.emit(delta)
                }
            } catch (failure: LlmException) {
                mayBeBilled = hasBegun || failure.mayBeBilled
                throw failure
            } finally {
                reservation.settle(if (flag.isSent && mayBeBilled) null else Cost.Free)
            }
        }

        /** Of this call alone: a cached response does not repeat it. */
        private suspend fun warn(message: String) = out.emit(OwnWarnings.of(request)?.warning(message) ?: Delta.Warning(message))

        private fun asked(maxTokens: Int?): Request {
            if (maxTokens != null) OwnWarnings.of(request)?.hasChangedRequest = true
            val asked = if (maxTokens == null) request else (request as ChatRequest).with { this.maxTokens = maxTokens }
            return asked.withContext(asked.context.with { sent = flag })
        }

        /** @return the limit of output tokens to set; null for none */
        private suspend fun reserve(): Int? {
            val most = BudgetRule.pico(cost?.total ?: BigDecimal.ZERO)
            var amount = most
            var maxTokens: Int? = null
            repeat(TRIES) {
                val refusal = make(amount) ?: return maxTokens
                maxTokens = affordable(refusal.left) ?: throw refused(refusal, most)
                amount = BudgetRule.pico(cost!!.of(maxTokens.toLong()))
            }
            throw refused(make(most) ?: return null, most) // others were always faster
        }

        private suspend fun make(amount: Long): BudgetReservation.Refusal? = try {
            reservation.make(amount)
        } catch (failure: StoreException) {
            throw unavailable(failure)
        }

        /** How many output tokens [left] pays for; null if none, or if the request limits them itself. */
        private fun affordable(left: Long): Int? {
            if (cost == null || request !is ChatRequest || request.maxTokens != null || left <= 0) return null
            return cost.affordable(BudgetRule.usd(left).amount).takeIf { it > 0 }?.toInt()
        }

        private fun refused(refusal: BudgetReservation.Refusal, asked: Long): LlmException.BudgetExceeded {
            val status = refusal.rule.status(refusal.held, at)
            val amount = BudgetRule.usd(asked)
            val held = "${status.spent} is spent, ${status.reserved} is reserved by calls that run"
            val text = "The ${refusal.rule.title} of ${status.limit} does not pay for this call to ${target.id}, which can cost $amount: $held. ${remedy(
                status,
            )}"
            return LlmException.BudgetExceeded(text, null, details(status.resetsAt), status, amount)
        }

        private fun remedy(status: BudgetStatus): String {
            val next = status.resetsAt?.let { ", or wait for the next ${status.period.name.lowercase()}, which begins at $it" }.orEmpty()
            return when {
                status.spent >= status.limit -> "Raise the budget$next."
                status.reserved > Usd.ZERO -> "Wait for calls that run, lower maxTokens, or raise the budget$next."
                else -> "Lower maxTokens, or raise the budget$next."
            }
        }

        private fun unpriced(rule: BudgetRule): LlmException.BudgetExceeded = LlmException.BudgetExceeded(
            "The ${rule.title} refuses this call to ${target.id}, because the most that it can cost is not known: ${whyUnknown()}. " +
                "To allow such calls, set unknownPrice = BudgetPolicy.ALLOW in the budget.",
            null,
            details(null),
        )

        private fun whyUnknown(): String =
            if (target.price(null) == null) target.whyUnpriced(null) else "its output has no known limit (set maxTokens), or its media have no known size"

        private fun unavailable(failure: StoreException) = LlmException.BudgetExceeded(
            "The budgets refuse this call to ${target.id}, because what is left of them is not known: ${failure.message} " +
                "To count in this client alone meanwhile, set whenUnavailable = BudgetPolicy.ALLOW in each of them.",
            failure,
            details(null),
        )

        private fun details(resetsAt: Instant?) =
            LlmException.Details(target.id, retryAfter = resetsAt?.let { Duration.between(at, it).toKotlinDuration() })
    }

    private companion object {
        /** How often a smaller reservation is tried. */
        const val TRIES = 5
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
