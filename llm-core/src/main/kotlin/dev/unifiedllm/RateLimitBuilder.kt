package dev.unifiedllm

import dev.unifiedllm.middleware.RateRule

/**
 * Limits that a client keeps itself, so that its provider need not reject requests. Null: there is no such limit.
 *
 * A request that has to wait is sent in its turn, and says so in a `Delta.Waiting`. Each attempt of a call counts as a request.
 */
@LlmDsl
public class RateLimitBuilder @InternalLlmApi constructor() {
    /** The most requests in any 60 seconds. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var requestsPerMinute: Int? = null
        set(value) = positive("requestsPerMinute", value?.toLong()) { field = value }

    /**
     * The most input and output tokens in any 60 seconds. A request counts as an estimate until its usage is known: a quarter of its bytes, and its
     * `maxTokens`, or 512 if it sets none. One that is larger than the limit is sent when no other counts.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var tokensPerMinute: Long? = null
        set(value) = positive("tokensPerMinute", value) { field = value }

    /** The most requests that run at the same time. A request runs until its response is complete; not while it waits to be repeated, or for a tool. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxParallel: Int? = null
        set(value) = positive("maxParallel", value?.toLong()) { field = value }

    /** @throws IllegalArgumentException if it is not positive */
    public fun requestsPerMinute(count: Int): RateLimitBuilder = apply { requestsPerMinute = count }

    /** @throws IllegalArgumentException if it is not positive */
    public fun tokensPerMinute(count: Long): RateLimitBuilder = apply { tokensPerMinute = count }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxParallel(count: Int): RateLimitBuilder = apply { maxParallel = count }

    /** Null if nothing is limited. @param name null for all calls of the client */
    @JvmSynthetic
    internal fun build(name: String?): RateRule? {
        if (requestsPerMinute == null && tokensPerMinute == null && maxParallel == null) return null
        return RateRule(name, requestsPerMinute, tokensPerMinute, maxParallel)
    }

    private inline fun positive(name: String, value: Long?, set: () -> Unit) {
        require(value == null || value > 0) { "limit.$name must be positive, was $value" }
        set()
    }
}
