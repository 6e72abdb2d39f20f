package dev.unifiedllm.dsl

import dev.unifiedllm.Comparison
import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.defaultComparison

/**
 * One request to several [models], each "provider/model", at once by [Llm.default]; [block] runs once. Nothing is sent before its first terminal.
 *
 * A key, extra headers, query parameters and provider options that [block] sets go to the first model and to those of the same provider.
 *
 * @throws IllegalArgumentException if there is no model
 */
public fun compare(vararg models: String, block: ChatRequestBuilder.() -> Unit): Comparison = compare(models.asList(), block)

/** [compare] for Models. In a mixed list write `model("provider/model")`. */
public fun compare(vararg models: ModelRef, block: ChatRequestBuilder.() -> Unit): Comparison = defaultComparison(models.asList(), block)

/** [compare] for a list of names. */
public fun compare(models: List<String>, block: ChatRequestBuilder.() -> Unit): Comparison = defaultComparison(models.map(ModelId::parse), block)
