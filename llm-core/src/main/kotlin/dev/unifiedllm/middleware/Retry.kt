package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.RetryRules
import dev.unifiedllm.incomplete
import dev.unifiedllm.linkFlow
import dev.unifiedllm.withNote
import dev.unifiedllm.withoutFallbackAdvice
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import java.util.UUID
import kotlin.math.pow
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/**
 * Repeats attempts at one target whose failure is retryable, while nothing has been delivered. Every attempt is emitted as a [Delta.Attempt] before the wait
 * for the next one. What becomes of a response that is cut later is up to [OnInterrupted].
 *
 * All attempts have the same idempotency key.
 *
 * @param budget of the client
 */
internal class Retry(
    private val defaults: RetryRules,
    private val budget: RetryBudget,
    private val target: AttemptTarget,
    private val random: Random = Random.Default,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val rules = request.context.retry?.over(defaults) ?: defaults
        if (rules.maxRetries == 0) {
            return linkFlow {
                next.stream(request).collect(this)
                budget.succeeded()
            }
        }
        return linkFlow { Attempts(rules, request, next, this).run() }
    }

    private inner class Attempts(private val rules: RetryRules, request: Request, private val next: Model, private val out: FlowCollector<Delta>) {
        private val first = request.withContext(request.context.with { idempotencyKey = idempotencyKey ?: UUID.randomUUID().toString() })
        private val watches = rules.onInterrupted != OnInterrupted.FAIL
        private var continuation: Continuation? = null

        suspend fun run() {
            for (retries in 0..rules.maxRetries) {
                val (failure, delay) = attempt(retries) ?: return
                out.emit(Delta.Attempt(failure.model ?: target.id, failure.withoutFallbackAdvice(), delay.toJavaDuration()))
                delay(delay)
                leaveThread()
            }
        }

        /** Null if it is complete, else the failure after which another attempt follows, and the wait for that. */
        private suspend fun attempt(retries: Int): Pair<LlmException, Duration>? {
            val part = continuation
            val gate = CommitGate(part?.joined(out) ?: out, watches)
            val described = LlmException.descriptions.get()
            try {
                next.stream(part?.request ?: first).collect(gate)
                if (!gate.isCommitted) throw incomplete(next.id, isEmpty = !gate.holdsStart)
                budget.succeeded()
                return null
            } catch (failure: LlmException) {
                val isOfInnerCall = failure.attempts.isNotEmpty() && failure.describedAt > described // which has retried it
                val isOver = retries == rules.maxRetries || !failure.isRetryable || isOfInnerCall
                if (gate.isConsumers) throw failure
                if (isOver) throw if (part == null || gate.isCommitted) failure else part.interruption.also { it.addSuppressed(failure) }
                if (gate.isCommitted) whyCut(gate)?.let { why -> throw if (why.isEmpty()) failure else failure.withNote(why) }
                val delay = wait(failure, retries)
                if (gate.isCommitted) resume(gate, failure)
                return failure to delay
            }
        }

        /** Why an attempt whose failure came after content is followed by no other one, as a sentence; empty if none was asked for, null if one follows. */
        private fun whyCut(gate: CommitGate): String? = when {
            rules.onInterrupted == OnInterrupted.FAIL -> ""
            rules.onInterrupted == OnInterrupted.RESTART -> null
            !target.continuesText -> "It was not continued, because ${target.id} continues no text: OnInterrupted.RESTART begins the response again"
            (first as? ChatRequest)?.isContinuable != true || gate.textOnly == null ->
                "It was not continued, because only plain text without reasoning is: OnInterrupted.RESTART begins the response again"
            else -> null
        }

        private suspend fun resume(gate: CommitGate, failure: LlmException) {
            if (rules.onInterrupted == OnInterrupted.RESTART) return out.emit(Delta.Reset)
            continuation = Continuation(first as ChatRequest, continuation?.text.orEmpty() + gate.textOnly, failure)
        }

        /** How long to wait before the next attempt. @throws LlmException the failure, if there is to be none */
        private fun wait(failure: LlmException, retries: Int): Duration {
            val asked = failure.retryAfter
            if (asked != null && asked > rules.maxRetryAfter) throw failure
            val delay = asked ?: backoff(retries)
            val left = first.context.deadline?.let { -it.elapsedNow() }
            if (left != null && delay >= left) {
                throw failure.withNote("It was not repeated, because the wait of $delay would last longer than timeouts.total allows: raise it")
            }
            if (!budget.take(failure)) {
                throw failure.withNote("It was not repeated, because too many attempts of this client have failed: try again later")
            }
            return delay
        }

        private fun backoff(retries: Int): Duration {
            val longest = (rules.baseDelay * 2.0.pow(retries)).coerceAtMost(rules.maxDelay)
            return longest * (1 - random.nextDouble() / 2)
        }
    }
}

/** Providers continue no text that must have a form, or that follows reasoning. */
private val ChatRequest.isContinuable: Boolean
    get() = (responseFormat == null || responseFormat == ResponseFormat.Text) && context.answerType == null && reasoning == null && reasoningBudget == null
