package dev.unifiedllm.protocol

import kotlin.coroutines.CoroutineContext

/**
 * Is told by the reader of a response when deltas follow that arrived together, and when it waits for more, so that consumers on other threads are woken
 * once for all of them. An element of the coroutine context in which the response is collected.
 */
internal interface Bursts : CoroutineContext.Element {
    /** The deltas that follow need no wait between them. */
    fun beginBurst()

    /** The reader waits for more, or has ended. Also called where no burst began. */
    fun endBurst()

    override val key: CoroutineContext.Key<*> get() = Key

    companion object Key : CoroutineContext.Key<Bursts>
}

/** For requests that run at the same time: the bursts of one are not those of the response that they make together. */
internal object NoBursts : Bursts {
    override fun beginBurst() = Unit

    override fun endBurst() = Unit
}
