package dev.unifiedllm.dsl

import dev.unifiedllm.Call
import dev.unifiedllm.Llm
import dev.unifiedllm.ModelInfo
import dev.unifiedllm.defaultModelList

/** The models that [provider] offers to the account of [Llm.default], as in `models("groq")`, with what the price catalogue knows about them. */
public fun models(provider: String): Call<List<ModelInfo>> = defaultModelList(provider)
