package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Usage

/** Cohere counts twice: `tokens` are what the model read and wrote, `billed_units` what is paid for, which leaves out its own preamble. */
internal class CohereUsage {
    private var input: Long? = null
    private var output: Long? = null
    private var reasoning: Long? = null
    private var cached: Long? = null
    private var billedInput: Long? = null
    private var billedOutput: Long? = null

    fun read(json: JsonCursor) {
        if (!json.enterObject()) return
        while (true) {
            when (json.next(USAGE)) {
                0 -> tokens(json)
                1 -> billed(json)
                2 -> cached = json.count()
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    private fun tokens(json: JsonCursor) {
        if (!json.enterObject()) return
        while (true) {
            when (json.next(COUNTERS)) {
                0 -> input = json.count()
                1 -> output = json.count()
                2 -> reasoning = json.count()
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    private fun billed(json: JsonCursor) {
        if (!json.enterObject()) return
        while (true) {
            when (json.next(COUNTERS)) {
                0 -> billedInput = json.count()
                1 -> billedOutput = json.count()
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    private fun JsonCursor.count(): Long? = longOrNull()?.takeIf { it >= 0 }

    fun usage(): Usage? {
        if (input == null && output == null && billedInput == null && billedOutput == null) return null
        return Usage.build {
            inputTokens = input ?: billedInput
            outputTokens = output ?: billedOutput
            reasoningTokens = reasoning
            cacheReadTokens = cached
            billedInputTokens = billedInput
            billedOutputTokens = billedOutput
        }
    }

    private companion object {
        val USAGE = JsonNames("tokens", "billed_units", "cached_tokens")
        val COUNTERS = JsonNames("input_tokens", "output_tokens", "reasoning_tokens")
    }
}
