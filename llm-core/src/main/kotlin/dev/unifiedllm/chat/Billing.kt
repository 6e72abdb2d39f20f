package dev.unifiedllm.chat

/** What changes the price of a response beside its tokens. Names are in lower case. */
internal data class Billing(
    /** The service tier in which the provider served the request, such as `flex`; null for the standard one, or if it does not say. */
    val serviceTier: String? = null,
    /** Other conditions with a price of their own: `fast` for a mode of the request, `us` for a place. */
    val conditions: Set<String> = emptySet(),
    /** The web searches that the provider ran; null if it does not say. */
    val webSearches: Long? = null,
    /** How much of the found pages the model was given: `low`, `medium` or `high`; null if the provider does not say. */
    val searchContext: String? = null,
    /** The part of the input tokens that is images, where that has a price of its own; null if the provider does not say. */
    val imageInputTokens: Long? = null,
    /** The part of the tokens read from a cache that is audio; null if the provider does not say. */
    val cachedAudioTokens: Long? = null,
    /** The part of the tokens read from a cache that is images; null if the provider does not say. */
    val cachedImageTokens: Long? = null,
    /** The requests that the provider made for the response and bills one by one; none if the counters of the response are those of one request. */
    val steps: List<Step> = emptyList(),
    /** Why the response cannot be priced by its usage; null if it can be. */
    val unpriced: String? = null,
) {
    /** A request that the provider made for a response. @property model the model that worked on it; null for that of the response */
    data class Step(val model: String?, val usage: Usage)

    /** The sum for two responses. It has no price if they were billed in different ways. */
    operator fun plus(other: Billing): Billing {
        val isAlike = serviceTier == other.serviceTier && conditions == other.conditions && searchContext == other.searchContext &&
            steps.isEmpty() == other.steps.isEmpty()
        return copy(
            webSearches = sum(webSearches, other.webSearches),
            imageInputTokens = sum(imageInputTokens, other.imageInputTokens),
            cachedAudioTokens = sum(cachedAudioTokens, other.cachedAudioTokens),
            cachedImageTokens = sum(cachedImageTokens, other.cachedImageTokens),
            steps = steps + other.steps,
            unpriced = unpriced ?: other.unpriced ?: if (isAlike) null else "the responses were billed at different prices",
        )
    }

    private fun sum(a: Long?, b: Long?): Long? = if (a == null) b else a + (b ?: 0)

    companion object {
        val STANDARD: Billing = Billing()

        /** Names of the standard tier, or of none: `auto` is a request, not the tier that served it. */
        private val STANDARD_TIERS = setOf("", "auto", "default", "standard", "standard_only", "on_demand", "unspecified")

        /** The service tier that a provider calls [name]; null for the standard one. */
        fun serviceTier(name: String?): String? =
            name?.lowercase()?.takeUnless { it in STANDARD_TIERS || it.endsWith("_unspecified") }?.removePrefix("on_demand_")
    }
}
