@file:JvmName("Interceptors")

package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow
import java.util.concurrent.Flow.Publisher
import java.util.function.BiFunction

/**
 * Wraps a model: it may change the request, return a response itself, call [intercept]'s `next` again, or watch the deltas.
 *
 * The flow it returns follows the grammar of [Delta] and is cold. It runs on a thread of the client, which takes part in other calls too: what blocks for
 * long belongs on a dispatcher of its own. A call for another response by `get()` is allowed.
 */
public fun interface Interceptor {
    public fun intercept(request: Request, next: Model): Flow<Delta>

    public companion object {
        /** An interceptor made of publishers: `Interceptor.of((request, next) -> next.publisher(request))`. [intercept] may block. */
        @JvmStatic
        public fun of(intercept: BiFunction<Request, Model, Publisher<Delta>>): Interceptor = Interceptor { request, next ->
            linkFlow { runUserFunction("an interceptor of ${next.id}", request.context) { intercept.apply(request, next) }.asFlow().collect(this) }
        }
    }
}

/**
 * Where an interceptor stands in a call, from the outside to the inside.
 *
 * A call has one step for each response of a tool loop, one target for each model that is tried, and at each target one attempt and its retries.
 */
public enum class Level {
    /** Around the whole call, once. */
    CALL,

    /** Around each step of a tool loop, with its fallbacks. */
    STEP,

    /** Around each model that is tried, with its retries. */
    TARGET,

    /** Around each attempt at a model: each request that is sent. */
    ATTEMPT,
}

/** This model behind [interceptors]; the first is the outermost. */
public fun Model.with(vararg interceptors: Interceptor): Model = interceptors.foldRight(this, ::Intercepted)

internal class Intercepted(val interceptor: Interceptor, val next: Model) : Model {
    override val id: ModelId get() = next.id

    override fun stream(request: Request): Flow<Delta> = interceptor.intercept(request, next)

    override fun toString(): String = next.toString()
}
