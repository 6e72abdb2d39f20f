package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Usage

/** The usage of a wire whose input tokens exclude those read from a cache or written to it. Counters are cumulative: the last values count. */
internal class CachedUsage {
    var input: Long? = null
    var output: Long? = null
    var read: Long? = null
    var written: Long? = null
    var written5m: Long? = null
    var written1h: Long? = null
    var reasoning: Long? = null
    var webSearches: Long? = null

    /** As the provider names it; null if it does not. */
    var serviceTier: String? = null

    /** See [Billing.conditions]. */
    val conditions: MutableSet<String> = linkedSetOf()

    /** See [Billing.unpriced]. */
    var unpriced: String? = null

    /** The usage with cached tokens in the input; null if the provider reported none. */
    fun usage(): Usage? {
        if (input == null && output == null) return null
        val parts = listOfNotNull(written5m, written1h).takeIf { it.isNotEmpty() }?.sum()
        val allWritten = listOfNotNull(written, parts).maxOrNull() // some gateways report the sum as zero beside its parts
        return Usage.build {
            inputTokens = input?.let { it + (read ?: 0) + (allWritten ?: 0) }
            outputTokens = output
            cacheReadTokens = read
            cacheWriteTokens = allWritten
            cacheWrite5mTokens = written5m
            cacheWrite1hTokens = written1h
            reasoningTokens = reasoning
            billing = Billing(Billing.serviceTier(serviceTier), conditions.toSet(), webSearches, unpriced = unpriced)
        }
    }
}
