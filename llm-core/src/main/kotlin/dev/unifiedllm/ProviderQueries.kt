package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.demo.DemoKind
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.demo.DemoScript
import dev.unifiedllm.demo.demoPrice
import dev.unifiedllm.pricing.PriceFile
import dev.unifiedllm.protocol.Exchange
import dev.unifiedllm.protocol.ListedModel
import dev.unifiedllm.protocol.getJson
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isRunByUser
import dev.unifiedllm.store.LastingLedger
import java.time.Instant

/**
 * What a client asks providers beside the calls of models: counts of tokens, and lists of models.
 *
 * @param members the models that a model stands for, the first one first
 */
internal class ProviderQueries(
    val names: ModelNames,
    val prices: Prices,
    private val wires: WireModels,
    private val client: Client,
    val members: (ModelRef) -> List<ModelRef>,
) {
    /** The settings of the client, with their sources. */
    val settled: Settled get() = client.settled

    /** The ledger that outlives the client; null if its costs are in memory alone. */
    val lastingLedger: LastingLedger? get() = client.ledger.lasting

    /** As [Client.state]. */
    val state: SharedState? get() = client.state

    suspend fun budgets(): List<BudgetStatus> = client.budgets.status()

    /** Counts by the provider of the first model of [request]; estimates if it has no endpoint for it. */
    suspend fun count(request: ChatRequest, model: ModelRef = request.modelRef): TokenCount =
        when (val member = members(model).first()) {
            is ModelId -> counted(request, target(UnboundModel(member), request.context.apiKey), member)
            is UnboundModel -> counted(request, target(member, request.context.apiKey), member.id)
            is Intercepted -> count(request, member.next)
            is GroupModel -> count(request.withContext(request.context.with { apiKey = null }), member.targets.first().model)
            is BoundModel -> if (member.client === client) counted(request, target(UnboundModel(member.id), null), member.id) else others(request, member)
            else -> estimatedTokens(request, member.id.name, null)
        }

    private suspend fun others(request: ChatRequest, model: BoundModel): TokenCount {
        val ownKey = request.withContext(request.context.with { apiKey = null })
        return model.client.queries.count(ownKey, model.id)
    }

    private suspend fun counted(request: ChatRequest, target: Target?, id: ModelId): TokenCount {
        val counter = target?.let { Protocols.named(it.protocol).tokenCounter(it) } ?: return estimatedTokens(request, id.name, target?.systemMessage)
        val sent = wires.media(target).prepared(request)
        val counted = try {
            counter.count(sent, target, exchange(target, request.context.timeouts))
        } catch (failure: LlmException) {
            if (!target.mayLackEndpoint || !failure.isMissingEndpoint) throw failure
            return estimatedTokens(request, id.name, target.systemMessage)
        }
        if (counted == null) {
            throw LlmException.MalformedResponse("${target.id} responded without a count of tokens.", details = LlmException.Details(target.id))
        }
        val media = if (counted.hasMedia) 0 else TokenEstimate.ofMedia(request.messages)
        return TokenCount(counted.count + media, counted.isEstimated || media > 0, target.provider.id, FromKotlin.CALL)
    }

    /** All models that the provider of [any] offers, in the order of its list. */
    suspend fun models(any: ModelId): List<ModelInfo> {
        if (any.provider == DemoModel.PROVIDER) return DemoScript.names.map { demo(ModelId(DemoModel.PROVIDER, it)) }
        val target = names.target(any, null, ProviderSettings())
        val list = Protocols.named(target.protocol).modelList ?: throw LlmException.InvalidRequest(
            "The models of ${target.provider.id} cannot be listed: the wire ${target.protocol} has no list of them.",
            LlmException.InvalidRequest.Kind.UNSUPPORTED,
            details = LlmException.Details(target.id),
        )
        val listed = try {
            list.models(target, exchange(target, null))
        } catch (missing: LlmException.NotFound) {
            val details = LlmException.Details(target.id, missing.status, missing.requestId)
            throw LlmException.NotFound("${target.provider.id} has no list of models at ${target.baseUrl}.$OF_ADDRESS", missing, details)
        }
        return listed.map { info(it, target) }
    }

    /** True if the LiteLLM proxy that [any] names says that it runs. False for other servers. */
    suspend fun isAlive(any: ModelId): Boolean {
        if (any.provider.substringBefore('/') != "litellm_proxy") return false
        val target = names.target(any, null, ProviderSettings())
        return try {
            exchange(target, null).send(getJson(target, target.baseUrl.removeSuffix("/v1") + LIVENESS))
            true
        } catch (_: LlmException.MalformedResponse) { // status 200, with a text
            true
        } catch (_: LlmException) { // the list of its models says what is wrong
            false
        }
    }

    private fun info(listed: ListedModel, target: Target): ModelInfo {
        val id = ModelId(target.provider.id, listed.name)
        val known = abilities(id)
        return ModelInfo(
            id,
            listed.displayName,
            listed.created?.let(Instant::ofEpochSecond),
            listed.maxInputTokens ?: known?.maxInputTokens,
            listed.maxOutputTokens ?: known?.maxOutputTokens,
            known?.toAbilities(),
            prices.of(id, target.region),
            FromKotlin.CALL,
        )
    }

    private fun demo(id: ModelId): ModelInfo {
        val isChat = DemoScript.named(id.name)?.kind == DemoKind.CHAT
        val abilities = if (isChat) setOf(Ability.TOOLS, Ability.JSON_SCHEMA, Ability.REASONING) else emptySet()
        return ModelInfo(id, null, null, null, null, abilities, demoPrice, FromKotlin.CALL)
    }

    /** The target that [model] names; null for a demo model. */
    fun target(model: UnboundModel, key: ApiKey?): Target? {
        val settings = if (key == null) model.settings else ProviderSettings(apiKey = key).over(model.settings)
        val name = names.named(model)
        val inner = names.innerOf(model, name)
        return if ((inner ?: name).provider == DemoModel.PROVIDER) null else names.target(name, inner, settings)
    }

    /** The model that [model] means, by its provider's own name. Needs neither key nor base URL. */
    fun found(model: UnboundModel): ModelId = names.named(model).let { names.found(names.innerOf(model, it) ?: it) }

    fun exchange(target: Target, timeouts: Timeouts?): Exchange = wires.exchange(target, timeouts)

    /** The prices at [url]. */
    suspend fun priceFile(url: String): PriceFile = wires.priceFetcher.prices(url)

    /** True for a server that may have its wire without all of its endpoints: one that users run, or another than the provider's own. */
    private val Target.mayLackEndpoint: Boolean
        get() {
            val row = ProviderRegistry.packed.find(provider.id)
            if (isRunByUser || row == null) return true
            return row.baseUrl?.takeUnless { '{' in it }?.let { hostOf(it) != hostOf(baseUrl) } ?: false
        }

    /** True if the server answered, but not as the endpoint does. Some servers answer with status 200 and an error for a path that they do not have. */
    private val LlmException.isMissingEndpoint: Boolean
        get() = when (this) {
            is LlmException.NotFound, is LlmException.MalformedResponse -> true
            is LlmException.ServerError -> status == null || status == NOT_IMPLEMENTED
            else -> status in WITHOUT_ENDPOINT
        }

    /** True if requests go to the host of the packed row, not to another one that the user has set. */
    fun isAtOwnHost(target: Target): Boolean =
        ProviderRegistry.packed.find(target.provider.id)?.baseUrl?.let { '{' in it || hostOf(it) == hostOf(target.baseUrl) } ?: false

    companion object {
        /** The name of the model where a provider is named without one. */
        const val ANY_MODEL: String = "models"
        private const val NOT_IMPLEMENTED = 501
        private val WITHOUT_ENDPOINT = setOf(404, 405)
    }
}

/** Asks about the address of a provider that answers, but has no list of models there. */
internal const val OF_ADDRESS: String = " Is this its address?"
