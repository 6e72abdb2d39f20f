package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder

/** A client with the settings of [block]; what it does not set comes from the environment. Close it when it is no longer needed. */
public fun llm(block: LlmBuilder.() -> Unit = {}): Llm = Llm.builder().apply(block).build()

/**
 * Replaces the client of the top-level functions by one with the settings of [block].
 *
 * The new client takes over the ledger. The old one closes when its running calls have ended. Replies that have not been sent and conversations that were
 * made by top-level functions go on with the new one.
 */
public fun configure(block: LlmBuilder.() -> Unit): Llm = Llm.configure { it.block() }
