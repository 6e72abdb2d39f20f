package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.RateLimit
import dev.unifiedllm.middleware.RateLimiter
import dev.unifiedllm.middleware.RateRule
import dev.unifiedllm.provider.ProviderRegistry
import java.util.concurrent.ConcurrentHashMap

/** The rate limits that the user has set for a client, and to which targets they apply. */
internal class ClientLimits(builder: LlmBuilder, private val limiter: RateLimiter = RateLimiter()) {
    private val registry by lazy { if (builder.rows.isEmpty()) ProviderRegistry.packed else ProviderRegistry.packed.plus(builder.rows.values.toList()) }

    /** The most special ones first. */
    private val limits: List<Limit> = builder.limits.mapNotNull { (name, limit) ->
        val model = builder.aliases[name] ?: name
        limit.build(name.ifEmpty { null })?.let { Limit(scope(model), if (model.isEmpty()) null else canonical(ModelId.parse(model)), it) }
    }.sortedBy { it.scope }
    private val rules = ConcurrentHashMap<ModelId, List<RateRule>>()

    fun link(target: AttemptTarget): RateLimit = RateLimit(target, limiter, rules(target)) { estimate(it, target.id) }

    /** The limits that hold for [target], the most special one first. */
    fun rules(target: AttemptTarget): List<RateRule> {
        if (limits.isEmpty()) return emptyList()
        return rules.computeIfAbsent(target.id) { id -> limits.filter { it.appliesTo(canonical(id)) }.map { it.rule } }
    }

    private fun canonical(id: ModelId): ModelId = registry.find(id.provider.ifEmpty { id.name })?.let {
        if (id.provider.isEmpty()) ModelId("", it.id) else ModelId(it.id, id.name)
    } ?: id

    private fun scope(name: String): Scope = if (name.isEmpty()) {
        Scope.CLIENT
    } else if ('/' in name) {
        Scope.MODEL
    } else {
        Scope.PROVIDER
    }

    private enum class Scope { MODEL, PROVIDER, CLIENT }

    /** @property name of a model, or of a provider, or of a model at any provider: a name without a slash may be both; null for all */
    private class Limit(val scope: Scope, private val name: ModelId?, val rule: RateRule) {
        fun appliesTo(id: ModelId): Boolean =
            name == null || name == id || (name.provider.isEmpty() && (name.name == id.provider || name.name == id.name))
    }

    companion object {
        /** Output tokens of a request that sets no limit of its own. */
        private const val OUTPUT = 512L

        /** By bytes: a tokenizer would take longer than the request, and the reported usage replaces the estimate. */
        fun estimate(request: Request, model: ModelId): Long {
            val tokens = TokenEstimate.forModel(model.name, useJtokkit = false)
            return when (request) {
                is ChatRequest ->
                    tokens.of(request.messages) + tokens.ofTools(request.tools) + (request.maxTokens?.toLong() ?: OUTPUT) * (request.n ?: 1)
                is EmbeddingRequest -> request.inputs.sumOf { tokens.of(it) }
                else -> 0
            }
        }
    }
}
