package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow

/**
 * Counts the requests to a target and their failures, for the groups that it is in. It does not look at the deltas.
 *
 * @param id of the model that is called; null for a chain of models
 * @param others told about the cooldowns of a target that has a name for all processes
 */
internal class HealthTracking(
    private val id: ModelId?,
    private val others: SharedCooldowns? = null,
    private val sharedName: (() -> String)? = null,
    private val health: () -> TargetHealth,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = linkFlow {
        val health = health()
        val sentAt = health.begin()
        try {
            next.stream(request).collect(this)
            health.succeeded(sentAt)?.let { ago -> tellOthers { ended(it, ago) } }
        } catch (failure: LlmException) {
            val isOfOther = id != null && failure.model != null && failure.model != id // a consumer's, whose own call has failed
            val rest = if (isOfOther) null else health.failed(failure, sentAt)
            // What the network of this process has failed with may be its own fault.
            if (rest != null && failure.status != null) tellOthers { began(it, rest) }
            throw failure
        } finally {
            health.end()
        }
    }

    private inline fun tellOthers(what: SharedCooldowns.(String) -> Unit) {
        if (others != null && sharedName != null) others.what(sharedName())
    }
}
