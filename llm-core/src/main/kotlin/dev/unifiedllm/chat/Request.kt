package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi

/** What is asked of a model: a chat, an image, or vectors. */
public sealed class Request(
    @get:JvmName("model") public val model: ModelId,
    @get:JvmName("context") public val context: CallContext,
) {
    /** The same question with another context. */
    @InternalLlmApi
    public abstract fun withContext(context: CallContext): Request
}

/** Asks for images of [prompt]. */
public class ImageRequest @JvmOverloads constructor(
    model: ModelId,
    @get:JvmName("prompt") public val prompt: String,
    /** Width by height in pixels, as in `1024x1024`; null leaves it to the model. */
    @get:JvmName("size") public val size: String? = null,
    @get:JvmName("quality") public val quality: String? = null,
    /** How many images; null leaves it to the model. */
    @get:JvmName("count") public val count: Int? = null,
    context: CallContext = CallContext.EMPTY,
) : Request(model, context) {
    init {
        require(prompt.isNotBlank()) { "an image needs a prompt, this one is blank" }
        require(count == null || count > 0) { "count must be positive, was $count" }
    }

    @InternalLlmApi
    override fun withContext(context: CallContext): ImageRequest = ImageRequest(model, prompt, size, quality, count, context)
}

/** Asks for one vector for each of [inputs]. */
public class EmbeddingRequest @JvmOverloads constructor(
    model: ModelId,
    @get:JvmName("inputs") public val inputs: List<String>,
    /** The length of the vectors; null leaves it to the model. */
    @get:JvmName("dimensions") public val dimensions: Int? = null,
    context: CallContext = CallContext.EMPTY,
) : Request(model, context) {
    init {
        require(inputs.isNotEmpty()) { "inputs must hold one text at least, was empty" }
        require(dimensions == null || dimensions > 0) { "dimensions must be positive, was $dimensions" }
    }

    @InternalLlmApi
    override fun withContext(context: CallContext): EmbeddingRequest = EmbeddingRequest(model, inputs, dimensions, context)
}
