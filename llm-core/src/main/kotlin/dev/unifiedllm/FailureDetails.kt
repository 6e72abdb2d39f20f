package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow

/** [failure], which ended the call to [model], with its attempts and the partial response. The only place that fills them in. */
internal fun DeltaLog.described(failure: LlmException, model: ModelId): LlmException {
    val failed = failedAttempts()
    val said = if (failure is LlmException.Timeout && failure.phase == LlmException.Timeout.Phase.TOTAL) withLast(failure, failed) else failure
    said.partial = if (hasArrived()) response(isCut = true) else null
    val isListed = said is LlmException.AllFailed && failed.isNotEmpty() // its attempts have all been emitted
    said.attempts = if (isListed) failed else failed + Delta.Attempt(said.model ?: startedModel() ?: model, said)
    return said
}

/** A call that failed again and again until its time was over says what it failed with. */
private fun withLast(failure: LlmException, failed: List<Delta.Attempt>): LlmException {
    val last = failed.lastOrNull()?.error?.message?.lineSequence()?.firstOrNull() ?: return failure
    return failure.withNote("The attempt before failed: ${last.removeSuffix(".")}")
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
    throw log.described(failure, model)
}

/** The failure that it is when a stream ends without [Delta.Finish]; null if it has one. */
internal fun DeltaLog.missingFinish(model: ModelId): LlmException? = if (hasFinish()) null else incomplete(model, isEmpty())
