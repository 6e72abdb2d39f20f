package dev.unifiedllm.chat

import kotlin.time.Duration
import kotlin.time.toJavaDuration

/**
 * The vectors of one call, in the order of its texts: the fold of its deltas. All of them are of one model.
 *
 * The numbers are those that the provider sent: nothing is normalised.
 */
public class EmbeddingResponse private constructor(response: ChatResponse) {
    /** One vector for each text, in the order of the texts. */
    @get:JvmName("vectors")
    public val vectors: List<FloatArray> = response.embeddings.sortedBy { it.index }.map { it.vector }

    /** The vector of the only text. @throws IllegalStateException if there is not exactly one */
    @get:JvmName("vector")
    public val vector: FloatArray
        get() = vectors.singleOrNull() ?: throw IllegalStateException("there are ${vectors.size} vectors: use vectors")

    /** The length of the vectors; 0 if there are none. */
    @get:JvmName("dimensions")
    public val dimensions: Int get() = vectors.firstOrNull()?.size ?: 0

    /** The sum of all requests of the call; null if the provider did not report it for each of them. */
    @get:JvmName("usage")
    public val usage: Usage? = response.usage

    /** The sum of all requests of the call. */
    @get:JvmName("cost")
    public val cost: Cost = response.cost

    /** The model that all vectors are of; null before one has answered. */
    @get:JvmName("model")
    public val model: ModelId? = response.model

    @get:JvmName("provider")
    public val provider: String? get() = model?.provider

    /** The model as the provider names it, perhaps with a version. */
    @get:JvmName("reportedModel")
    public val reportedModel: String? = response.reportedModel

    /** The provider's id of the first HTTP request, to name in a support request; null if it gave none. */
    @get:JvmName("requestId")
    public val requestId: String? = response.requestId

    /** The rate limits that the provider reported with the first response; null if it reported none. */
    @get:JvmName("rateLimits")
    public val rateLimits: RateLimits? = response.rateLimits

    /** All attempts, in order. The last one gave the response; the others have their error. */
    @get:JvmName("attempts")
    public val attempts: List<Delta.Attempt> = response.attempts

    /** True if another model than the first gave the vectors: they cannot be compared with those of the first. */
    @get:JvmName("fallbackUsed")
    public val fallbackUsed: Boolean = response.fallbackUsed

    /** True if all vectors come from the cache of the client: no request was sent, and [cost] is zero. */
    @get:JvmName("cached")
    public val cached: Boolean = response.cached

    /** What the responses that came from the cache cost when they were stored; null if none came from it. */
    @get:JvmName("savedCost")
    public val savedCost: Cost? = response.savedCost

    @get:JvmName("warnings")
    public val warnings: List<String> = response.warnings

    /** From sending the call to its end, which may be a failure; until now while it runs. */
    @get:JvmSynthetic
    public val latency: Duration = response.latency

    public fun latency(): java.time.Duration = latency.toJavaDuration()

    override fun toString(): String = "EmbeddingResponse($model, ${vectors.size} vectors of $dimensions numbers)"

    public companion object {
        /** The response that [deltas] make, as a cache or a test needs it. */
        @JvmStatic
        public fun of(deltas: Iterable<Delta>): EmbeddingResponse = EmbeddingResponse(ChatResponse.of(deltas))

        @JvmSynthetic
        internal fun of(response: ChatResponse): EmbeddingResponse = EmbeddingResponse(response)
    }
}
