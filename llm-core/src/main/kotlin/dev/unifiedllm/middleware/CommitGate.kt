package dev.unifiedllm.middleware

import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.flow.FlowCollector

/**
 * Holds the start of an attempt back until its first content, so that an attempt that fails before leaves only its error and its warnings.
 *
 * Attempts, waits and warnings pass at once. The first content commits the attempt: from then on its failure is the failure of the call, unless the call
 * restarts or continues interrupted responses. After it deltas pass as they are.
 *
 * @param watches true: what passes after the first content is watched as well, for calls that restart or continue
 */
internal class CommitGate(private val out: FlowCollector<Delta>, private val watches: Boolean = false) : FlowCollector<Delta> {
    private var start: Delta.Start? = null
    private var isDelivering = false
    private var passes = false
    private val failed = mutableListOf<Delta.Attempt>()
    private val text = StringBuilder()
    private var isTextOnly = true

    /** True if the attempt has begun and not yet delivered content. */
    val holdsStart: Boolean get() = start != null && !isCommitted

    /** The failed attempts, if the attempt is a chain of its own. */
    val attempts: List<Delta.Attempt> get() = failed

    var isCommitted: Boolean = false
        private set

    /** True for a failure of the consumer, which threw it while it had a delta. Not known after the first content, unless the gate watches. */
    val isConsumers: Boolean get() = isDelivering

    /** The text delivered, if there was nothing else; null if there was. Known if the gate watches. */
    val textOnly: String? get() = text.toString().takeIf { isTextOnly && it.isNotEmpty() }

    // Not a state machine, so that a delta after the first content costs one more call.
    override suspend fun emit(value: Delta): Unit = if (passes) out.emit(value) else gated(value)

    private suspend fun gated(value: Delta) {
        if (watches) {
            if (value is Delta.Reset && isCommitted) return reset()
            watch(value)
        }
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
            } else if (value !is Delta.Warning && value !is Delta.Waiting) {
                isCommitted = true
                start?.let { deliver(it) }
                passes = !watches
            }
        }
        deliver(value)
    }

    private fun watch(value: Delta) {
        when (value) {
            is Delta.Text -> if (value.choice == 0) text.append(value.text) else isTextOnly = false
            else -> if (value.isContent) isTextOnly = false
        }
    }

    /** The consumer discards what it has: the response is as if it had not begun. */
    private suspend fun reset() {
        isCommitted = false
        start = null
        text.clear()
        isTextOnly = true
        deliver(Delta.Reset)
    }

    private suspend fun deliver(delta: Delta) {
        isDelivering = true
        out.emit(delta)
        isDelivering = false
    }
}
