package dev.unifiedllm

import java.util.concurrent.CompletableFuture

/**
 * Something asked for and not yet sent: the first terminal sends it, once; later ones share the same answer.
 *
 * `await…` suspends, `get…` blocks. Both throw [LlmException] if the call fails, [LlmException.Cancelled] if it had been cancelled.
 */
public interface Call<out T> {
    /** The whole answer. Cancelling the last one who waits cancels the call and closes its connection. */
    @JvmSynthetic
    public suspend fun await(): T

    /** The whole answer, blocking for it. Interrupting the last one who waits cancels the call; the interrupt flag stays set. */
    public fun get(): T

    /** The whole answer when it is there. Cancelling the future, or its `orTimeout`, counts as leaving. */
    public fun toFuture(): CompletableFuture<@UnsafeVariance T>

    /** Ends the call for all who wait for it. Does nothing to one that has ended. */
    public fun cancel()
}
