package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.withoutOptions
import kotlinx.coroutines.flow.Flow

/**
 * True if [other] may get what was set for [first], such as a key: both are the same model, or both name the same provider at the same address, for the same
 * client. A bare name and an alias name no provider, and a group has models of several: these share with themselves only.
 */
@InternalLlmApi
@JvmSynthetic
public fun sharesProvider(first: ModelRef, other: ModelRef): Boolean {
    if (first == other) return true
    val one = originOf(first) ?: return false
    val two = originOf(other) ?: return false
    return one.baseUrl == two.baseUrl && one.client === two.client && one.id.sharesProvider(two.id)
}

/** Where a model is. @property baseUrl of this model alone; null if the client says it @property client null for the one that sends the call */
private class Origin(val id: ModelId, val baseUrl: String?, val client: Client?)

private fun originOf(model: ModelRef): Origin? = when (model) {
    is GroupModel -> null
    is Intercepted -> originOf(model.next)
    is ChainModel -> originOf(model.members.first())
    is UnboundModel -> Origin(model.id, model.settings.baseUrl, null)
    is BoundModel -> Origin(model.id, null, model.client)
    else -> Origin(model.id, null, null)
}

/**
 * [model] without the headers, query parameters and provider options of a call that were set for a model of another provider.
 *
 * @param found the id of [model] by its provider's own name
 */
internal class WithOwnOptions(private val model: Model, private val found: () -> ModelId) : Model {
    override val id: ModelId get() = model.id

    override fun stream(request: Request): Flow<Delta> {
        val first = request.context.settingsFor ?: return model.stream(request)
        return model.stream(if (first.id.sharesProvider(found())) request else request.withoutOptions())
    }

    override fun toString(): String = model.toString()
}
