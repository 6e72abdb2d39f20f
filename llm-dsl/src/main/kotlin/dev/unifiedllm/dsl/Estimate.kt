package dev.unifiedllm.dsl

import dev.unifiedllm.CostEstimate
import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.defaultEstimate

/** What the request that [block] builds will cost at [model], which is "provider/model", by [Llm.default]. Sends nothing, needs no key. */
public fun estimate(model: String, block: ChatRequestBuilder.() -> Unit): CostEstimate = defaultEstimate(ChatRequest.build(model, block))

/** What a request with [prompt] will cost at [model], which is "provider/model", by [Llm.default]. Sends nothing, needs no key. */
public fun estimate(model: String, prompt: String): CostEstimate = estimate(model) { user(prompt) }

/** What the request that [block] builds will cost at [model], which is a Model or the id of one. */
public fun estimate(model: ModelRef, block: ChatRequestBuilder.() -> Unit): CostEstimate = defaultEstimate(ChatRequest.build(model, block))

/** What a request with [prompt] will cost at [model], which is a Model or the id of one. */
public fun estimate(model: ModelRef, prompt: String): CostEstimate = estimate(model) { user(prompt) }
