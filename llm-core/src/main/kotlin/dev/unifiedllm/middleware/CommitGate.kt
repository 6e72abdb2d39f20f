package dev.unifiedllm.middleware

import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.flow.FlowCollector

/**
 * Holds the start of an attempt back until its first content, so that an attempt that fails before leaves only its error and its warnings.
 *
 * Attempts and warnings pass at once. The first content commits the attempt: from then on its failure is the failure of the call.
 */
internal class CommitGate(private val out: FlowCollector<Delta>) : FlowCollector<Delta> {
    private var start: Delta.Start? = null
    private var isDelivering = false

    /** True if the attempt has begun and not yet delivered content. */
    val holdsStart: Boolean get() = start != null && !isCommitted

    /** The failed attempts, if the attempt is a chain of its own. */
    val attempts: List<Delta.Attempt> get() = failed
    private val failed = mutableListOf<Delta.Attempt>()

    var isCommitted: Boolean = false
        private set

    /** True for a failure of the consumer, which threw it while it had a delta. */
    val isConsumers: Boolean get() = isDelivering

    override suspend fun emit(value: Delta) {
        if (!isCommitted) {
            if (value is Delta.Start) {
                start = value
                return
            }
            if (value is Delta.Reset) { // there is nothing to discard but the start
                start = null
                return
            }
            val isEmptyText = (value is Delta.Text || value is Delta.Reasoning) && !value.isContent
            if (isEmptyText) return
            if (value is Delta.Attempt) {
                failed += value
            } else if (value !is Delta.Warning) {
                isCommitted = true
                start?.let { deliver(it) }
            }
        }
        deliver(value)
    }

    private suspend fun deliver(delta: Delta) {
        isDelivering = true
        out.emit(delta)
        isDelivering = false
    }
}
