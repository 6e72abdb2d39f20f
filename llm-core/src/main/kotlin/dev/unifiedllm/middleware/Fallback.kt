package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow

/** Asks its targets in turn until one delivers content; from then on that one's fate is the call's. */
internal class Fallback(private val targets: List<Model>) : Model {
    init {
        require(targets.isNotEmpty()) { "a fallback chain needs at least one model" }
    }

    override val id: ModelId get() = targets.first().id

    override fun stream(request: Request): Flow<Delta> = flow {
        val failed = mutableListOf<Delta.Attempt>()
        for (target in targets) {
            val attempt = HeldStart(this)
            try {
                target.stream(request).collect(attempt::emit)
                return@flow
            } catch (failure: LlmException) {
                failed += Delta.Attempt(failure.model ?: target.id, failure)
                failure.attempts = failed.toList()
                if (attempt.isCommitted) throw failure
                if (!failure.allowsFallback || target === targets.last()) throw if (failed.size == 1) failure else allFailed(failed)
                emit(failed.last())
            }
        }
    }

    /** Holds an attempt's start back until its first content, so that an attempt that fails before leaves no trace but its error. */
    private class HeldStart(private val out: FlowCollector<Delta>) {
        private val held = mutableListOf<Delta>()
        var isCommitted = false
            private set

        suspend fun emit(delta: Delta) {
            if (!isCommitted && !delta.isContent && delta !is Delta.Finish && delta !is Delta.StepFinish) {
                held += delta
                return
            }
            if (!isCommitted) {
                isCommitted = true
                for (earlier in held) out.emit(earlier)
                held.clear()
            }
            out.emit(delta)
        }
    }

    override fun toString(): String = targets.joinToString(" then ")
}

private fun allFailed(attempts: List<Delta.Attempt>): LlmException {
    val trail = attempts.joinToString("\n") { attempt ->
        val what = attempt.error?.message.orEmpty()
        if (attempt.model.toString() in what) "  $what" else "  ${attempt.model}: $what"
    }
    val last = attempts.last().error
    return LlmException.AllFailed("None of ${attempts.size} models answered:\n$trail", last).also { all ->
        all.attempts = attempts
        attempts.dropLast(1).mapNotNull { it.error }.forEach(all::addSuppressed)
    }
}

/** True for failures that another model may not share. */
internal val LlmException.allowsFallback: Boolean
    get() = when (this) {
        is LlmException.Network, is LlmException.NotFound, is LlmException.RateLimited, is LlmException.QuotaExhausted,
        is LlmException.Overloaded, is LlmException.ServerError, is LlmException.MalformedResponse, is LlmException.StreamInterrupted,
        -> true
        is LlmException.Timeout -> phase != LlmException.Timeout.Phase.TOTAL
        is LlmException.InvalidRequest, is LlmException.Authentication, is LlmException.PermissionDenied, is LlmException.ContentFiltered,
        is LlmException.ContextLengthExceeded, is LlmException.BudgetExceeded, is LlmException.Configuration, is LlmException.AllFailed,
        is LlmException.Cancelled,
        -> false
    }
