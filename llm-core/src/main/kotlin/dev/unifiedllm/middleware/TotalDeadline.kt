package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.withTimeoutOrNull

/** Ends the call when its total deadline passes, wherever it is then. A function of the user that ignores the interrupt is named in a warning. */
internal class TotalDeadline(private val defaults: Deadlines) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = linkFlow {
        val total = request.context.timeouts?.total ?: defaults.total
        val isDone = withTimeoutOrNull(total) {
            next.stream(request).collect(this@linkFlow)
            true
        }
        if (isDone == true) return@linkFlow
        for (name in request.context.functions?.left().orEmpty()) {
            emit(Delta.Warning("the function of $name did not react to its interrupt: its thread runs on until the function ends"))
        }
        throw LlmException.Timeout(
            "The call to ${next.id} was not done within $total. Raise timeouts.total, or request a shorter response.",
            LlmException.Timeout.Phase.TOTAL,
            details = LlmException.Details(next.id),
        )
    }
}
