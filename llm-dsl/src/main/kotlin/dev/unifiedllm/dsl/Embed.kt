package dev.unifiedllm.dsl

import dev.unifiedllm.EmbeddingReply
import dev.unifiedllm.Llm
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.EmbeddingRequestBuilder
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.defaultEmbeddingReply

/** A call for one vector for each of [texts] to [model], which is "provider/model", by [Llm.default]. Nothing is sent before its first terminal. */
public fun embed(model: String, texts: List<String>): EmbeddingReply = embed(model) { inputs(texts) }

/** A call for the vector of [text] to [model], which is "provider/model", by [Llm.default]. Nothing is sent before its first terminal. */
public fun embed(model: String, text: String): EmbeddingReply = embed(model) { input(text) }

/** A call for embeddings to [model], which is "provider/model", by [Llm.default]. Nothing is sent before its first terminal. */
public fun embed(model: String, block: EmbeddingRequestBuilder.() -> Unit): EmbeddingReply = defaultEmbeddingReply(EmbeddingRequest.build(model, block))

/** A call for one vector for each of [texts] to [model], which is a Model or the id of one. */
public fun embed(model: ModelRef, texts: List<String>): EmbeddingReply = embed(model) { inputs(texts) }

/** A call for the vector of [text] to [model], which is a Model or the id of one. */
public fun embed(model: ModelRef, text: String): EmbeddingReply = embed(model) { input(text) }

/** A call for embeddings to [model], which is a Model or the id of one. */
public fun embed(model: ModelRef, block: EmbeddingRequestBuilder.() -> Unit): EmbeddingReply = defaultEmbeddingReply(EmbeddingRequest.build(model, block))
