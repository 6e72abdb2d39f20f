package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Usage

/**
 * Gemini's `usageMetadata`, which grows from chunk to chunk. `promptTokenCount` includes what came from a cache, but not what tools put in;
 * `candidatesTokenCount` is without the thoughts.
 */
internal class GeminiUsage {
    private var prompt: Long? = null
    private var tools: Long? = null
    private var candidates: Long? = null
    private var thoughts: Long? = null
    private var cached: Long? = null
    private var total: Long? = null
    private var audioInput: Long? = null
    private var audioOutput: Long? = null
    private var image: Long? = null

    val isEmpty: Boolean get() = prompt == null && candidates == null && total == null

    fun read(json: JsonCursor) {
        if (!json.enterObject()) return
        while (true) {
            when (json.next(USAGE)) {
                0 -> prompt = json.count() ?: prompt
                1 -> candidates = json.count() ?: candidates
                2 -> thoughts = json.count() ?: thoughts
                3 -> cached = json.count() ?: cached
                4 -> tools = json.count() ?: tools
                5 -> total = json.count() ?: total
                6 -> json.details { modality, count -> if (modality == "AUDIO") audioInput = count }
                7 -> json.details { modality, count ->
                    if (modality == "AUDIO") audioOutput = count
                    if (modality == "IMAGE") image = count
                }
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    private fun JsonCursor.count(): Long? = longOrNull()?.takeIf { it >= 0 }

    private fun JsonCursor.details(found: (String?, Long?) -> Unit) {
        if (!enterArray()) return
        while (nextElement()) {
            if (!enterObject()) continue
            var modality: String? = null
            var count: Long? = null
            while (true) {
                when (next(DETAIL)) {
                    0 -> modality = stringOrNull()
                    1 -> count = count()
                    JsonNames.END -> break
                    else -> skip()
                }
            }
            found(modality, count)
        }
    }

    fun usage(): Usage? {
        if (isEmpty) return null
        val sent = prompt?.plus(tools ?: 0)
        return Usage.build {
            inputTokens = sent
            outputTokens = received(sent)
            cacheReadTokens = cached
            reasoningTokens = thoughts
            audioInputTokens = audioInput
            audioOutputTokens = audioOutput
            imageTokens = image
        }
    }

    /** Where the total says that the candidates hold the thoughts, they are not counted twice. */
    private fun received(sent: Long?): Long? {
        val answered = candidates
        val all = total
        return when {
            answered == null && thoughts == null -> if (all != null && sent != null && all >= sent) all - sent else null
            all != null && sent != null && all == sent + (answered ?: 0) -> answered
            else -> (answered ?: 0) + (thoughts ?: 0)
        }
    }

    private companion object {
        val USAGE = JsonNames(
            "promptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "cachedContentTokenCount",
            "toolUsePromptTokenCount",
            "totalTokenCount",
            "promptTokensDetails",
            "candidatesTokensDetails",
        )
        val DETAIL = JsonNames("modality", "tokenCount")
    }
}
