package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.incomplete
import dev.unifiedllm.linkFlow
import dev.unifiedllm.withNote
import dev.unifiedllm.withoutFallbackAdvice
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector

/** Models that are tried after a failure that only they can mend. */
internal class SpecialFallbacks(val contextWindow: List<Model> = emptyList(), val contentPolicy: List<Model> = emptyList()) {
    fun after(failure: LlmException): List<Model> = when (failure) {
        is LlmException.ContextLengthExceeded -> contextWindow
        is LlmException.ContentFiltered -> contentPolicy
        is LlmException.AllFailed -> failure.each().filter { it !== failure }.map(::after).lastOrNull { it.isNotEmpty() }.orEmpty()
        else -> emptyList()
    }

    val isEmpty: Boolean get() = contextWindow.isEmpty() && contentPolicy.isEmpty()
}

/**
 * Tries its targets in order until one delivers content. From then on the failure of that target is the failure of the call, unless the call restarts
 * interrupted responses.
 *
 * @param special the targets to go on with after a request that was too long, or that a content filter stopped
 * @param skipReason why a target other than the first cannot serve the request, as a sentence; null if it can, or if that is not known
 * @param goesOn whether a call tries its next target after a failure
 * @param restarts whether a call restarts interrupted responses
 * @param identity equal for two of the models that are the same target
 * @param isTooLong whether a reason of [skipReason] is the length of the request
 * @param triesFirst true: the first target is tried whatever [skipReason] says of it. False, for a chain that the user has not chosen for the request: only if
 * it says the same of all others
 * @param namesUntried true: a failure that ends the call names the targets that are left
 */
internal class Fallback(
    private val targets: List<Model>,
    private val skipReason: (ModelId, Request) -> String? = { _, _ -> null },
    private val special: SpecialFallbacks = SpecialFallbacks(),
    private val goesOn: (LlmException, Request) -> Boolean = { failure, _ -> failure.allowsFallback },
    private val restarts: (Request) -> Boolean = { false },
    private val identity: (Model) -> Any = { it },
    private val triesFirst: Boolean = true,
    private val isTooLong: (String) -> Boolean = { false },
    private val namesUntried: Boolean = true,
) : Model {
    init {
        require(targets.isNotEmpty()) { "a fallback chain needs at least one model" }
    }

    override val id: ModelId get() = targets.first().id

    override fun stream(request: Request): Flow<Delta> {
        if (targets.size == 1 && special.isEmpty) return targets.single().stream(request)
        return linkFlow { Trail(request, this).run() }
    }

    /** One call: what was tried, and what is left. */
    private inner class Trail(private val request: Request, private val out: FlowCollector<Delta>) {
        private val failed = mutableListOf<Delta.Attempt>()
        private val skipped = mutableListOf<Delta.Attempt>()
        private val tried = mutableListOf<Any>()
        private val left = ArrayDeque(targets)
        private var wasTooLong = false
        private val restarts = restarts(request)
        private val mayBeUnable = triesFirst || targets.all { skipReason(it.id, request) != null }

        suspend fun run() {
            while (true) {
                val target = left.removeFirst()
                val reason = if (tried.isEmpty() && mayBeUnable) null else skipReason(target.id, request)
                tried += identity(target)
                if (reason != null) {
                    skip(target, reason)
                } else if (attempt(target)) {
                    return
                }
            }
        }

        private suspend fun skip(target: Model, reason: String) {
            val attempt = Delta.Attempt(target.id, unable(target.id, reason))
            skipped += attempt
            failed += attempt
            out.emit(attempt)
            wasTooLong = wasTooLong || isTooLong(reason)
            if (left.isEmpty() && !takeLonger()) throw allFailed(failed, skipped)
        }

        /** After targets that were skipped for the length of the request, those for long ones are left. False if there are none. */
        private fun takeLonger(): Boolean {
            if (wasTooLong) left += special.contextWindow.filterNot { identity(it) in tried }
            return left.isNotEmpty()
        }

        /** True if the response is complete. @throws LlmException if no other target is to be tried */
        private suspend fun attempt(target: Model): Boolean {
            val gate = CommitGate(out, restarts)
            try {
                target.stream(request).collect(gate)
                if (!gate.isCommitted) throw incomplete(target.id, isEmpty = !gate.holdsStart)
                return true
            } catch (failure: LlmException) {
                if (gate.isConsumers || (gate.isCommitted && !(restarts && failure.isRetryable))) throw failure
                val isEnd = !choose(failure)
                if (isEnd && gate.isCommitted) throw failure
                val said = if (isEnd) withUntried(failure) else failure
                if (isEnd && failed.isEmpty()) throw said
                if (gate.isCommitted) out.emit(Delta.Reset)
                val isChain = failure is LlmException.AllFailed && gate.attempts.isNotEmpty() // its attempts have been emitted
                val own = said.each().map { Delta.Attempt(it.model ?: target.id, it.withoutFallbackAdvice()) }
                failed += if (isChain) gate.attempts else gate.attempts + own
                if (!isChain) own.forEach { out.emit(it) }
                if (isEnd) throw allFailed(failed, skipped)
                return false
            }
        }

        /** [failure], which ends the call, with the models that are left and why none of them was tried. */
        private fun withUntried(failure: LlmException): LlmException {
            val names = left.map { it.id }.distinct().filter { id -> id.toString() !in failure.message.orEmpty() }
            if (!namesUntried || names.isEmpty() || !failure.mayBeMended) return failure
            val untried = "${names.joinToString(" and ")} ${if (names.size == 1) "was" else "were"} not tried after this failure"
            return failure.withNote("$untried: fallbackOnAnyError = true tries models after any failure")
        }

        /** Chooses what is tried after [failure]. False if nothing is. */
        private fun choose(failure: LlmException): Boolean {
            val others = special.after(failure).filterNot { identity(it) in tried }
            if (others.isNotEmpty()) {
                left.clear()
                left += others
                return true
            }
            return goesOn(failure, request) && (left.isNotEmpty() || takeLonger())
        }
    }

    override fun toString(): String = targets.joinToString(" then ")
}

private fun unable(model: ModelId, reason: String) =
    LlmException.InvalidRequest(reason, LlmException.InvalidRequest.Kind.UNSUPPORTED, details = LlmException.Details(model))

/** @param skipped those of [failed] that were not tried */
internal fun allFailed(failed: List<Delta.Attempt>, skipped: List<Delta.Attempt> = emptyList()): LlmException {
    val lines = failed.map { (model, failure) ->
        val message = failure?.message.orEmpty().withoutFallbackAdvice()
        if (model.toString() in message) "  $message" else "  $model: $message"
    }
    val failures = failed.filter { attempt -> skipped.none { it === attempt } }.mapNotNull { it.error }
    val isRetryable = failures.all { it.isRetryable }
    val details = LlmException.Details(retryAfter = failures.mapNotNull { it.retryAfter }.minOrNull().takeIf { isRetryable })
    return LlmException.AllFailed("${summary(failed, failures.size)}:\n${folded(lines)}", failures.lastOrNull(), details, isRetryable).also { all ->
        failures.dropLast(1).forEach(all::addSuppressed)
    }
}

/** @param attempts how many of [failed] were tried */
private fun summary(failed: List<Delta.Attempt>, attempts: Int): String {
    val models = failed.distinctBy { it.model }.size
    return when {
        models == failed.size -> "None of $models models gave a response"
        models == 1 -> "${failed.first().model} gave no response in $attempts attempts"
        else -> "None of $models models gave a response in $attempts attempts"
    }
}

/** [lines] with equal ones that follow each other as one. */
private fun folded(lines: List<String>): String {
    val counted = mutableListOf<Pair<String, Int>>()
    for (line in lines) {
        val last = counted.lastOrNull()
        if (last?.first == line) counted[counted.lastIndex] = line to last.second + 1 else counted += line to 1
    }
    return counted.joinToString("\n") { (line, times) -> if (times == 1) line else "$line ($times times)" }
}

/** The failures of all models of a chain, in order; this failure alone if it is of one model. */
internal fun LlmException.each(): List<LlmException> {
    if (this !is LlmException.AllFailed) return listOf(this)
    val failures = suppressed.filterIsInstance<LlmException>() + listOfNotNull(cause as? LlmException)
    return failures.flatMap { it.each() }.ifEmpty { listOf(this) }
}

/** True for failures that another model may mend, if the user says so: all but those of a budget, of a cancelled call and of the total time. */
internal val LlmException.mayBeMended: Boolean
    get() = this !is LlmException.BudgetExceeded && this !is LlmException.Cancelled &&
        !(this is LlmException.Timeout && phase == LlmException.Timeout.Phase.TOTAL)

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
