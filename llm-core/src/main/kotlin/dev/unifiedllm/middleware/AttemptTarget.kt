package dev.unifiedllm.middleware

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.RateLimits
import dev.unifiedllm.chat.Request
import dev.unifiedllm.pricing.ImagePrices
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.pricing.setPrice
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.JsonMode
import java.util.UUID
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.TimeMark

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
    /** How the model is asked for JSON of a given schema, the surest way first. */
    val jsonModes: List<JsonMode> = listOf(JsonMode.SCHEMA, JsonMode.PROMPT),
    /** The prices of its images, by their size and quality; null if none are known. */
    val imagePrices: () -> ImagePrices? = { null },
    /** True if its reasoning may stand in its text, between tags. */
    val mayWriteThinkTags: Boolean = false,
    /** What one request for embeddings may hold. */
    val embeddingLimits: EmbeddingLimits = EmbeddingLimits(),
    /** True if the model continues a message of the assistant that stands at the end of the request. */
    val continuesText: Boolean = false,
    /** The price of another model of its provider, by its name there; null if none is known. */
    val priceOf: (name: String) -> Price? = { null },
    private val whyUnpriced: (reportedModel: String?) -> String? = { null },
    /** The request as this target gets it, as a text that is equal for equal requests; null if it would not be sent. */
    val canonical: suspend (Request) -> String? = { null },
    /** The same for the same account's use of the model at its address in all processes, and for nothing else; null if there is no account. */
    val sharedName: (() -> String)? = null,
    private val price: (reportedModel: String?) -> Price?,
) {
    /** Shared by all calls of the client to this target. Found when it is needed, because the identity of a target contains a hash of its key. */
    val state: TargetState get() = findState()

    /** The price of the model; null if none is known. @param reportedModel the model as the provider names it; null if it does not say */
    fun price(reportedModel: String?): Price? = price.invoke(reportedModel)

    /** Why [price] is null, with how to set one. */
    fun whyUnpriced(reportedModel: String?): String = whyUnpriced.invoke(reportedModel) ?: noPrice(id, reportedModel)
}

/** Says that no price is known for [id], with how to set one. @param reportedModel the model as the provider names it; null if it does not say */
internal fun noPrice(id: ModelId, reportedModel: String?): String {
    val answered = reportedModel?.takeIf { it != id.name }?.let { ", which responded as \"$it\"" }.orEmpty()
    return "no price is known for $id$answered; ${setPrice(id.toString())}"
}

/** What a client remembers of one target between calls. Thread-safe. */
internal class TargetState {
    /** No other target has it, in any process. */
    val id: String by lazy { UUID.randomUUID().toString() }

    /** As the provider last reported them; null if it never did. */
    @Volatile
    var rateLimits: RateLimits? = null

    private var available: Pair<RateLimits, TimeMark>? = null

    /** When [limits] allow the next request. @param find called once for each report of the provider */
    fun availableAt(limits: RateLimits, find: () -> TimeMark): TimeMark = synchronized(queue) {
        val known = available?.takeIf { it.first === limits } ?: (limits to find()).also { available = it }
        known.second
    }

    /** Its attempts, in the order in which they arrived. */
    val queue: RateQueue = RateQueue()

    /** Until when the provider wants no requests; null if it never asked for a pause. */
    @Volatile
    var pausedUntil: TimeMark? = null
        private set

    /** Keeps the longer one of two pauses. */
    fun pause(until: TimeMark): Unit = synchronized(queue) {
        val old = pausedUntil
        if (old == null || old.elapsedNow() > until.elapsedNow()) pausedUntil = until
    }

    /** True while a call is at the target, or while its provider wants no requests. */
    val isInUse: Boolean get() = health.running > 0 || queue.size > 0 || pausedUntil?.hasNotPassedNow() == true

    /** The ways to ask for JSON that it has refused. */
    val refusedJsonModes: MutableSet<JsonMode> = ConcurrentHashMap.newKeySet()

    /** How it has answered lately. */
    val health: TargetHealth = TargetHealth()
}
