package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

/** Cohere counts twice: `tokens` are what the model read and wrote, `billed_units` what is paid for, which leaves out its own preamble. */
internal class CohereUsage {
    private class Counters {
        var input: Long? = null
        var output: Long? = null
        var reasoning: Long? = null

        fun read(json: JsonCursor) {
            json.members(COUNTERS) { member ->
                when (member) {
                    0 -> input = json.tokens()
                    1 -> output = json.tokens()
                    2 -> reasoning = json.tokens()
                }
            }
        }
    }

    private val all = Counters()
    private val billed = Counters()
    private var cached: Long? = null

    fun read(json: JsonCursor) {
        json.members(USAGE) { member ->
            when (member) {
                0 -> all.read(json)
                1 -> billed.read(json)
                2 -> cached = json.tokens()
            }
        }
    }

    /** Null: not reported. */
    fun usage(): Usage? {
        if (all.input == null && all.output == null && billed.input == null && billed.output == null) return null
        return Usage.build {
            inputTokens = all.input ?: billed.input
            outputTokens = all.output ?: billed.output
            reasoningTokens = all.reasoning
            cacheReadTokens = cached
            billedInputTokens = billed.input
            billedOutputTokens = billed.output
        }
    }

    private companion object {
        val USAGE = JsonNames("tokens", "billed_units", "cached_tokens")
        val COUNTERS = JsonNames("input_tokens", "output_tokens", "reasoning_tokens")
    }
}
