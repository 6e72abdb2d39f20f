package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.protocol.EARLY_USAGE
import dev.unifiedllm.protocol.UsageTiming
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import java.math.BigDecimal

/** Reads the `usage` object, and what else decides the price. Its counters are cumulative: where it comes more than once, the last values count. */
internal class OpenAiUsage(private val target: Target) {
    private val quirks = target.provider.quirks
    private var input: Long? = null
    private var output: Long? = null
    private var total: Long? = null
    private var cacheRead: Long? = null
    private var cacheWrite: Long? = null
    private var reasoning: Long? = null
    private var audioInput: Long? = null
    private var cachedAudio: Long? = null
    private var cachedImage: Long? = null
    private var audioOutput: Long? = null
    private var imageOutput: Long? = null

    /** The images in the input; null if the provider did not report them. */
    var imageInput: Long? = null
        private set
    private var cost: BigDecimal? = null
    private var serviceTier: String? = null
    private var webSearches: Long? = null
    private var searchContext: String? = null
    private var citations: Long? = null
    private var ranTools = false
    private var sources: Long? = null
    private val tools = CountedTools()
    private var hasImages = false
    private var hasSound = false

    /** True if the provider used a key of the user's at another provider, which bills that. [cost] is then the fee for passing the request on. */
    private var isOwnKey = false
    private var upstreamCost: BigDecimal? = null

    private val timing = UsageTiming()

    /** A chunk has been read. */
    fun chunkRead(hasContent: Boolean): Unit = timing.chunkRead(hasContent, hasOutput = isCounted)

    fun read(json: JsonCursor) {
        timing.countsRead()
        json.members(UsageMember) { member ->
            when (member) {
                UsageMember.PROMPT_TOKENS, UsageMember.INPUT_TOKENS -> input = json.tokens(input)
                UsageMember.COMPLETION_TOKENS, UsageMember.OUTPUT_TOKENS -> output = json.tokens(output)
                UsageMember.TOTAL_TOKENS -> total = json.tokens(total)
                UsageMember.PROMPT_TOKENS_DETAILS, UsageMember.INPUT_TOKENS_DETAILS -> inputDetails(json)
                UsageMember.COMPLETION_TOKENS_DETAILS, UsageMember.OUTPUT_TOKENS_DETAILS -> outputDetails(json)
                UsageMember.PROMPT_CACHE_HIT_TOKENS, UsageMember.CACHED_TOKENS, UsageMember.CACHE_READ_INPUT_TOKENS -> cacheRead = json.tokens(cacheRead)
                UsageMember.CACHE_CREATION_INPUT_TOKENS -> cacheWrite = json.tokens(cacheWrite)
                UsageMember.REASONING_TOKENS -> reasoning = json.tokens(reasoning)
                UsageMember.COST -> json.costAt("cost")?.let { cost = it }
                UsageMember.ESTIMATED_COST -> json.costAt("estimated_cost")?.let { cost = it }
                UsageMember.COST_IN_USD_TICKS -> json.costAt("cost_in_usd_ticks")?.let { cost = it.movePointLeft(TICK_DIGITS) }
                UsageMember.IS_BYOK -> isOwnKey = json.flag()
                UsageMember.COST_DETAILS -> json.members(UPSTREAM_COST) { upstreamCost = json.amount()?.takeIf { it.signum() > 0 } }
                UsageMember.SERVICE_TIER -> readServiceTier(json)
                UsageMember.SEARCH_CONTEXT_SIZE -> searchContext = json.stringOrNull()?.lowercase() ?: searchContext
                UsageMember.NUM_SEARCH_QUERIES -> webSearches = json.tokens(webSearches)
                UsageMember.CITATION_TOKENS -> citations = json.tokens(citations)
                UsageMember.NUM_SOURCES_USED -> sources = json.tokens(sources)
                UsageMember.NUM_SERVER_SIDE_TOOLS_USED, UsageMember.SERVER_SIDE_TOOLS_USED -> tools.all = json.tokens(tools.all)
                UsageMember.SERVER_SIDE_TOOL_USAGE_DETAILS -> tools.readDetails(json)
            }
        }
    }

    /** Reads the tier that served the request. A stream repeats it, at first as it was requested. */
    fun readServiceTier(json: JsonCursor) {
        serviceTier = json.stringOrNull() ?: serviceTier
    }

    /** Reads Groq's list of the tools that the server ran for a response. */
    fun readExecutedTools(json: JsonCursor) {
        json.elements {
            ranTools = true
            json.skip()
        }
    }

    private fun inputDetails(json: JsonCursor) {
        json.members(InputDetails) { member ->
            when (member) {
                InputDetails.CACHED_TOKENS -> cacheRead = json.tokens(cacheRead)
                InputDetails.AUDIO_TOKENS -> audioInput = json.tokens(audioInput)
                InputDetails.IMAGE_TOKENS -> imageInput = json.tokens(imageInput)
                InputDetails.CACHE_WRITE_TOKENS, InputDetails.CACHE_CREATION_TOKENS -> cacheWrite = json.tokens(cacheWrite)
                InputDetails.CACHED_TOKENS_DETAILS -> cachedDetails(json)
            }
        }
    }

    /** Reads what the tokens from the cache are. They are part of the audio and the images, too. */
    private fun cachedDetails(json: JsonCursor) {
        if (!json.enterObject()) return
        cachedAudio = 0
        cachedImage = 0
        while (true) {
            when (json.next(InputDetails)) {
                InputDetails.AUDIO_TOKENS -> cachedAudio = json.tokens(cachedAudio)
                InputDetails.IMAGE_TOKENS -> cachedImage = json.tokens(cachedImage)
                JsonNames.END -> return
                else -> json.skip()
            }
        }
    }

    private fun outputDetails(json: JsonCursor) {
        json.members(OutputDetails) { member ->
            when (member) {
                OutputDetails.REASONING_TOKENS -> reasoning = json.tokens(reasoning)
                OutputDetails.AUDIO_TOKENS -> audioOutput = json.tokens(audioOutput)
                OutputDetails.IMAGE_TOKENS -> imageOutput = json.tokens(imageOutput)
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
        if (path.size == 1) return amount()
        var found: BigDecimal? = null
        members(JsonNames(path[1])) { found = amount() }
        return found
    }

    /** Notes what the response has beside text. Its tokens have prices of their own. */
    fun mediaRead(hasImages: Boolean, hasSound: Boolean) {
        this.hasImages = hasImages
        this.hasSound = hasSound
    }

    /** True once output tokens have been counted: from then on each chunk tells whether that was early. */
    val isCounted: Boolean get() = output != null

    /** True if counts have come, and no content after them. */
    val isFinal: Boolean get() = isCounted && !timing.isEarly

    /** The usage read so far; null if the provider reported none. @param shown what the provider ran, as the response shows it */
    fun usage(shown: ServerTools? = null): Usage? {
        if (input == null && output == null) return null
        val apart = apart()
        return Usage.build {
            val counted = if (isAudioBeside()) (input ?: 0) + (audioInput ?: 0) else input
            inputTokens = counted?.plus(cachedApart())
            outputTokens = if (apart == 0L) output else (output ?: 0) + apart
            cacheReadTokens = cacheRead
            cacheWriteTokens = cacheWrite
            reasoningTokens = reasoning ?: apart.takeIf { it > 0 }
            audioInputTokens = audioInput?.minus(cachedAudio ?: 0)?.coerceAtLeast(0)
            audioOutputTokens = audioOutput
            imageTokens = imageOutput
            billing = Billing(
                Billing.serviceTier(serviceTier),
                webSearches = webSearches ?: listOfNotNull(tools.webSearches, shown?.webSearches).maxOrNull(),
                searchContext = searchContext,
                cachedAudioTokens = cachedAudio,
                cachedImageTokens = cachedImage,
                unpriced = unpriced(shown),
            )
        }
    }

    /** The reasoning tokens that are not among the output tokens. */
    private fun apart(): Long {
        val counted = (input ?: 0) + (output ?: 0)
        val stated = reasoning
        return when {
            stated == null -> if (hidesReasoning) ((total ?: 0) - counted).coerceAtLeast(0) else 0
            quirks.reasoning.countedApart -> stated
            // At any provider: a gateway passes on what the provider behind it counts. Without a total, more reasoning than output cannot be part of it.
            total == counted + stated || (total == null && stated > (output ?: 0)) -> stated
            else -> 0
        }
    }

    /** True for Google's models, whose reasoning tokens are in `total_tokens` only. */
    private val hidesReasoning get() = GEMINI.containsMatchIn(target.name) || hostOf(target.baseUrl).endsWith("generativelanguage.googleapis.com")

    /** True if the tokens of audio are not among the input tokens (Mistral's Voxtral). */
    private fun isAudioBeside(): Boolean {
        val audio = audioInput ?: return false
        return audio > 0 && total == (input ?: 0) + (output ?: 0) + audio
    }

    /**
     * The tokens of a cache that are not among the input tokens: gateways to Anthropic pass on its counts. There cannot be more of them than input
     * tokens, and a total may show that they are not included.
     */
    private fun cachedApart(): Long {
        val cached = (cacheRead ?: 0) + (cacheWrite ?: 0)
        val counted = input ?: 0
        val isInTotal = cached > 0 && cached != reasoning && !hidesReasoning && total == counted + (output ?: 0) + cached
        return if (cached > counted || isInTotal) cached else 0
    }

    private fun unpriced(shown: ServerTools?): String? = when {
        isOwnKey && upstreamCost == null -> OWN_KEY
        (citations ?: 0) > 0 -> "no price is known for citation tokens"
        timing.isEarly -> EARLY_USAGE
        hasImages && (imageOutput ?: 0) == 0L -> "the provider did not count the tokens of the images"
        hasSound && (audioOutput ?: 0) == 0L -> "the provider did not count the tokens of the sound"
        (sources ?: 0) > 0 -> "no price is known for the sources of the search"
        ranTools || tools.hasOthers(shown?.webSearches) -> "no price is known for the tools that the provider ran"
        else -> shown?.unpriced?.let { "no price is known for $it" }
    }

    /** The cost that the provider reported. Zero counts as not reported: some providers send it and bill elsewhere. */
    fun cost(target: Target): Cost {
        if (timing.isEarly) return Cost.Unknown(EARLY_USAGE)
        val upstream = if (isOwnKey && quirks.costInUsage != null) upstreamCost ?: return Cost.Unknown(OWN_KEY) else BigDecimal.ZERO
        val whole = (cost ?: return Cost.Unknown("not priced")) + upstream
        if (whole.signum() <= 0) return Cost.Unknown("not priced")
        return Cost.Known(Usd.of(whole), target.provider.id, estimated = quirks.costInUsage == ESTIMATED)
    }

    private companion object {
        const val TICK_DIGITS = 10
        const val ESTIMATED = "estimated_cost"
        const val OWN_KEY = "the provider reported the fee for using your key at another provider, but not what that provider bills"
        val UPSTREAM_COST = JsonNames("upstream_inference_cost")

        /** Names of Gemini models, with or without the folder of a gateway. */
        val GEMINI = Regex("(^|/)gemini-")
    }

    private object InputDetails : JsonNames(
        "cached_tokens",
        "audio_tokens",
        "cache_write_tokens",
        "cache_creation_tokens",
        "image_tokens",
        "cached_tokens_details",
    ) {
        const val CACHED_TOKENS = 0
        const val AUDIO_TOKENS = 1
        const val CACHE_WRITE_TOKENS = 2
        const val CACHE_CREATION_TOKENS = 3
        const val IMAGE_TOKENS = 4
        const val CACHED_TOKENS_DETAILS = 5
    }

    private object OutputDetails : JsonNames("reasoning_tokens", "audio_tokens", "image_tokens") {
        const val REASONING_TOKENS = 0
        const val AUDIO_TOKENS = 1
        const val IMAGE_TOKENS = 2
    }
}
