package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

/**
 * Cohere's `usage` object has two counts: `tokens` are all tokens of the model; `billed_units` leave out Cohere's own preamble, and have units of
 * other kinds beside the tokens ([docs.cohere.com](https://docs.cohere.com/v2/reference/chat)).
 */
internal class CohereUsage {
    private class Counters {
        var input: Long? = null
        var output: Long? = null
        var reasoning: Long? = null

        /** True if there are units that are not tokens, such as searches. */
        var hasOthers = false

        /** True if nothing but zeros was reported. */
        val isZero: Boolean get() = (input ?: 0L) == 0L && (output ?: 0L) == 0L

        fun read(json: JsonCursor) {
            if (!json.enterObject()) return
            while (true) {
                when (json.next(TokenCounts)) {
                    TokenCounts.INPUT_TOKENS -> input = json.tokens(input)
                    TokenCounts.OUTPUT_TOKENS -> output = json.tokens(output)
                    TokenCounts.REASONING_TOKENS -> reasoning = json.tokens(reasoning)
                    JsonNames.END -> return
                    else -> hasOthers = json.isPositive() || hasOthers
                }
            }
        }
    }

    private val all = Counters()
    private val billed = Counters()
    private var cached: Long? = null

    fun read(json: JsonCursor) {
        json.members(UsageMembers) { member ->
            when (member) {
                UsageMembers.TOKENS -> all.read(json)
                UsageMembers.BILLED_UNITS -> billed.read(json)
                UsageMembers.CACHED_TOKENS -> cached = json.tokens(cached)
            }
        }
    }

    /** Null if the provider did not report it. */
    fun usage(): Usage? {
        if (all.input == null && all.output == null && billed.input == null && billed.output == null) return null
        val isBilled = !billed.isZero || all.isZero // some gateways fill in zeros beside the real tokens
        return Usage.build {
            inputTokens = (all.input ?: billed.input.takeIf { isBilled })?.let { withCached(it) }
            outputTokens = all.output ?: billed.output.takeIf { isBilled }
            reasoningTokens = all.reasoning
            cacheReadTokens = cached
            billedInputTokens = billed.input.takeIf { isBilled }
            billedOutputTokens = billed.output.takeIf { isBilled }
            billing = Billing(unpriced = "no price is known for the search units of Cohere".takeIf { billed.hasOthers })
        }
    }

    /** Where more tokens are cached than were sent, the cached ones are counted apart. */
    private fun withCached(input: Long): Long = (cached ?: 0).let { if (it > input) input + it else input }

    private object UsageMembers : JsonNames("tokens", "billed_units", "cached_tokens") {
        const val TOKENS = 0
        const val BILLED_UNITS = 1
        const val CACHED_TOKENS = 2
    }

    private object TokenCounts : JsonNames("input_tokens", "output_tokens", "reasoning_tokens") {
        const val INPUT_TOKENS = 0
        const val OUTPUT_TOKENS = 1
        const val REASONING_TOKENS = 2
    }
}

/** True for a number above zero, which may be a fraction or a text. */
private fun JsonCursor.isPositive(): Boolean {
    val number = if (kind() == JsonKind.STRING) string().trim().toBigDecimalOrNull() else decimalOrNull()
    return number != null && number.signum() > 0
}
