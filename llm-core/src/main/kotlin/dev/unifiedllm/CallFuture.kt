package dev.unifiedllm

import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit

/** A future whose waits count as blocking: on a thread of a client another thread takes its place meanwhile. */
internal class CallFuture<T> : CompletableFuture<T>() {
    override fun get(): T = blocking { super.get() }

    override fun get(timeout: Long, unit: TimeUnit): T = blocking { super.get(timeout, unit) }

    override fun join(): T = blocking { super.join() }

    override fun <U> newIncompleteFuture(): CompletableFuture<U> = CallFuture()
}
