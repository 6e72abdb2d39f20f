package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow
import java.util.BitSet

/**
 * Fails a response whose vectors are not one for each input, or not of one length. The vectors are held back until then, so that another model can be
 * tried: a response has all of them in one piece.
 */
internal object RequireVectors : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        if (request !is EmbeddingRequest) return next.stream(request)
        return linkFlow {
            val held = mutableListOf<Delta>()
            next.stream(request).collect { delta ->
                if (delta is Delta.Warning || delta is Delta.Attempt || delta is Delta.Waiting) return@collect emit(delta)
                if (delta is Delta.Reset) return@collect held.clear()
                held += delta
                if (delta is Delta.Finish) held.checked(request.inputs.size, next.id).also { held.clear() }.forEach { emit(it) }
            }
        }
    }

    private fun List<Delta>.checked(inputs: Int, model: ModelId): List<Delta> {
        val seen = Vectors(inputs)
        for (delta in this) if (delta is Delta.Embedding) seen.add(delta)
        val answered = filterIsInstance<Delta.Start>().lastOrNull()?.model ?: model
        seen.problem()?.let { throw malformed(answered, it) }
        return toList()
    }

    private fun malformed(model: ModelId, problem: String) =
        LlmException.MalformedResponse("The response of $model cannot be used: $problem.", details = LlmException.Details(model))

    private class Vectors(private val inputs: Int) {
        private val indexes = BitSet()
        private val lengths = sortedSetOf<Int>()
        private var count = 0
        private var strange: Int? = null

        fun add(delta: Delta.Embedding) {
            count++
            lengths += delta.vector.size
            if (delta.index in 0 until inputs && !indexes[delta.index]) indexes.set(delta.index) else strange = delta.index
        }

        fun problem(): String? = when {
            count != inputs -> "it has $count vectors for $inputs inputs"
            strange != null -> "it has $count vectors for $inputs inputs, but the index $strange stands twice or is out of their range"
            lengths.size > 1 -> "its vectors have different lengths, from ${lengths.first()} to ${lengths.last()} numbers"
            else -> null
        }
    }
}
