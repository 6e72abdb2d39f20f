package dev.unifiedllm

import kotlinx.coroutines.ThreadContextElement
import kotlinx.coroutines.asCoroutineDispatcher
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadFactory
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.coroutines.AbstractCoroutineContextElement
import kotlin.coroutines.CoroutineContext

/** The threads on which a client prepares its calls and runs interceptors and models of the user: a few of its own, or those of a given context. */
internal class ClientThreads(private val given: CoroutineContext?) {
    private val own = ThreadLocal<Boolean>()

    /** True where the client chooses the threads: then a call without user code may go on on the thread of the transport. */
    val areOwn: Boolean get() = given == null

    val context: CoroutineContext = if (given == null) ElasticPool().asCoroutineDispatcher() else given + Mark(own)

    /** @throws IllegalStateException on a thread of the given context while it works for this client */
    fun checkMayBlock() {
        check(own.get() != true) {
            "get() would block the thread that makes the calls of this client: use await(), or give the client another context"
        }
    }

    private class Mark(private val own: ThreadLocal<Boolean>) : AbstractCoroutineContextElement(Mark), ThreadContextElement<Boolean?> {
        override fun updateThreadContext(context: CoroutineContext): Boolean? = own.get().also { own.set(true) }

        override fun restoreThreadContext(context: CoroutineContext, oldState: Boolean?): Unit = if (oldState == null) own.remove() else own.set(oldState)

        companion object : CoroutineContext.Key<Mark>
    }
}

/** Blocks in [wait]. On a thread of a client another thread takes its place meanwhile, so that nested calls cannot starve. */
internal inline fun <T> blocking(wait: () -> T): T {
    val pool = (Thread.currentThread() as? ElasticPool.Worker)?.pool ?: return wait()
    pool.beginBlocking()
    try {
        return wait()
    } finally {
        pool.endBlocking()
    }
}

/** A pool that has as many threads as it needs to keep some that are not blocked. Daemon threads, which end when they are idle. */
internal class ElasticPool(private val parallelism: Int = maxOf(LEAST, Runtime.getRuntime().availableProcessors())) :
    ThreadPoolExecutor(parallelism, Int.MAX_VALUE, IDLE_SECONDS, TimeUnit.SECONDS, LinkedBlockingQueue()) {
    private var blocked = 0

    init {
        threadFactory = Workers(this)
        allowCoreThreadTimeOut(true)
    }

    fun beginBlocking(): Unit = synchronized(this) { corePoolSize = parallelism + ++blocked }

    fun endBlocking(): Unit = synchronized(this) { corePoolSize = parallelism + --blocked }

    class Worker(val pool: ElasticPool, task: Runnable, name: String) : Thread(task, name)

    private class Workers(private val pool: ElasticPool) : ThreadFactory {
        private val count = AtomicInteger()

        override fun newThread(task: Runnable): Thread = Worker(pool, task, "unified-llm-${count.incrementAndGet()}").also { it.isDaemon = true }
    }

    private companion object {
        const val LEAST = 4
        const val IDLE_SECONDS = 1L
    }
}
