package dev.unifiedllm

import kotlinx.coroutines.CancellableContinuation
import kotlinx.coroutines.suspendCancellableCoroutine
import java.util.concurrent.atomic.AtomicReference
import java.util.concurrent.locks.LockSupport
import kotlin.coroutines.resume

/** Coroutines and threads that wait for a log to grow, or to end. */
internal class Waiters {
    private class Waiter(val next: Waiter?, val coroutine: CancellableContinuation<Unit>?, val thread: Thread?)

    private val first = AtomicReference<Waiter?>()

    /** Wakes those that wait now. One that waits again is woken the next time. */
    fun wake() {
        var waiter = (if (first.get() == null) null else first.getAndSet(null))
        while (waiter != null) {
            waiter.coroutine?.resume(Unit) // does nothing if it was cancelled
            LockSupport.unpark(waiter.thread)
            waiter = waiter.next
        }
    }

    suspend inline fun suspendUnless(crossinline isReady: () -> Boolean) {
        suspendCancellableCoroutine { continuation ->
            add(continuation, null)
            if (isReady()) wake()
        }
    }

    inline fun blockUnless(isReady: () -> Boolean) {
        while (!isReady()) {
            add(null, Thread.currentThread())
            if (isReady()) return
            LockSupport.park(this)
            if (Thread.interrupted()) throw InterruptedException()
        }
    }

    private fun add(coroutine: CancellableContinuation<Unit>?, thread: Thread?) {
        while (true) {
            val next = first.get()
            if (first.compareAndSet(next, Waiter(next, coroutine, thread))) return
        }
    }
}
