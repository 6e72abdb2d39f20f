package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder

/** A client by the rules that [block] sets; the rest comes from the environment. Close it when it is done with. */
public fun llm(block: LlmBuilder.() -> Unit = {}): Llm = Llm.builder().apply(block).build()
