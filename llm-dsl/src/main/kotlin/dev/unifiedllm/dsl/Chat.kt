package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelRef

/** A question to [model], which is "provider/model", by [Llm.default]. Nothing is sent before the first terminal. */
public fun chat(model: String, block: ChatRequestBuilder.() -> Unit): Reply = Llm.default.chat(model, block)

public fun chat(model: String, prompt: String): Reply = Llm.default.chat(model, prompt)

/** A question to [model], which is a Model or the id of one. */
public fun chat(model: ModelRef, block: ChatRequestBuilder.() -> Unit): Reply = Llm.default.chat(model, block)

public fun chat(model: ModelRef, prompt: String): Reply = Llm.default.chat(model, prompt)

/** A question to the default model, which the variable MODEL names. */
public fun chat(block: ChatRequestBuilder.() -> Unit): Reply = Llm.default.chat(block)
