package dev.unifiedllm.middleware

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.withContext
import kotlin.coroutines.ContinuationInterceptor

/** A call without a dispatcher is woken on the thread of the timers or on that of another call: neither is to send its request. */
internal suspend fun leaveThread() {
    if (currentCoroutineContext()[ContinuationInterceptor] === Dispatchers.Unconfined) withContext(Dispatchers.Default) { }
}
