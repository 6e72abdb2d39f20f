package dev.unifiedllm

import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.CallerState
import dev.unifiedllm.chat.RunningFunctions
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.suspendCancellableCoroutine
import java.lang.reflect.InvocationTargetException
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.ThreadFactory
import java.util.concurrent.atomic.AtomicInteger
import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.EmptyCoroutineContext

/**
 * The threads on which functions of the user run, such as that of `simple { }`: virtual threads where the JDK has them, else daemon threads of a pool
 * without a bound. A function may block, also for another call of the same client, without keeping any call from going on.
 */
internal object UserThreads {
    val executor: ExecutorService = virtualThreads() ?: Executors.newCachedThreadPool(DaemonThreads("unified-llm-user"))

    /** `Executors.newVirtualThreadPerTaskExecutor()`, which JDK 21 added. Null on older JDKs. */
    private fun virtualThreads(): ExecutorService? = try {
        Executors::class.java.getMethod("newVirtualThreadPerTaskExecutor").invoke(null) as ExecutorService
    } catch (_: NoSuchMethodException) {
        null
    } catch (_: InvocationTargetException) {
        null // JDK 19 and 20 without --enable-preview
    }
}

/** Makes daemon threads called [name]-1, [name]-2, … */
internal class DaemonThreads(private val name: String) : ThreadFactory {
    private val count = AtomicInteger()

    override fun newThread(task: Runnable): Thread = Thread(task, "$name-${count.incrementAndGet()}").also { it.isDaemon = true }
}

/**
 * Runs [function] on a thread of [UserThreads] and suspends until it returns. Cancelling interrupts the thread and resumes at once, whether or not the
 * function reacts to the interrupt.
 *
 * The span of the call and this thread's MDC are current there.
 *
 * @param name what the function belongs to, for the warning about one that ignores the interrupt
 * @param function gets the coroutine context that restores the span and the MDC in coroutines that it starts
 */
internal suspend fun <T> runUserFunction(name: String, context: CallContext, function: (CoroutineContext) -> T): T {
    currentCoroutineContext().ensureActive()
    val caller = CallerState.ofThread(context.span)
    return suspendCancellableCoroutine { continuation ->
        val running = RunningFunctions.Running(name)
        val task = UserThreads.executor.submit {
            context.functions?.began(running)
            try {
                continuation.resumeWith(resultOf(name) { if (caller == null) function(EmptyCoroutineContext) else caller.attach().use { function(caller) } })
            } finally {
                context.functions?.ended(running)
            }
        }
        continuation.invokeOnCancellation { task.cancel(true) }
    }
}

private fun <T> resultOf(name: String, function: () -> T): Result<T> = try {
    Result.success(function())
} catch (failure: Throwable) { // of whatever kind: it is the failure of the call
    Result.failure(notCancelled(name, failure))
}

/** In a live coroutine a CancellationException would end everything around it without a failure. */
private fun notCancelled(name: String, failure: Throwable): Throwable =
    if (failure is CancellationException) {
        IllegalStateException(
            "$name threw a CancellationException, though its call had not been cancelled${failure.message?.let { ": $it" }.orEmpty()}",
            failure,
        )
    } else {
        failure
    }
