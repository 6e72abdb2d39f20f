package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Request
import kotlinx.serialization.json.JsonArray

/**
 * A call whose result can be kept.
 *
 * @property request what is asked, as a text that differs for different requests
 * @property deltas those of the call, when it has ended
 * @property restore makes the result of kept deltas
 */
internal class KeptCall<R : Any>(val request: String, val deltas: () -> List<Delta>, val restore: (List<Delta>) -> R)

/** Null for a call that is not made of deltas. */
@Suppress("UNCHECKED_CAST") // each branch has the type of its call
internal fun <R : Any> keptCall(call: Call<R>): KeptCall<R>? = when (call) {
    is Reply -> KeptCall(textOf(call.request), call.call.log::snapshot, call.call::restored)
    is ImageReply -> KeptCall(textOf(call.request), call.call.log::snapshot, call.call::restored)
    is EmbeddingReply -> KeptCall(textOf(call.request), call.call.log::snapshot, call.call::restored)
    is TypedReply<*> -> call.reply.let { reply -> KeptCall(textOf(reply.request), reply.call.log::snapshot) { call.read(reply.call.restored(it)) } }
    else -> null
} as KeptCall<R>?

private fun textOf(request: Request): String = when (request) {
    is ChatRequest -> listOf(
        request.model,
        request.messages.map { message -> message.role to JsonArray(message.parts.map(PartJson::write)) },
        request.tools.map { it.name to it.parameters },
        request.temperature, request.topP, request.topK, request.maxTokens, request.stop, request.seed, request.presencePenalty, request.frequencyPenalty,
        request.n, request.responseFormat, request.reasoning, request.reasoningBudget, request.providerOptions,
    )
    is ImageRequest -> listOf(
        request.model, request.prompt, request.size, request.quality, request.style, request.n, request.seed, request.negativePrompt, request.format,
        request.sources.map { it.url }, request.mask?.url, request.providerOptions,
    )
    is EmbeddingRequest -> listOf(request.model, request.inputs, request.dimensions, request.inputType, request.providerOptions)
}.joinToString("\u0000")
