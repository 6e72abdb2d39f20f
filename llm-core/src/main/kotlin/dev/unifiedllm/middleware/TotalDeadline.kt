package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Timeouts
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.withTimeoutOrNull

/** Ends the call when its total deadline passes, wherever it is then. */
internal class TotalDeadline(private val timeouts: Timeouts) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = flow {
        val total = (request.context.timeouts ?: timeouts).total
        withTimeoutOrNull(total) {
            next.stream(request).collect { emit(it) }
            true
        } ?: throw LlmException.Timeout(
            "The call to ${next.id} was not done within $total. Raise timeouts.total, or ask for less.",
            LlmException.Timeout.Phase.TOTAL,
            details = LlmException.Details(next.id),
        )
    }
}
