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

/** The `usage` object: cumulative where it comes more than once, so that the last figures stand. */
internal class OpenAiUsage(private val quirks: Quirks) {
    private var input: Long? = null
    private var output: Long? = null
    private var total: Long? = null
    private var cached: Long? = null
    private var written: Long? = null
    private var reasoning: Long? = null
    private var audioInput: Long? = null
    private var audioOutput: Long? = null
    private var imageOutput: Long? = null
    private var cost: BigDecimal? = null

    fun read(json: JsonCursor) {
        json.members(USAGE) { member ->
            when (member) {
                0, 1 -> input = json.tokens() ?: input
                2, 3 -> output = json.tokens() ?: output
                4 -> total = json.tokens() ?: total
                5, 14 -> inputDetails(json)
                6, 15 -> outputDetails(json)
                7, 11, 12 -> cached = json.tokens() ?: cached
                8 -> json.costAt("cost")?.let { cost = it }
                9 -> json.costAt("cost_in_usd_ticks")?.let { cost = it.movePointLeft(TICK_DIGITS) }
                10 -> reasoning = json.tokens() ?: reasoning
                13 -> written = json.tokens() ?: written
            }
        }
    }

    private fun inputDetails(json: JsonCursor) {
        json.members(INPUT_DETAILS) { member ->
            when (member) {
                0 -> cached = json.tokens() ?: cached
                1 -> audioInput = json.tokens() ?: audioInput
                2, 3 -> written = json.tokens() ?: written
            }
        }
    }

    private fun outputDetails(json: JsonCursor) {
        json.members(OUTPUT_DETAILS) { member ->
            when (member) {
                0 -> reasoning = json.tokens() ?: reasoning
                1 -> audioOutput = json.tokens() ?: audioOutput
                2 -> imageOutput = json.tokens() ?: imageOutput
            }
        }
    }

    /** The billed cost, if the row says that [member] or a field in it holds it. */
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

    /** Null: not reported. */
    fun usage(): Usage? {
        if (input == null && output == null) return null
        val outside = when (quirks.reasoning.counted) {
            Quirks.Counted.INSIDE -> false
            Quirks.Counted.TOTAL -> total == (input ?: 0) + (output ?: 0) + (reasoning ?: 0) // it may come to count as the others do
            Quirks.Counted.APART -> true
        }
        return Usage.build {
            inputTokens = input
            outputTokens = if (outside) (output ?: 0) + (reasoning ?: 0) else output
            cacheReadTokens = cached
            cacheWriteTokens = written
            reasoningTokens = reasoning
            audioInputTokens = audioInput
            audioOutputTokens = audioOutput
            imageTokens = imageOutput
        }
    }

    /** What the provider says that it billed; zero says nothing, since some bill elsewhere then. */
    fun cost(target: Target): Cost =
        cost?.takeIf { it.signum() > 0 }?.let { Cost.Known(Usd.of(it), target.provider.id) } ?: Cost.Unknown("not priced")

    private companion object {
        const val TICK_DIGITS = 10
        val USAGE = JsonNames(
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
        )
        val INPUT_DETAILS = JsonNames("cached_tokens", "audio_tokens", "cache_write_tokens", "cache_creation_tokens")
        val OUTPUT_DETAILS = JsonNames("reasoning_tokens", "audio_tokens", "image_tokens")
    }
}
