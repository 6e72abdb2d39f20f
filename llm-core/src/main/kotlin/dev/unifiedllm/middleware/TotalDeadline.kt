package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.time.TimeSource

/**
 * Ends the call when its total deadline passes, wherever it is then. A function of the user that ignores the interrupt is named in a warning.
 *
 * @param defaults the limits of calls that set none
 * @param warnings about the settings of the client, emitted first
 */
internal class TotalDeadline(
    private val defaults: Timeouts,
    private val warnings: List<String> = emptyList(),
    private val time: TimeSource = TimeSource.Monotonic,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = linkFlow {
        val own = (request.context.timeouts?.over(defaults) ?: defaults).deadlines().total
        val ofCaller = request.context.deadline?.let { -it.elapsedNow() }?.takeIf { it.isPositive() } // this call is a part of another one
        val total = if (ofCaller == null) own else minOf(own, ofCaller)
        warnings.forEach { emit(Delta.Warning(it)) }
        val limited = request.withContext(request.context.with { deadline = time.markNow() + total })
        val isDone = withTimeoutOrNull(total) {
            next.stream(limited).collect(this@linkFlow)
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
