package dev.unifiedllm.jupyter

import kotlinx.coroutines.ThreadContextElement
import kotlin.coroutines.AbstractCoroutineContextElement
import kotlin.coroutines.CoroutineContext

/**
 * Interrupts the thread on which a coroutine runs: one that blocks there does not notice that it is cancelled. Does nothing while the coroutine is suspended.
 *
 * As an element of its context, for one coroutine.
 */
internal class Interrupter :
    AbstractCoroutineContextElement(Interrupter),
    ThreadContextElement<Unit> {
    private var thread: Thread? = null
    private var isInterrupted = false

    @Synchronized
    fun interrupt() {
        isInterrupted = true
        thread?.interrupt()
    }

    @Synchronized
    override fun updateThreadContext(context: CoroutineContext) {
        thread = Thread.currentThread()
    }

    /** The thread goes on with other work, which is not interrupted. */
    @Synchronized
    override fun restoreThreadContext(context: CoroutineContext, oldState: Unit) {
        if (thread !== Thread.currentThread()) return // it has gone on elsewhere
        if (isInterrupted) Thread.interrupted()
        thread = null
    }

    companion object : CoroutineContext.Key<Interrupter>
}
