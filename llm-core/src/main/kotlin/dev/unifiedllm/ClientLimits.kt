package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.RateLimit
import dev.unifiedllm.middleware.RateLimiter
import dev.unifiedllm.middleware.RateRule

/**
 * The rate limits that the user has set for a client, and to which targets they apply.
 *
 * A model of the user's holds its permits while its code runs, and that may call this client again. So no limit that those calls need holds for it: neither
 * that of the client nor that of a provider, but only one that is set by the model's own name.
 */
internal class ClientLimits(builder: LlmBuilder, private val limiter: RateLimiter = RateLimiter()) {
    private val scopes = ModelScopes(builder)

    /** The most special ones first. */
    private val limits: List<Limit> = builder.limits.mapNotNull { (name, limit) ->
        limit.build(name.ifEmpty { null })?.let { Limit(name, scopes.of(name), it) }
    }.sortedBy { it.scope.level }

    /** Limits with a name that nothing has, as far as it is known. It may be that of a model of the user's. */
    private val unknown = limits.filterNot { it.scope.isKnown }

    fun link(target: AttemptTarget): RateLimit = RateLimit(target, limiter, rules(target)) { estimate(it, target.id) }

    /** The limits that hold for [target], the most special one first. */
    fun rules(target: AttemptTarget): List<RateRule> {
        if (limits.isEmpty()) return emptyList()
        val id = scopes.canonical(target.id)
        return limits.filter { if (target.isUsers) it.scope.namesUsers(id) else it.scope.rank(id) != null }.map {
            it.isUsed = true
            it.rule
        }
    }

    /** What a call should say about limits whose names nothing has, until one of its or of other calls' models has. @param models of the call */
    fun warnings(models: () -> List<ModelId>): List<String> {
        if (unknown.all { it.isUsed }) return emptyList()
        val ids = models().map(scopes::canonical)
        return unknown.filter { limit -> !limit.isUsed && ids.none { limit.scope.rank(it) != null } }.map { it.warning }
    }

    private inner class Limit(private val name: String, val scope: ModelScope, val rule: RateRule) {
        /** True if it has held for a target. */
        @Volatile
        var isUsed = false

        val warning by lazy { "limit(\"$name\") limits nothing: ${scopes.whyUnknown(name)}" }
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
