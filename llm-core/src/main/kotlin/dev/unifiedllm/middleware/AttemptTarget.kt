package dev.unifiedllm.middleware

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.RateLimits
import dev.unifiedllm.pricing.Price

/**
 * The target of an attempt, as its links see it.
 *
 * @property isUsers true for a model of the user's own
 * @property isFree true if nobody bills for it
 * @property isLocal true if it is free and runs on this machine
 */
internal class AttemptTarget(
    val id: ModelId,
    private val findState: () -> TargetState,
    val isUsers: Boolean,
    val isFree: Boolean,
    val isLocal: Boolean = false,
    private val price: (reportedModel: String?) -> Price?,
) {
    /** Shared by all calls of the client to this target. Found when it is needed, because the identity of a target contains a hash of its key. */
    val state: TargetState get() = findState()

    /** The price of the model; null if none is known. @param reportedModel the model as the provider names it; null if it does not say */
    fun price(reportedModel: String?): Price? = price.invoke(reportedModel)
}

/** What a client remembers of one target between calls. Thread-safe. */
internal class TargetState {
    /** As the provider last reported them; null if it never did. */
    @Volatile
    var rateLimits: RateLimits? = null
}
