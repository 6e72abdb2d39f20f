package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.defaultModelRequest
import dev.unifiedllm.defaultReply

/** A chat call to [model], which is "provider/model", by [Llm.default]. Nothing is sent before its first terminal. */
public fun chat(model: String, block: ChatRequestBuilder.() -> Unit): Reply = defaultReply(ChatRequest.build(model, block))

/** A chat call to [model], which is "provider/model", by [Llm.default]. Nothing is sent before its first terminal. */
public fun chat(model: String, prompt: String): Reply = chat(model) { user(prompt) }

/** A chat call to [model], which is a Model or the id of one. */
public fun chat(model: ModelRef, block: ChatRequestBuilder.() -> Unit): Reply = defaultReply(ChatRequest.build(model, block))

/** A chat call to [model], which is a Model or the id of one. */
public fun chat(model: ModelRef, prompt: String): Reply = chat(model) { user(prompt) }

/** A chat call to the default model, which the variable MODEL names. */
public fun chat(block: ChatRequestBuilder.() -> Unit): Reply = defaultReply(defaultModelRequest(block))

@Deprecated("Which model? Write chat(\"provider/model\", \"…\"), or chat { user(\"…\") } for the default model.", level = DeprecationLevel.ERROR)
@Suppress("UNUSED_PARAMETER")
public fun chat(prompt: String): Nothing = throw UnsupportedOperationException("chat needs a model")
