package dev.unifiedllm.middleware

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.withContext
import kotlin.coroutines.ContinuationInterceptor

/** A call without a dispatcher is woken on the thread of the timers or on that of another call: neither is to send its request. */
internal suspend fun leaveThread() {
    if (currentCoroutineContext()[ContinuationInterceptor] === Dispatchers.Unconfined) withContext(Dispatchers.Default) { }
}

/**
 * Runs [wait]. A caller without a dispatcher, as in `suspend fun main`, goes on on a thread of [Dispatchers.Default]: on the one that ends the wait it would
 * hold up the transport, and have the span and the MDC of another call.
 */
internal suspend fun <T> onOwnThread(wait: suspend () -> T): T {
    val interceptor = currentCoroutineContext()[ContinuationInterceptor]
    return if (interceptor != null && interceptor !== Dispatchers.Unconfined) wait() else withContext(Dispatchers.Default) { wait() }
}
