package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.incomplete
import dev.unifiedllm.linkFlow
import dev.unifiedllm.withoutFallbackAdvice
import kotlinx.coroutines.flow.Flow

/**
 * Tries its targets in order until one delivers content. From then on the failure of that target is the failure of the call.
 *
 * @param skipReason why a target other than the first cannot serve the request, as a sentence; null if it can, or if that is not known
 */
internal class Fallback(private val targets: List<Model>, private val skipReason: (ModelId, Request) -> String? = { _, _ -> null }) : Model {
    init {
        require(targets.isNotEmpty()) { "a fallback chain needs at least one model" }
    }

    override val id: ModelId get() = targets.first().id

    override fun stream(request: Request): Flow<Delta> {
        if (targets.size == 1) return targets.single().stream(request)
        return linkFlow {
            val failed = mutableListOf<Delta.Attempt>()
            val skipped = mutableListOf<Delta.Attempt>()
            for (target in targets) {
                val reason = if (target === targets.first()) null else skipReason(target.id, request)
                if (reason != null) {
                    val attempt = Delta.Attempt(target.id, unable(target.id, reason))
                    skipped += attempt
                    failed += attempt
                    emit(attempt)
                    if (target === targets.last()) throw allFailed(failed, skipped)
                    continue
                }
                val gate = CommitGate(this)
                try {
                    target.stream(request).collect(gate)
                    if (!gate.isCommitted) throw incomplete(target.id, isEmpty = !gate.holdsStart)
                    return@linkFlow
                } catch (failure: LlmException) {
                    if (gate.isConsumers || gate.isCommitted) throw failure
                    val isEnd = target === targets.last() || !failure.allowsFallback
                    if (isEnd && failed.isEmpty()) throw failure
                    val isChain = failure is LlmException.AllFailed && gate.attempts.isNotEmpty() // its attempts have been emitted
                    val attempts = if (isChain) gate.attempts else failure.each().map { Delta.Attempt(it.model ?: target.id, it.withoutFallbackAdvice()) }
                    failed += attempts
                    if (!isChain) attempts.forEach { emit(it) }
                    if (isEnd) throw allFailed(failed, skipped)
                }
            }
        }
    }

    override fun toString(): String = targets.joinToString(" then ")
}

private fun unable(model: ModelId, reason: String) =
    LlmException.InvalidRequest(reason, LlmException.InvalidRequest.Kind.UNSUPPORTED, details = LlmException.Details(model))

/** @param skipped those of [failed] that were not tried */
private fun allFailed(failed: List<Delta.Attempt>, skipped: List<Delta.Attempt>): LlmException {
    val trail = failed.joinToString("\n") { (model, failure) ->
        val message = failure?.message.orEmpty().withoutFallbackAdvice()
        if (model.toString() in message) "  $message" else "  $model: $message"
    }
    val failures = failed.filter { attempt -> skipped.none { it === attempt } }.mapNotNull { it.error }
    val isRetryable = failures.all { it.isRetryable }
    val details = LlmException.Details(retryAfter = failures.mapNotNull { it.retryAfter }.minOrNull().takeIf { isRetryable })
    val message = "None of ${failed.size} models gave a response:\n$trail"
    return LlmException.AllFailed(message, failures.lastOrNull(), details, isRetryable).also { all ->
        failures.dropLast(1).forEach(all::addSuppressed)
    }
}

/** The failures of all models of a chain, in order; this failure alone if it is of one model. */
private fun LlmException.each(): List<LlmException> {
    if (this !is LlmException.AllFailed) return listOf(this)
    val failures = suppressed.filterIsInstance<LlmException>() + listOfNotNull(cause as? LlmException)
    return failures.flatMap { it.each() }.ifEmpty { listOf(this) }
}

/** True for failures that another model may not share. */
internal val LlmException.allowsFallback: Boolean
    get() = when (this) {
        is LlmException.Network, is LlmException.NotFound, is LlmException.RateLimited, is LlmException.QuotaExhausted,
        is LlmException.Overloaded, is LlmException.ServerError, is LlmException.MalformedResponse, is LlmException.StreamInterrupted,
        -> true
        is LlmException.Timeout -> phase != LlmException.Timeout.Phase.TOTAL
        is LlmException.AllFailed -> (cause as? LlmException)?.allowsFallback == true
        is LlmException.InvalidRequest, is LlmException.Authentication, is LlmException.PermissionDenied, is LlmException.ContentFiltered,
        is LlmException.ContextLengthExceeded, is LlmException.BudgetExceeded, is LlmException.Configuration, is LlmException.Cancelled,
        -> false
    }
