package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.provider.positiveNumber
import kotlin.time.Duration.Companion.seconds

/** The time limits of a client: those of a model, then those of its provider, then those of all calls. */
internal class ModelTimeouts(builder: LlmBuilder) {
    private val models: Map<String, Timeouts> = builder.modelTimeouts.toMap()
    private val set: Timeouts = builder.callSettings.timeouts ?: NO_TIMEOUTS

    /** The seconds that REQUEST_TIMEOUT sets; null if the variable does not count. */
    private val requestTimeout: Double? = if (set.total == null) builder.variables.positiveNumber(REQUEST_TIMEOUT, "300") else null

    /** Those of all calls. */
    val client: Timeouts = if (requestTimeout == null) {
        set
    } else {
        Timeouts.Builder(set).also { it.total = requestTimeout.seconds }.build()
    }

    /** What a response says when REQUEST_TIMEOUT was probably meant to be milliseconds; null if it was not. */
    val warning: String? = if (requestTimeout == null || requestTimeout <= LONGEST) {
        null
    } else {
        "$REQUEST_TIMEOUT is ${requestTimeout.toLong()} seconds: if milliseconds were meant, set it to ${(requestTimeout / MILLIS).toLong()}"
    }

    fun of(model: ModelId): Timeouts {
        if (models.isEmpty()) return client
        val own = models[model.toString()]
        val provider = models[model.provider]
        val both = if (own == null) provider else own.over(provider)
        return both?.over(client) ?: client
    }

    private companion object {
        const val REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
        const val LONGEST = 3_600.0
        const val MILLIS = 1_000.0
    }
}
