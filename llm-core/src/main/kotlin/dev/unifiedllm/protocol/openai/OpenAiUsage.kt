package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.provider.Quirks
import dev.unifiedllm.provider.Target
import java.math.BigDecimal

/** Reads the `usage` object. Its counters are cumulative: where it comes more than once, the last values count. */
internal class OpenAiUsage(private val quirks: Quirks) {
    private var input: Long? = null
    private var output: Long? = null
    private var total: Long? = null
    private var cacheRead: Long? = null
    private var cacheWrite: Long? = null
    private var reasoning: Long? = null
    private var audioInput: Long? = null
    private var audioOutput: Long? = null
    private var imageOutput: Long? = null
    private var cost: BigDecimal? = null

    fun read(json: JsonCursor) {
        json.members(Member) { member ->
            when (member) {
                Member.PROMPT_TOKENS, Member.INPUT_TOKENS -> input = json.tokens() ?: input
                Member.COMPLETION_TOKENS, Member.OUTPUT_TOKENS -> output = json.tokens() ?: output
                Member.TOTAL_TOKENS -> total = json.tokens() ?: total
                Member.PROMPT_TOKENS_DETAILS, Member.INPUT_TOKENS_DETAILS -> inputDetails(json)
                Member.COMPLETION_TOKENS_DETAILS, Member.OUTPUT_TOKENS_DETAILS -> outputDetails(json)
                Member.PROMPT_CACHE_HIT_TOKENS, Member.CACHED_TOKENS, Member.CACHE_READ_INPUT_TOKENS -> cacheRead = json.tokens() ?: cacheRead
                Member.CACHE_CREATION_INPUT_TOKENS -> cacheWrite = json.tokens() ?: cacheWrite
                Member.REASONING_TOKENS -> reasoning = json.tokens() ?: reasoning
                Member.COST -> json.costAt("cost")?.let { cost = it }
                Member.COST_IN_USD_TICKS -> json.costAt("cost_in_usd_ticks")?.let { cost = it.movePointLeft(TICK_DIGITS) }
            }
        }
    }

    private fun inputDetails(json: JsonCursor) {
        json.members(InputDetails) { member ->
            when (member) {
                InputDetails.CACHED_TOKENS -> cacheRead = json.tokens() ?: cacheRead
                InputDetails.AUDIO_TOKENS -> audioInput = json.tokens() ?: audioInput
                InputDetails.CACHE_WRITE_TOKENS, InputDetails.CACHE_CREATION_TOKENS -> cacheWrite = json.tokens() ?: cacheWrite
            }
        }
    }

    private fun outputDetails(json: JsonCursor) {
        json.members(OutputDetails) { member ->
            when (member) {
                OutputDetails.REASONING_TOKENS -> reasoning = json.tokens() ?: reasoning
                OutputDetails.AUDIO_TOKENS -> audioOutput = json.tokens() ?: audioOutput
                OutputDetails.IMAGE_TOKENS -> imageOutput = json.tokens() ?: imageOutput
            }
        }
    }

    /** Reads the value of [member] as the billed cost, if the provider's row names it as that; null otherwise. */
    private fun JsonCursor.costAt(member: String): BigDecimal? {
        val path = quirks.costInUsage?.split('.')
        if (path == null || path.first() != member) {
            skip()
            return null
        }
        if (path.size == 1) return decimalOrNull()?.takeIf { it.signum() >= 0 }
        var found: BigDecimal? = null
        members(JsonNames(path[1])) { found = decimalOrNull()?.takeIf { it.signum() >= 0 } }
        return found
    }

    /** The usage read so far; null if the provider reported none. */
    fun usage(): Usage? {
        if (input == null && output == null) return null
        val outside = when (quirks.reasoning.counted) {
            Quirks.Counted.INSIDE -> false
            Quirks.Counted.TOTAL -> total == (input ?: 0) + (output ?: 0) + (reasoning ?: 0) // such a provider may start to count as the others do
            Quirks.Counted.APART -> true
        }
        return Usage.build {
            inputTokens = input
            outputTokens = if (outside) (output ?: 0) + (reasoning ?: 0) else output
            cacheReadTokens = cacheRead
            cacheWriteTokens = cacheWrite
            reasoningTokens = reasoning
            audioInputTokens = audioInput
            audioOutputTokens = audioOutput
            imageTokens = imageOutput
        }
    }

    /** The cost that the provider reported. Zero counts as not reported: some providers send it and bill elsewhere. */
    fun cost(target: Target): Cost =
        cost?.takeIf { it.signum() > 0 }?.let { Cost.Known(Usd.of(it), target.provider.id) } ?: Cost.Unknown("not priced")

    private companion object {
        const val TICK_DIGITS = 10
    }

    private object Member : JsonNames(
        "prompt_tokens",
        "input_tokens",
        "completion_tokens",
        "output_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "prompt_cache_hit_tokens",
        "cost",
        "cost_in_usd_ticks",
        "reasoning_tokens",
        "cached_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "input_tokens_details",
        "output_tokens_details",
    ) {
        const val PROMPT_TOKENS = 0
        const val INPUT_TOKENS = 1
        const val COMPLETION_TOKENS = 2
        const val OUTPUT_TOKENS = 3
        const val TOTAL_TOKENS = 4
        const val PROMPT_TOKENS_DETAILS = 5
        const val COMPLETION_TOKENS_DETAILS = 6
        const val PROMPT_CACHE_HIT_TOKENS = 7
        const val COST = 8
        const val COST_IN_USD_TICKS = 9
        const val REASONING_TOKENS = 10
        const val CACHED_TOKENS = 11
        const val CACHE_READ_INPUT_TOKENS = 12
        const val CACHE_CREATION_INPUT_TOKENS = 13
        const val INPUT_TOKENS_DETAILS = 14
        const val OUTPUT_TOKENS_DETAILS = 15
    }

    private object InputDetails : JsonNames("cached_tokens", "audio_tokens", "cache_write_tokens", "cache_creation_tokens") {
        const val CACHED_TOKENS = 0
        const val AUDIO_TOKENS = 1
        const val CACHE_WRITE_TOKENS = 2
        const val CACHE_CREATION_TOKENS = 3
    }

    private object OutputDetails : JsonNames("reasoning_tokens", "audio_tokens", "image_tokens") {
        const val REASONING_TOKENS = 0
        const val AUDIO_TOKENS = 1
        const val IMAGE_TOKENS = 2
    }
}
