package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow

/** Fills in the attempts and the partial response of [failure], which ended the call to [model]. The only place that does. */
internal fun DeltaLog.describe(failure: LlmException, model: ModelId) {
    failure.partial = if (hasArrived()) response(isCut = true) else null
    val failed = failedAttempts()
    val isListed = failure is LlmException.AllFailed && failed.isNotEmpty() // its attempts have all been emitted
    failure.attempts = if (isListed) failed else failed + Delta.Attempt(failure.model ?: startedModel() ?: model, failure)
}

/** This cold flow of a call to [model], whose failures have their attempts and what had arrived. Ending without [Delta.Finish] is a failure. */
internal fun Flow<Delta>.described(model: ModelId, request: Request? = null): Flow<Delta> = linkFlow {
    val log = DeltaLog().also { it.beginBurst() } // no consumer reads it
    log.request = request
    var isConsumers = false
    val failure = try {
        collect { delta ->
            log.append(delta)
            isConsumers = true // while the collector has the delta, a failure is its own
            emit(delta)
            isConsumers = false
        }
        log.missingFinish(model)
    } catch (failure: LlmException) {
        if (isConsumers) throw failure
        failure
    }
    if (failure == null) return@linkFlow
    log.flush()
    throw failure.also { log.describe(it, model) }
}

/** The failure that it is when a stream ends without [Delta.Finish]; null if it has one. */
internal fun DeltaLog.missingFinish(model: ModelId): LlmException? = if (hasFinish()) null else incomplete(model, isEmpty())
