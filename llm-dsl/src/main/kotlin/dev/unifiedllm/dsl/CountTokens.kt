package dev.unifiedllm.dsl

import dev.unifiedllm.Call
import dev.unifiedllm.Llm
import dev.unifiedllm.TokenCount
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.defaultTokenCount

/** Counts the tokens of a request to [model] by [Llm.default]: by its provider if that has an endpoint for it, else by an estimate that says so. */
public fun countTokens(model: String, block: ChatRequestBuilder.() -> Unit): Call<TokenCount> = defaultTokenCount(ChatRequest.build(model, block))

/** Counts the tokens of [prompt] for [model] by [Llm.default]. */
public fun countTokens(model: String, prompt: String): Call<TokenCount> = countTokens(model) { user(prompt) }
