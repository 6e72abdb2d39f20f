package dev.unifiedllm

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Runnable
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.coroutines.ContinuationInterceptor
import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.EmptyCoroutineContext

/**
 * Runs a call on [Dispatchers.Default], for a first consumer that is there, too: then one thread often decodes what has arrived and consumes it.
 *
 * Threads that block for the call could be all those of [Dispatchers.Default]. So while the call has a consumer elsewhere, which may be such a thread, it
 * runs on the threads of its client.
 */
internal class CallDispatcher(client: CoroutineScope) : CoroutineDispatcher() {
    private val spare = client.coroutineContext[ContinuationInterceptor] as CoroutineDispatcher
    private var elsewhere = 0
    private var waiting: Once? = null

    override fun dispatch(context: CoroutineContext, block: Runnable) {
        val task = Once(block)
        val isForSpare = synchronized(this) {
            waiting = task
            elsewhere > 0
        }
        (if (isForSpare) spare else Dispatchers.Default).dispatch(context, task)
    }

    /** A consumer elsewhere begins to wait for the call. What waits for a thread of [Dispatchers.Default] is run by the client. */
    fun beginElsewhere() {
        val task = synchronized(this) {
            elsewhere++
            waiting
        }
        if (task != null) spare.dispatch(EmptyCoroutineContext, task)
    }

    fun endElsewhere(): Unit = synchronized(this) { elsewhere-- }

    /** A task that is run by the first dispatcher that comes to it. */
    private class Once(private val block: Runnable) : AtomicBoolean(), Runnable {
        override fun run() {
            if (compareAndSet(false, true)) block.run()
        }
    }
}
