package dev.unifiedllm.protocol

import kotlin.coroutines.CoroutineContext

/**
 * Told by the reader of an answer when deltas come that arrived together, and when it waits for more: who hands them on to other threads may do
 * so once for all of them. An element of the context in which the answer is collected.
 */
internal interface Bursts : CoroutineContext.Element {
    /** Deltas follow without a wait of the reader's between them. */
    fun beginBurst()

    /** The reader waits for more, or has come to its end. Called also where nothing began. */
    fun endBurst()

    override val key: CoroutineContext.Key<*> get() = Key

    companion object Key : CoroutineContext.Key<Bursts>
}
