package dev.unifiedllm.dsl

import dev.unifiedllm.CostEstimate
import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelRef

/** What the request that [block] builds will cost at [model], which is "provider/model", by [Llm.default]. Sends nothing, needs no key. */
public fun estimate(model: String, block: ChatRequestBuilder.() -> Unit): CostEstimate = Llm.default.estimate(model, block)

/** What a request with [prompt] will cost at [model], which is "provider/model", by [Llm.default]. Sends nothing, needs no key. */
public fun estimate(model: String, prompt: String): CostEstimate = Llm.default.estimate(model, prompt)

/** What the request that [block] builds will cost at [model], which is a Model or the id of one. */
public fun estimate(model: ModelRef, block: ChatRequestBuilder.() -> Unit): CostEstimate = Llm.default.estimate(model, block)

/** What a request with [prompt] will cost at [model], which is a Model or the id of one. */
public fun estimate(model: ModelRef, prompt: String): CostEstimate = Llm.default.estimate(model, prompt)

/** What the request that [block] builds will cost at the default model, which the variable MODEL names. */
public fun estimate(block: ChatRequestBuilder.() -> Unit): CostEstimate = Llm.default.estimate(block)
