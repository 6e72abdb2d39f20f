package dev.unifiedllm.demo

import dev.unifiedllm.LlmException
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.chat.ModelId
import kotlin.time.Duration.Companion.seconds

/** How a demo model fails. @property isHalfway in the middle of its text, not before it @property isOnce only in the first attempt of a call */
internal enum class DemoFault(val isHalfway: Boolean, val isOnce: Boolean) {
    OVERLOADED(isHalfway = false, isOnce = false),
    DENIED(isHalfway = false, isOnce = false),
    LIMITED(isHalfway = false, isOnce = true),
    CUT(isHalfway = true, isOnce = false),
    CUT_ONCE(isHalfway = true, isOnce = true),
    ;

    /** The failure of [model]. */
    fun failure(model: ModelId): LlmException = when (this) {
        OVERLOADED -> LlmException.Overloaded(
            "$model fails on purpose, to show how a failure looks. Use another model$OR_ADD_A_FALLBACK",
            details = LlmException.Details(model, SERVICE_UNAVAILABLE),
        )
        DENIED -> LlmException.Authentication(
            "$model refuses every key on purpose, to show how a wrong key looks. At a provider you would now check the key.",
            details = LlmException.Details(model, UNAUTHORIZED),
        )
        LIMITED -> LlmException.RateLimited(
            "$model refuses the first attempt on purpose, to show a rate limit. It answers the second one: leave retries on.",
            details = LlmException.Details(model, TOO_MANY_REQUESTS, retryAfter = 1.seconds),
        )
        CUT, CUT_ONCE -> LlmException.StreamInterrupted(
            "$model stops halfway on purpose, to show how a lost connection looks. The text so far is in `partial`." +
                if (isOnce) " With retry { onInterrupted = OnInterrupted.RESTART } it begins again, and ends well." else "",
            details = LlmException.Details(model),
        )
    }

    private companion object {
        const val UNAUTHORIZED = 401
        const val TOO_MANY_REQUESTS = 429
        const val SERVICE_UNAVAILABLE = 503
    }
}
