package dev.unifiedllm.dsl

import dev.unifiedllm.Conversation
import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.defaultConversation
import java.nio.file.Path

/** A conversation with [model] by [Llm.default]; [block] sets what all turns share. */
public fun conversation(model: String, block: ChatRequestBuilder.() -> Unit = {}): Conversation = defaultConversation(ChatRequest.build(model, block))

/** A conversation with [model], which is a Model or the id of one. */
public fun conversation(model: ModelRef, block: ChatRequestBuilder.() -> Unit = {}): Conversation = defaultConversation(ChatRequest.build(model, block))

/** The conversation that [Conversation.save] wrote to [file], by [Llm.default]; [block] sets what all turns share. */
public fun conversation(file: Path, block: ChatRequestBuilder.() -> Unit = {}): Conversation = defaultConversation(file, block)
