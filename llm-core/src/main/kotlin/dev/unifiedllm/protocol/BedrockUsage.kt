package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Usage

/** `usage`: its inputTokens count neither what was read from the cache nor what was written to it, as its totalTokens shows. */
internal class BedrockUsage {
    private var input: Long? = null
    private var output: Long? = null
    private var read: Long? = null
    private var written: Long? = null
    private var written5m: Long? = null
    private var written1h: Long? = null

    fun read(json: JsonCursor) {
        if (!json.enterObject()) return
        while (true) {
            when (json.next(USAGE)) {
                0 -> input = json.count() ?: input
                1 -> output = json.count() ?: output
                2 -> read = json.count() ?: read
                3 -> written = json.count() ?: written
                4 -> if (json.enterArray()) while (json.nextElement()) detail(json)
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    private fun detail(json: JsonCursor) {
        if (!json.enterObject()) return
        var ttl: String? = null
        var tokens: Long? = null
        while (true) {
            when (json.next(DETAIL)) {
                0 -> ttl = json.stringOrNull()
                1 -> tokens = json.count()
                JsonNames.END -> break
                else -> json.skip()
            }
        }
        if (ttl == "5m") written5m = tokens
        if (ttl == "1h") written1h = tokens
    }

    private fun JsonCursor.count(): Long? = longOrNull()?.takeIf { it >= 0 }

    fun usage(): Usage? = if (input == null && output == null) {
        null
    } else {
        Usage.build {
            inputTokens = input?.let { it + (read ?: 0) + (written ?: 0) }
            outputTokens = output
            cacheReadTokens = read
            cacheWriteTokens = written
            cacheWrite5mTokens = written5m
            cacheWrite1hTokens = written1h
        }
    }

    private companion object {
        val USAGE = JsonNames("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "cacheDetails")
        val DETAIL = JsonNames("ttl", "inputTokens")
    }
}
