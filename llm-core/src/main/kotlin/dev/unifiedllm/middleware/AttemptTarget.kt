package dev.unifiedllm.middleware

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.RateLimits
import dev.unifiedllm.pricing.Price

/**
 * The target of an attempt, as its links see it.
 *
 * @property state shared by all calls of the client to this target
 * @property isUsers true for a model of the user's own
 * @property isFree true if nobody bills for it
 */
internal class AttemptTarget(
    val id: ModelId,
    val state: TargetState,
    val isUsers: Boolean,
    val isFree: Boolean,
    private val price: (reportedModel: String?) -> Price?,
) {
    /** The price of the model; null if none is known. @param reportedModel the model as the provider names it; null if it does not say */
    fun price(reportedModel: String?): Price? = price.invoke(reportedModel)
}

/** What a client remembers of one target between calls. Thread-safe. */
internal class TargetState {
    /** As the provider last reported them; null if it never did. */
    @Volatile
    var rateLimits: RateLimits? = null
}
