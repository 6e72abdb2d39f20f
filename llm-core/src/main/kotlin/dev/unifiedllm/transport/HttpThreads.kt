package dev.unifiedllm.transport

import java.util.concurrent.CompletableFuture
import java.util.concurrent.Executor
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadFactory
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger

/**
 * The threads on which the JDK's HTTP clients work: a few, since their tasks are short. The JDK's own pool has a thread for each task that waits, which
 * makes hundreds when many streams begin at once.
 *
 * A task may block, as the lookup of a host name does. While no task ends and others wait, one more thread starts after [PATIENCE_MS] milliseconds, and each
 * further one later than the one before: busy processors look like blocked tasks, and more threads would not help them.
 * Daemon threads, which end when they are idle. Thread-safe.
 */
internal class HttpThreads(private val least: Int = maxOf(LEAST, Runtime.getRuntime().availableProcessors())) : Executor {
    private val waiting = LinkedBlockingQueue<Runnable>()
    private val pool = ThreadPoolExecutor(least, Int.MAX_VALUE, IDLE_SECONDS, TimeUnit.SECONDS, waiting, Daemons()).also { it.allowCoreThreadTimeOut(true) }
    private val isWatched = AtomicBoolean()

    /** How many threads there are now. */
    val size: Int get() = pool.poolSize

    override fun execute(task: Runnable) {
        pool.execute(task)
        if (!waiting.isEmpty() && isWatched.compareAndSet(false, true)) watch(pool.completedTaskCount)
    }

    /** Looks again later, and starts a thread if no task has ended since [completed] were. */
    private fun watch(completed: Long): Unit = later().execute {
        if (waiting.isEmpty()) {
            pool.corePoolSize = least
            isWatched.set(false)
            // A task that came in between found the watch on.
            if (!waiting.isEmpty() && isWatched.compareAndSet(false, true)) watch(pool.completedTaskCount)
            return@execute
        }
        val now = pool.completedTaskCount
        if (now == completed) pool.corePoolSize = pool.poolSize + 1
        watch(now)
    }

    private fun later(): Executor {
        val added = pool.corePoolSize - least
        return CompletableFuture.delayedExecutor(PATIENCE_MS * (1 + added), TimeUnit.MILLISECONDS) { it.run() }
    }

    private class Daemons : ThreadFactory {
        private val count = AtomicInteger()

        override fun newThread(task: Runnable): Thread = Thread(task, "unified-llm-http-${count.incrementAndGet()}").also { it.isDaemon = true }
    }

    private companion object {
        const val LEAST = 4
        const val IDLE_SECONDS = 5L
        const val PATIENCE_MS = 20L
    }
}
