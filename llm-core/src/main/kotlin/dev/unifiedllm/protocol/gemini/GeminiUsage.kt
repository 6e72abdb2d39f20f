package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.EARLY_USAGE
import dev.unifiedllm.protocol.UsageTiming
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens

/**
 * Gemini's `usageMetadata`, which each chunk reports anew. `promptTokenCount` includes tokens from a cache, but not those of tool results;
 * `candidatesTokenCount` leaves out reasoning.
 */
internal class GeminiUsage {
    private var prompt: Long? = null
    private var toolResults: Long? = null
    private var candidates: Long? = null
    private var reasoning: Long? = null
    private var cached: Long? = null
    private var total: Long? = null
    private var audioInput: Long? = null
    private var cachedAudio: Long? = null
    private var hasVideo = false
    private var audioOutput: Long? = null
    private var image: Long? = null
    private var serviceTier: String? = null

    private val timing = UsageTiming()

    /** A chunk has been read. */
    fun chunkRead(hasContent: Boolean): Unit = timing.chunkRead(hasContent, hasOutput = candidates != null || reasoning != null)

    fun read(json: JsonCursor) {
        timing.countsRead()
        json.members(UsageMetadata) { member ->
            when (member) {
                UsageMetadata.PROMPT_TOKEN_COUNT -> prompt = json.tokens(prompt)
                UsageMetadata.CANDIDATES_TOKEN_COUNT -> candidates = json.tokens(candidates)
                UsageMetadata.THOUGHTS_TOKEN_COUNT -> reasoning = json.tokens(reasoning)
                UsageMetadata.CACHED_CONTENT_TOKEN_COUNT -> cached = json.tokens(cached)
                UsageMetadata.TOOL_USE_PROMPT_TOKEN_COUNT -> toolResults = json.tokens(toolResults)
                UsageMetadata.TOTAL_TOKEN_COUNT -> total = json.tokens(total)
                UsageMetadata.SERVICE_TIER, UsageMetadata.TRAFFIC_TYPE -> serviceTier = Billing.serviceTier(json.stringOrNull()) ?: serviceTier
                UsageMetadata.PROMPT_TOKENS_DETAILS -> json.details { modality, count -> if (modality == "AUDIO") audioInput = count }
                UsageMetadata.CACHE_TOKENS_DETAILS -> {
                    cachedAudio = 0
                    json.details { modality, count -> if (modality == "AUDIO") cachedAudio = count }
                }
                UsageMetadata.CANDIDATES_TOKENS_DETAILS -> json.details { modality, count ->
                    if (modality == "AUDIO") audioOutput = count
                    if (modality == "IMAGE") image = count
                    if (modality == "VIDEO") hasVideo = (count ?: 0) > 0
                }
            }
        }
    }

    private inline fun JsonCursor.details(read: (String?, Long?) -> Unit) {
        elements {
            var modality: String? = null
            var count: Long? = null
            members(TokensDetail) { member ->
                when (member) {
                    TokensDetail.MODALITY -> modality = stringOrNull()
                    TokensDetail.TOKEN_COUNT -> count = tokens()
                }
            }
            read(modality, count)
        }
    }

    /**
     * Null if the provider did not report it.
     *
     * @param sources of the response, which tell of searches
     * @param content of the response, which tells of images and sound
     */
    fun usage(sources: GeminiSources, content: GeminiOutput): Usage? {
        if (prompt == null && candidates == null && total == null) return null
        val counted = prompt?.plus(toolResults ?: 0)
        // Where more tokens are cached than were sent, the cached ones are counted apart.
        val input = if ((cached ?: 0) > (prompt ?: 0)) counted?.plus(cached ?: 0) else counted
        val hidden = hiddenReasoning(input)
        val output = output(input, counted)?.plus(hidden)
        val allReasoning = if (hidden > 0) (reasoning ?: 0) + hidden else reasoning
        val rest = output?.minus(allReasoning ?: 0)?.coerceAtLeast(0)
        val images = image.orAll(rest, content.isImages(allReasoning != null))
        val sound = audioOutput.orAll(rest, content.isSound(allReasoning != null))
        return Usage.build {
            inputTokens = input
            outputTokens = output
            cacheReadTokens = cached
            reasoningTokens = allReasoning
            audioInputTokens = audioInput?.let { (it - (cachedAudio ?: 0)).coerceAtLeast(0) } // cached audio has the price of the cache
            audioOutputTokens = sound
            imageTokens = images
            billing =
                Billing(
                    serviceTier,
                    webSearches = sources.searches,
                    cachedAudioTokens = cachedAudio,
                    unpriced =
                    sources.unpriced ?: EARLY_USAGE.takeIf { timing.isEarly } ?: uncounted(content, images, sound),
                )
        }
    }

    /** This count; if it is missing, [all] tokens of a response that has nothing else. */
    private fun Long?.orAll(all: Long?, isAll: Boolean): Long? = if ((this ?: 0) == 0L && isAll) all else this

    /** The media of a response that was not counted: at the price of text its cost would be wrong. Null if there is none. */
    private fun uncounted(content: GeminiOutput, images: Long?, sound: Long?): String? = when {
        hasVideo -> "no price is known for video in the output"
        content.hasImages && (images ?: 0) == 0L -> "the provider did not count the tokens of the images"
        content.hasSound && (sound ?: 0) == 0L -> "the provider did not count the tokens of the sound"
        else -> null
    }

    /**
     * The candidates and the reasoning. If the total shows that the candidates include the reasoning, it is not added again.
     *
     * @param counted the input without cached tokens that are counted apart, which the total may leave out
     */
    private fun output(input: Long?, counted: Long?): Long? {
        val text = candidates
        val all = total
        return when {
            text == null && reasoning == null -> if (all != null && input != null && all >= input) all - input else null
            all != null && input != null && (all - (text ?: 0) == input || all - (text ?: 0) == counted) -> text
            else -> (text ?: 0) + (reasoning ?: 0)
        }
    }

    /** The tokens that are in the total only. They are reasoning that the counters leave out. */
    private fun hiddenReasoning(input: Long?): Long {
        val all = total
        if (all == null || input == null || (candidates == null && reasoning == null)) return 0
        return (all - input - (candidates ?: 0) - (reasoning ?: 0)).coerceAtLeast(0)
    }

    private object UsageMetadata : JsonNames(
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "cachedContentTokenCount",
        "toolUsePromptTokenCount",
        "totalTokenCount",
        "promptTokensDetails",
        "candidatesTokensDetails",
        "serviceTier",
        "trafficType",
        "cacheTokensDetails",
    ) {
        const val PROMPT_TOKEN_COUNT = 0
        const val CANDIDATES_TOKEN_COUNT = 1
        const val THOUGHTS_TOKEN_COUNT = 2
        const val CACHED_CONTENT_TOKEN_COUNT = 3
        const val TOOL_USE_PROMPT_TOKEN_COUNT = 4
        const val TOTAL_TOKEN_COUNT = 5
        const val PROMPT_TOKENS_DETAILS = 6
        const val CANDIDATES_TOKENS_DETAILS = 7
        const val SERVICE_TIER = 8
        const val TRAFFIC_TYPE = 9
        const val CACHE_TOKENS_DETAILS = 10
    }

    private object TokensDetail : JsonNames("modality", "tokenCount") {
        const val MODALITY = 0
        const val TOKEN_COUNT = 1
    }
}
