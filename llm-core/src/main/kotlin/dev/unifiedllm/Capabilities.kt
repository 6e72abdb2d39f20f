package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.hasImages

/**
 * Why [model] cannot serve [request], by the catalogue of models, as a sentence; null if it can, or if that is not known.
 *
 * The length of the request is estimated: a model is left out only if the estimate is far above the limit that the catalogue lists.
 */
internal fun lackingAbility(model: ModelId, request: ChatRequest): String? {
    val abilities = abilities(model) ?: return null
    val maxInput = abilities.maxInputTokens
    val lack = when {
        abilities.isKnown && hasImages(request.messages) && !abilities.vision -> "the request has an image, and by the catalogue of models $model takes none"
        abilities.isKnown && request.tools.isNotEmpty() && !abilities.tools -> "the request has tools, and by the catalogue of models $model calls none"
        abilities.isKnown && request.needsSchema && !abilities.jsonSchema && !abilities.tools ->
            "the request needs JSON of a schema, and by the catalogue of models $model follows none"
        maxInput != null && request.isLongerThan(maxInput, model) -> "$LONGER $maxInput tokens that $model takes"
        else -> return null
    }
    return "$model was skipped: $lack. Name a fallback that can serve the request."
}

/** True if [reason], which [lackingAbility] has given, is the length of the request. */
internal fun isLength(reason: String): Boolean = LONGER in reason

private const val LONGER = "the request is longer than the"

private val ChatRequest.needsSchema: Boolean get() = responseFormat is ResponseFormat.JsonSchema

/** Counting tokens takes long: what is short or long by its characters is not counted. */
private fun ChatRequest.isLongerThan(limit: Long, model: ModelId): Boolean {
    val characters = messages.sumOf { message -> message.text.length.toLong() }
    if (characters <= limit) return false
    return estimatedTokens(this, model.name, null).count * SURE > limit
}

/** Estimates are wrong by up to a third. */
private const val SURE = 0.7
