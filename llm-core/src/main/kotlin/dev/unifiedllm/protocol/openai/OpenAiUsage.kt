package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
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
    private var audioOutput: Long? = null
    private var imageOutput: Long? = null
    private var cost: BigDecimal? = null
    private var serviceTier: String? = null
    private var webSearches: Long? = null
    private var searchContext: String? = null
    private var citations: Long? = null
    private var ranTools = false

    /** True if the provider used a key of the user's at another provider, which bills that. [cost] is then the fee for passing the request on. */
    private var isOwnKey = false
    private var upstreamCost: BigDecimal? = null

    /** True if content came in a later chunk than the last counts: then they may be those of a part of the response. */
    private var isEarly = false
    private var isOfThisChunk = false

    /** A chunk has been read. */
    fun chunkRead(hasContent: Boolean) {
        if (hasContent && !isOfThisChunk && output != null) isEarly = true
        isOfThisChunk = false
    }

    fun read(json: JsonCursor) {
        isOfThisChunk = true
        isEarly = false
        json.members(Member) { member ->
            when (member) {
                Member.PROMPT_TOKENS, Member.INPUT_TOKENS -> input = json.tokens(input)
                Member.COMPLETION_TOKENS, Member.OUTPUT_TOKENS -> output = json.tokens(output)
                Member.TOTAL_TOKENS -> total = json.tokens(total)
                Member.PROMPT_TOKENS_DETAILS, Member.INPUT_TOKENS_DETAILS -> inputDetails(json)
                Member.COMPLETION_TOKENS_DETAILS, Member.OUTPUT_TOKENS_DETAILS -> outputDetails(json)
                Member.PROMPT_CACHE_HIT_TOKENS, Member.CACHED_TOKENS, Member.CACHE_READ_INPUT_TOKENS -> cacheRead = json.tokens(cacheRead)
                Member.CACHE_CREATION_INPUT_TOKENS -> cacheWrite = json.tokens(cacheWrite)
                Member.REASONING_TOKENS -> reasoning = json.tokens(reasoning)
                Member.COST -> json.costAt("cost")?.let { cost = it }
                Member.ESTIMATED_COST -> json.costAt("estimated_cost")?.let { cost = it }
                Member.COST_IN_USD_TICKS -> json.costAt("cost_in_usd_ticks")?.let { cost = it.movePointLeft(TICK_DIGITS) }
                Member.IS_BYOK -> isOwnKey = json.booleanOrNull() == true
                Member.COST_DETAILS -> json.members(UPSTREAM_COST) { upstreamCost = json.decimalOrNull()?.takeIf { it.signum() > 0 } }
                Member.SERVICE_TIER -> readServiceTier(json)
                Member.SEARCH_CONTEXT_SIZE -> searchContext = json.stringOrNull()?.lowercase() ?: searchContext
                Member.NUM_SEARCH_QUERIES -> webSearches = json.tokens(webSearches)
                Member.CITATION_TOKENS -> citations = json.tokens(citations)
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
                InputDetails.CACHE_WRITE_TOKENS, InputDetails.CACHE_CREATION_TOKENS -> cacheWrite = json.tokens(cacheWrite)
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
        if (path.size == 1) return decimalOrNull()?.takeIf { it.signum() >= 0 }
        var found: BigDecimal? = null
        members(JsonNames(path[1])) { found = decimalOrNull()?.takeIf { it.signum() >= 0 } }
        return found
    }

    /** The usage read so far; null if the provider reported none. @param tools what the provider ran, as the response shows it */
    fun usage(tools: ServerTools? = null): Usage? {
        if (input == null && output == null) return null
        val apart = apart()
        return Usage.build {
            inputTokens = if (isAudioBeside()) (input ?: 0) + (audioInput ?: 0) else input
            outputTokens = if (apart == 0L) output else (output ?: 0) + apart
            cacheReadTokens = cacheRead
            cacheWriteTokens = cacheWrite
            reasoningTokens = reasoning ?: apart.takeIf { it > 0 }
            audioInputTokens = audioInput
            audioOutputTokens = audioOutput
            imageTokens = imageOutput
            billing = Billing(
                Billing.serviceTier(serviceTier),
                webSearches = webSearches ?: tools?.webSearches,
                searchContext = searchContext,
                unpriced = unpriced(tools),
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

    private fun unpriced(tools: ServerTools?): String? = when {
        isOwnKey && upstreamCost == null -> OWN_KEY
        (citations ?: 0) > 0 -> "no price is known for citation tokens"
        isEarly -> "the usage came before the last of the content"
        ranTools -> "no price is known for the tools that the provider ran"
        else -> tools?.unpriced?.let { "no price is known for $it" }
    }

    /** The cost that the provider reported. Zero counts as not reported: some providers send it and bill elsewhere. */
    fun cost(target: Target): Cost {
        val upstream = if (isOwnKey && quirks.costInUsage != null) upstreamCost ?: return Cost.Unknown(OWN_KEY) else BigDecimal.ZERO
        val whole = (cost ?: return Cost.Unknown("not priced")) + upstream
        return if (whole.signum() > 0) Cost.Known(Usd.of(whole), target.provider.id) else Cost.Unknown("not priced")
    }

    private companion object {
        const val TICK_DIGITS = 10
        const val OWN_KEY = "the provider reported the fee for using your key at another provider, but not what that provider bills"
        val UPSTREAM_COST = JsonNames("upstream_inference_cost")

        /** Names of Gemini models, with or without the folder of a gateway. */
        val GEMINI = Regex("(^|/)gemini-")
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
        "estimated_cost",
        "is_byok",
        "cost_details",
        "service_tier",
        "search_context_size",
        "num_search_queries",
        "citation_tokens",
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
        const val ESTIMATED_COST = 16
        const val IS_BYOK = 17
        const val COST_DETAILS = 18
        const val SERVICE_TIER = 19
        const val SEARCH_CONTEXT_SIZE = 20
        const val NUM_SEARCH_QUERIES = 21
        const val CITATION_TOKENS = 22
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
