package dev.unifiedllm

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ThreadContextElement
import kotlin.coroutines.AbstractCoroutineContextElement
import kotlin.coroutines.CoroutineContext

/** Decides on which threads a client's calls run, and knows whether blocking one of them would stop the others. */
internal class ClientThreads(given: CoroutineContext?) {
    private val own = ThreadLocal<Boolean>()

    /** Our own threads are so many that some may block; those that a user gives may be as few as one. */
    val context: CoroutineContext = if (given == null) Dispatchers.IO.limitedParallelism(THREADS, "unified-llm") else given + Mark(own)

    /** @throws IllegalStateException on a thread of the user's context while it works for this client */
    fun checkMayBlock() {
        check(own.get() != true) { "get() would block the very thread that makes the calls of this client: use await(), or give the client another context" }
    }

    private class Mark(private val own: ThreadLocal<Boolean>) : AbstractCoroutineContextElement(Mark), ThreadContextElement<Boolean?> {
        override fun updateThreadContext(context: CoroutineContext): Boolean? = own.get().also { own.set(true) }

        override fun restoreThreadContext(context: CoroutineContext, oldState: Boolean?): Unit = if (oldState == null) own.remove() else own.set(oldState)

        companion object : CoroutineContext.Key<Mark>
    }

    private companion object {
        const val THREADS = 64
    }
}
