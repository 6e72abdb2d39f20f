package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Usage

/** The `usage` object: cumulative, so that the last figures stand; its input leaves out what a cache gave or took. */
internal class AnthropicUsage {
    private var input: Long? = null
    private var output: Long? = null
    private var read: Long? = null
    private var written: Long? = null
    private var written5m: Long? = null
    private var written1h: Long? = null
    private var reasoning: Long? = null

    val isEmpty: Boolean get() = input == null && output == null

    fun read(json: JsonCursor) {
        if (!json.enterObject()) return
        while (true) {
            when (json.next(USAGE)) {
                0 -> input = json.count() ?: input
                1 -> output = json.count() ?: output
                2 -> read = json.count() ?: read
                3 -> written = json.count() ?: written
                4, 5 -> details(json)
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    private fun details(json: JsonCursor) {
        if (!json.enterObject()) return
        while (true) {
            when (json.next(DETAILS)) {
                0 -> written5m = json.count() ?: written5m
                1 -> written1h = json.count() ?: written1h
                2 -> reasoning = json.count() ?: reasoning
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    /** A number of tokens; what is none, or negative, counts as not reported. */
    private fun JsonCursor.count(): Long? = longOrNull()?.takeIf { it >= 0 }

    fun usage(): Usage? {
        if (isEmpty) return null
        val parts = listOfNotNull(written5m, written1h)
        val allWritten = written ?: parts.takeIf { it.isNotEmpty() }?.sum()
        return Usage.build {
            inputTokens = input?.let { it + (read ?: 0) + (allWritten ?: 0) }
            outputTokens = output
            cacheReadTokens = read
            cacheWriteTokens = allWritten
            cacheWrite5mTokens = written5m
            cacheWrite1hTokens = written1h
            reasoningTokens = reasoning
        }
    }

    private companion object {
        val USAGE = JsonNames(
            "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
            "cache_creation", "output_tokens_details",
        )
        val DETAILS = JsonNames("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "thinking_tokens")
    }
}
