package dev.unifiedllm.dsl

import dev.unifiedllm.ImageReply
import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ImageRequestBuilder
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.defaultImageReply
import dev.unifiedllm.defaultImageRequest

/** A call for images to [model], which is "provider/model", by [Llm.default]. Nothing is sent before its first terminal. */
public fun image(model: String, block: ImageRequestBuilder.() -> Unit): ImageReply = defaultImageReply(ImageRequest.build(model, block))

/** A call for images to [model], which is "provider/model", by [Llm.default]. Nothing is sent before its first terminal. */
public fun image(model: String, prompt: String): ImageReply = image(model) { this.prompt = prompt }

/** A call for images to [model], which is a Model or the id of one. */
public fun image(model: ModelRef, block: ImageRequestBuilder.() -> Unit): ImageReply = defaultImageReply(ImageRequest.build(model, block))

/** A call for images to [model], which is a Model or the id of one. */
public fun image(model: ModelRef, prompt: String): ImageReply = image(model) { this.prompt = prompt }

/** A call for images to the default image model, which the variable LITELLM_DEFAULT_IMAGE_MODEL names. */
public fun image(block: ImageRequestBuilder.() -> Unit): ImageReply = defaultImageReply(defaultImageRequest(block))
