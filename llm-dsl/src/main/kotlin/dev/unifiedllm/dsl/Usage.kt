package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.sessionUsage
import dev.unifiedllm.store.UsageReport

/**
 * The tokens of the complete responses of [Llm.default], by model; in a notebook those of all clients of the kernel.
 *
 * @param days the last days, to the minute; null for all
 */
public fun usage(days: Int? = null): UsageReport = sessionUsage(days)
