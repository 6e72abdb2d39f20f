package dev.unifiedllm.chat

import java.time.Instant

/**
 * The rate limits of the account, as the provider sent them with a response.
 *
 * Null means that the provider sent no such value. Counts are those of the window that the provider names in its documentation, often a minute.
 */
public class RateLimits private constructor(requests: RateLimit?, tokens: RateLimit?) {
    /** The most requests in one window. */
    @get:JvmName("requestLimit")
    public val requestLimit: Long? = requests?.limit

    /** The requests that may still be sent before [requestsResetAt]. */
    @get:JvmName("requestsRemaining")
    public val requestsRemaining: Long? = requests?.remaining

    /** When all of [requestLimit] is available again. */
    @get:JvmName("requestsResetAt")
    public val requestsResetAt: Instant? = requests?.resetAt

    /** The most tokens in one window. Where the provider limits input and output apart from each other and not their sum, these are input tokens. */
    @get:JvmName("tokenLimit")
    public val tokenLimit: Long? = tokens?.limit

    /** The tokens that may still be used before [tokensResetAt]. */
    @get:JvmName("tokensRemaining")
    public val tokensRemaining: Long? = tokens?.remaining

    /** When all of [tokenLimit] is available again. */
    @get:JvmName("tokensResetAt")
    public val tokensResetAt: Instant? = tokens?.resetAt

    private fun fields() = listOf(
        "requestLimit" to requestLimit,
        "requestsRemaining" to requestsRemaining,
        "requestsResetAt" to requestsResetAt,
        "tokenLimit" to tokenLimit,
        "tokensRemaining" to tokensRemaining,
        "tokensResetAt" to tokensResetAt,
    )

    override fun equals(other: Any?): Boolean = other is RateLimits && fields() == other.fields()

    override fun hashCode(): Int = fields().hashCode()

    override fun toString(): String = fields().filter { it.second != null }.joinToString(", ", "RateLimits(", ")") { "${it.first}=${it.second}" }

    internal companion object {
        /** Null if there is neither. */
        @JvmSynthetic
        fun of(requests: RateLimit?, tokens: RateLimit?): RateLimits? = if (requests == null && tokens == null) null else RateLimits(requests, tokens)
    }
}

/** One limit of [RateLimits]; at least one value is not null. */
internal class RateLimit(val limit: Long?, val remaining: Long?, val resetAt: Instant?)
