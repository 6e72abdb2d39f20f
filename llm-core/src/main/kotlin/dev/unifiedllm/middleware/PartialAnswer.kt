package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFold
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/** Gives a failure what the attempt had delivered before it. */
internal object PartialAnswer : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = flow {
        val fold = Recording()
        try {
            next.stream(request).collect {
                fold.record(it)
                emit(it)
            }
        } catch (failure: LlmException) {
            if (failure.partial == null) failure.partial = fold.response()
            throw failure
        }
    }

    /** Remembers deltas as they come, and folds them only if it is asked to. */
    private class Recording {
        private val startedAt = System.nanoTime()
        private val deltas = ArrayList<Delta>()
        private var times = LongArray(INITIAL)

        fun record(delta: Delta) {
            if (deltas.size == times.size) times = times.copyOf(times.size * 2)
            times[deltas.size] = System.nanoTime()
            deltas += delta
        }

        fun response() = if (deltas.none { it.isContent || it is Delta.Start }) {
            null
        } else {
            ResponseFold(startedAt = startedAt).also { fold -> deltas.forEachIndexed { at, delta -> fold.add(delta, times[at]) } }.response()
        }

        private companion object {
            const val INITIAL = 64
        }
    }
}
