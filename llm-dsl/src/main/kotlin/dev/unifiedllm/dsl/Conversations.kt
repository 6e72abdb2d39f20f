package dev.unifiedllm.dsl

import dev.unifiedllm.Conversation
import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelRef

/** A conversation with [model] by [Llm.default]; [block] sets what stays the same in all turns. */
public fun conversation(model: String, block: ChatRequestBuilder.() -> Unit = {}): Conversation = Llm.default.conversation(model, block)

/** A conversation with [model], which is a Model or the id of one. */
public fun conversation(model: ModelRef, block: ChatRequestBuilder.() -> Unit = {}): Conversation = Llm.default.conversation(model, block)
