package dev.unifiedllm

import java.util.concurrent.CompletableFuture

/**
 * A call that has not been sent: the first terminal sends it, once. Later ones share the same result.
 *
 * `await…` suspends, `get…` blocks. Both throw [LlmException] if the call fails, and [LlmException.Cancelled] if it has been cancelled.
 */
public interface Call<out T> {
    /** The whole result. Cancelling the last consumer cancels the call and aborts its request. */
    @JvmSynthetic
    public suspend fun await(): T

    /** The whole result, blocking for it. Interrupting the last consumer cancels the call; the interrupt flag stays set. */
    public fun get(): T

    /** The whole result, when it has arrived. Cancelling the future, or its timeout, counts as leaving. Its callbacks may block. */
    public fun toFuture(): CompletableFuture<@UnsafeVariance T>

    /** Ends the call for all its consumers. Does nothing if it has ended. */
    public fun cancel()
}
