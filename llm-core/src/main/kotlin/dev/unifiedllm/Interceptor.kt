@file:JvmName("Interceptors")

package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow
import java.util.concurrent.Flow.Publisher
import java.util.function.BiFunction

/**
 * A link around a model: it may change the request, answer by itself, ask [intercept]'s `next` again, or watch the deltas go by.
 *
 * What it returns keeps the grammar of [Delta] and stays cold.
 */
public fun interface Interceptor {
    public fun intercept(request: Request, next: Model): Flow<Delta>

    public companion object {
        /** A link written with publishers: `Interceptor.of((request, next) -> next.publisher(request))`. */
        @JvmStatic
        public fun of(intercept: BiFunction<Request, Model, Publisher<Delta>>): Interceptor =
            Interceptor { request, next -> intercept.apply(request, next).asFlow() }
    }
}

/** This model behind [interceptors]; the first stands outermost. */
public fun Model.with(vararg interceptors: Interceptor): Model = interceptors.foldRight(this, ::Intercepted)

private class Intercepted(private val interceptor: Interceptor, private val next: Model) : Model {
    override val id: ModelId get() = next.id

    override fun stream(request: Request): Flow<Delta> = interceptor.intercept(request, next)

    override fun toString(): String = next.toString()
}
