package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow

/**
 * Lets an attempt begin when its limits allow it, and when its provider has not asked for a pause. See [RateLimiter].
 *
 * A request counts from when it is sent. Its tokens count as the estimate, and as the reported usage from [Delta.Finish] on. An attempt that failed before
 * anything was sent counts nothing, one that the provider rejected no tokens. All others keep the estimate.
 *
 * @param rules the limits of the user that hold for [target], the most special one first
 * @param estimate the tokens that a request is expected to use
 */
internal class RateLimit(
    private val target: AttemptTarget,
    private val limiter: RateLimiter,
    private val rules: List<RateRule> = emptyList(),
    private val estimate: (Request) -> Long = { 0 },
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = linkFlow {
        val tokens = if (rules.any { it.tokensPerMinute != null }) estimate(request) else 0
        val permit = limiter.enter(target, rules, request, tokens, this)
        if (permit == null) {
            try {
                next.stream(request).collect(this)
            } catch (failure: LlmException) {
                learn(failure)
                throw failure
            }
            return@linkFlow
        }
        var hasBegun = false
        try {
            next.stream(request).collect { delta ->
                if (delta is Delta.Start) {
                    hasBegun = true
                    delta.head?.rateLimits?.let { target.state.rateLimits = it }
                } else if (delta is Delta.Finish) {
                    permit.settle(delta.usage?.totalTokens) // before a consumer that may call again
                }
                emit(delta)
            }
        } catch (failure: LlmException) {
            learn(failure)
            if (!hasBegun && !failure.mayBeSent) {
                permit.giveBack()
            } else if (!hasBegun && failure.status != null) {
                permit.settle(0)
            }
            throw failure
        } finally {
            permit.settle(null)
        }
    }

    private suspend fun learn(failure: LlmException) {
        if (failure !is LlmException.RateLimited || (failure.model ?: target.id) != target.id) return
        failure.rateLimits?.let { target.state.rateLimits = it }
        failure.retryAfter?.let { limiter.pause(target, it) }
    }
}

/** False if the request cannot have reached the provider. */
private val LlmException.mayBeSent: Boolean
    get() = when (this) {
        is Network -> phase == Network.Phase.SEND
        is Timeout -> phase != Timeout.Phase.CONNECT && phase != Timeout.Phase.POOL
        is LlmException.InvalidRequest, is LlmException.Authentication, is LlmException.PermissionDenied -> status != null
        is LlmException.Configuration, is LlmException.BudgetExceeded -> false
        else -> true
    }
