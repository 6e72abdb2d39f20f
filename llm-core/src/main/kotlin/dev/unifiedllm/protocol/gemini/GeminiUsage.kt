package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

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

    fun read(json: JsonCursor) {
        json.members(USAGE) { member ->
            when (member) {
                0 -> prompt = json.tokens() ?: prompt
                1 -> candidates = json.tokens() ?: candidates
                2 -> thoughts = json.tokens() ?: thoughts
                3 -> cached = json.tokens() ?: cached
                4 -> tools = json.tokens() ?: tools
                5 -> total = json.tokens() ?: total
                6 -> json.details { modality, count -> if (modality == "AUDIO") audioInput = count }
                7 -> json.details { modality, count ->
                    if (modality == "AUDIO") audioOutput = count
                    if (modality == "IMAGE") image = count
                }
            }
        }
    }

    private fun JsonCursor.details(found: (String?, Long?) -> Unit) {
        elements {
            var modality: String? = null
            var count: Long? = null
            members(DETAIL) { member -> if (member == 0) modality = stringOrNull() else count = tokens() }
            found(modality, count)
        }
    }

    /** Null: not reported. */
    fun usage(): Usage? {
        if (prompt == null && candidates == null && total == null) return null
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
