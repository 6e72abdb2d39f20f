package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.provider.positiveNumber
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration.Companion.seconds

/**
 * The time limits of a client: those of a model, then those of a model at any provider, then those of its provider, then those of all calls. Of two names for
 * the same, such as an alias and its model, the one set last counts first.
 */
internal class ModelTimeouts(builder: LlmBuilder) {
    private val scopes = ModelScopes(builder)
    private val models: List<Pair<ModelScope, Timeouts>> = builder.modelTimeouts.map { (name, limits) -> scopes.of(name) to limits }

    /** Names that nothing has, as far as it is known, with their scopes. They may be those of models of the user's. */
    private val unknown: MutableMap<String, ModelScope> =
        ConcurrentHashMap(builder.modelTimeouts.keys.associateWith(scopes::of).filterNot { it.value.isKnown })
    private val isTotalOfModels = models.any { it.second.total != null }
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

    /**
     * What a call should say about names that nothing has, until a call is to a model that has one.
     *
     * @param models of the call, and the names by which they were asked for
     */
    fun warnings(models: () -> List<ModelId>): List<String> {
        if (unknown.isEmpty()) return emptyList()
        val ids = models().map(scopes::canonical)
        unknown.values.removeIf { scope -> ids.any { scope.rank(it) != null || scope.namesUsers(it) } }
        return unknown.keys.sorted().map { "timeouts(\"$it\") limits nothing: ${scopes.whyUnknown(it)}" }
    }

    /** The limits of an attempt at [model]. */
    fun of(model: ModelId): Timeouts = if (models.isEmpty()) client else ofModel(model)?.over(client) ?: client

    /**
     * The limits of a call, of which only the total is used: that of [model] by this name, which may be an alias or a group, else the longest one of its
     * [targets].
     *
     * @param targets the models to which the call may go, by their providers' names; not called if no model has a total limit of its own
     */
    fun ofCall(model: ModelId, targets: () -> List<ModelId>): Timeouts = when {
        !isTotalOfModels -> client
        ofModel(model)?.total != null -> of(model)
        else -> targets().map(::of).maxByOrNull { it.deadlines().total } ?: client
    }

    private fun ofModel(model: ModelId): Timeouts? {
        val id = scopes.canonical(scopes.aliased(model))
        return models.mapNotNull { (scope, limits) -> scope.rank(id)?.let { it to limits } }
            .sortedByDescending { it.first }
            .fold(null as Timeouts?) { general, (_, special) -> special.over(general) }
    }

    private companion object {
        const val REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
        const val LONGEST = 3_600.0
        const val MILLIS = 1_000.0
    }
}
