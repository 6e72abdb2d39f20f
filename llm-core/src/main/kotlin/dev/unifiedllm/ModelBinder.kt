package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.hasOptions
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.ChainRules
import dev.unifiedllm.middleware.Fallback
import dev.unifiedllm.middleware.SharedCooldowns
import dev.unifiedllm.middleware.SpecialFallbacks
import dev.unifiedllm.middleware.TargetState
import dev.unifiedllm.middleware.TargetStates
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isLoopback
import dev.unifiedllm.provider.mayWriteThinkTags
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.withContext
import java.util.Collections
import java.util.IdentityHashMap
import java.util.WeakHashMap
import kotlin.coroutines.ContinuationInterceptor
import kotlin.coroutines.CoroutineContext

/**
 * A model that a call may try.
 *
 * @property identity equal for a name and a client alias of it; each model of the user's is one of its own
 * @property runsUserCode true if code of the user has a part in it
 * @property targets the models to which a request to it may go, by their providers' names
 */
internal class Candidate(
    val identity: Any,
    val runsUserCode: Boolean,
    val model: Model,
    val targets: () -> List<ModelId> = { listOf(model.id) },
)

/**
 * A model with a name, and how it is resolved, which may block.
 *
 * @property identity as in [Candidate]
 * @property found its name by its provider's own id
 */
internal class Named(val name: ModelId, val identity: Any, val found: () -> ModelId, val resolve: () -> ResolvedModel)

/** A model behind the links of its target. */
internal data class ResolvedModel(val model: Model, val target: AttemptTarget)

/**
 * Turns whatever a call was given into models that can be tried: a name, an alias, the default model, a provider's function, a chain, a model of another
 * client, a model of the user's, and each of them behind interceptors.
 *
 * @param rules of all chains of models
 * @param cooldowns those of other processes
 * @param links the links around a target, outermost first
 */
internal class ModelBinder(
    builder: LlmBuilder,
    timeouts: ModelTimeouts,
    private val client: Client,
    private val rules: ChainRules,
    cooldowns: SharedCooldowns?,
    private val links: (AttemptTarget) -> List<Interceptor>,
) : AutoCloseable {
    private val names = ModelNames(builder)
    private val prices = Prices(builder, names)
    private val wires = WireModels(builder, timeouts)
    private val states = TargetStates()
    private val usersStates: MutableMap<Model, TargetState> = Collections.synchronizedMap(WeakHashMap())
    private val groups = GroupBinder(this, client.threadContext, rules, cooldowns)
    private val thinkTags: Boolean? = builder.thinkTags
    private val accounts = Accounts(builder.variables)
    private val routes: Map<String, ModelRef> = builder.routes.tasks.toMap()

    /** The most output tokens of models that were registered with a limit. */
    val outputLimits: Map<ModelId, Int> get() = names.outputLimits

    /** What the client asks providers beside the calls of models. */
    val queries: ProviderQueries = ProviderQueries(names, prices, wires, client, ::members)

    /** Downloads the images of responses. */
    val images: ImageDownload get() = wires.images

    /** [model] and then [fallbacks], each target once. What is set for the first model, such as its key, is in [context]. */
    fun candidates(model: ModelRef, fallbacks: List<ModelRef>, context: CallContext, hasImages: Boolean = false): List<Candidate> {
        val first = asked(model, context, hasImages)
        (first.drop(1) + fallbacks.flatMap(::members)).forEach { if (it is ModelId) names.checkProvider(it) }
        val key = context.apiKey?.takeIf { context.settingsFor?.let { sharesProvider(found(it), found(first.first())) } ?: true }
        val all = first.mapIndexed { index, member -> candidate(member, key.takeIf { index == 0 }) } +
            fallbacks.flatMap(::members).map { candidate(it, null) }
        return all.distinctBy { it.identity }
    }

    /** The models that a call to [model] asks, without its fallbacks; the first one first. */
    fun asked(model: ModelRef, context: CallContext, hasImages: Boolean): List<ModelRef> =
        members(routed(model, context) ?: if (model is DefaultModel) names.default(hasImages) else model)

    /** The model for which the headers, query parameters and options of [request] were set; null if all of [models], the first one first, may get them. */
    fun settingsFor(request: Request, models: List<Candidate>): ModelId? {
        val first = request.context.settingsFor
        val isAlone = first == null && models.singleOrNull()?.model is LateModel
        return if (isAlone || !request.hasOptions) null else first?.let(::found) ?: models.first().targets().first()
    }

    /** The first model to which a call to [model] goes, by its provider's name. */
    private fun found(model: ModelRef): ModelId = candidate(members(model).first(), null).targets().first()

    /** [models] as fallbacks of their own. */
    fun others(models: List<ModelRef>): List<Candidate> {
        val all = models.flatMap(::members)
        all.forEach { if (it is ModelId) names.checkProvider(it) }
        return all.map { candidate(it, null) }.distinctBy { it.identity }
    }

    /**
     * A model that tries [candidates] in order, by the rules of all chains.
     *
     * @param triesFirst as in [Fallback]
     */
    fun chain(
        candidates: List<Candidate>,
        longer: List<Candidate> = emptyList(),
        laxer: List<Candidate> = emptyList(),
        triesFirst: Boolean = true,
    ): Model {
        fun models(all: List<Candidate>) = all.map { it.model }
        val identities = IdentityHashMap<Model, Any>().also { all -> (candidates + longer + laxer).forEach { all[it.model] = it.identity } }
        val special = SpecialFallbacks(models(longer), models(laxer))
        return Fallback(models(candidates), ::skipReason, special, rules.goesOn, rules::restarts, identities::getValue, triesFirst, ::isLength)
    }

    /** Why [model] is not tried as a fallback for [request]; null if it may be. A model that the catalogue does not list may be. */
    fun skipReason(model: ModelId, request: Request): String? {
        if (request !is ChatRequest) return null
        return names.canonical(model).let { lackingAbility(it, request) }
    }

    /** The model of the task of a call that names no model; null if there is no route for it. */
    private fun routed(model: ModelRef, context: CallContext): ModelRef? =
        if (model is DefaultModel || model is DefaultImageModel) context.task?.let(routes::get) else null

    fun members(model: ModelRef): List<ModelRef> = when (model) {
        is ChainModel -> model.members.flatMap(::members)
        is DefaultModel -> members(names.default())
        is DefaultImageModel -> members(names.defaultImageModel())
        is ModelId -> names.deployments[model.toString()]?.let(::members) ?: listOf(names.aliased(model))
        is BoundModel -> if (model.client === client) members(model.id) else listOf(model)
        else -> listOf(model)
    }

    /** As [ModelNames.found]. */
    fun found(id: ModelId): ModelId = names.found(names.aliased(id))

    fun checkProvider(model: ModelRef) {
        if (model is ModelId || model is UnboundModel) names.checkProvider(model.id)
    }

    fun candidate(member: ModelRef, key: ApiKey?): Candidate = when (member) {
        is ModelId, is UnboundModel -> checkNotNull(named(member, key)).let { late ->
            val model = LateModel(late.name, client.threadContext) { late.resolve().model }
            Candidate(late.identity, runsUserCode = false, model) { listOf(late.found()) }
        }
        is GroupModel -> groups.candidate(member, hasKey = key != null)
        is Intercepted -> {
            val inner = members(member.next).mapIndexed { index, each -> candidate(each, key.takeIf { index == 0 }) }
            Candidate(member, runsUserCode = true, WithoutSettings(Intercepted(member.interceptor, chain(inner)), null), inner.first().targets)
        }
        // Another client has its own links and its own ledger.
        is BoundModel -> member.client.queries.let { other ->
            Candidate(member.client to member.id, runsUserCode = true, WithoutSettings(member, key)) { listOf(other.found(UnboundModel(member.id))) }
        }
        is DemoModel -> Candidate(member, runsUserCode = false, WithOwnOptions(around(member, demoTarget(member.id))) { member.id })
        else -> {
            val model = WithoutSettings(member as Model, null, isUsers = true)
            Candidate(member, runsUserCode = true, WithOwnOptions(around(model, usersTarget(member))) { member.id })
        }
    }

    /** A target that is resolved when it is tried, so a missing key fails the call only if this target is reached. Null for what has no name. */
    fun named(member: ModelRef, key: ApiKey?): Named? {
        val model = if (member is ModelId) UnboundModel(member) else member as? UnboundModel ?: return null
        val settings = if (key == null) model.settings else ProviderSettings(apiKey = key).over(model.settings)
        val name = names.named(model)
        val identity = if (model.isPlain) name else Triple(model.id, model.settings, model.acceptsProviderPrefix)
        return Named(name, identity, { queries.found(model) }) {
            resolved(name, names.innerOf(model, name), settings).let { it.copy(model = WithOwnOptions(it.model) { queries.found(model) }) }
        }
    }

    private fun resolved(name: ModelId, inner: ModelId?, settings: ProviderSettings): ResolvedModel {
        val meant = inner ?: name
        if (meant.provider == DemoModel.PROVIDER) return DemoModel(meant.name).let { linked(it, demoTarget(it.id)) }
        val target = names.target(name, inner, settings)
        val model = wires.model(target) { state(target.identity).rateLimits = it }
        return linked(model, providersTarget(target, model))
    }

    private fun linked(model: Model, target: AttemptTarget) = ResolvedModel(around(model, target), target)

    private fun around(model: Model, target: AttemptTarget): Model {
        val links = links(target)
        return if (links.isEmpty()) model else model.with(*links.toTypedArray())
    }

    private fun providersTarget(target: Target, model: ProtocolModel): AttemptTarget {
        val isFree = prices.isFree(target)
        return AttemptTarget(
            target.id,
            { state(target.identity) },
            isUsers = false,
            isFree,
            isLocal = isFree && isLoopback(hostOf(target.baseUrl)),
            target.jsonModes,
            { prices.ofImages(target) },
            mayWriteThinkTags = target.mayWriteThinkTags,
            embeddingLimits = target.embeddingLimits,
            continuesText = target.wire.continuesText && abilities(target.id)?.prefill == true,
            priceOf = { name -> prices.ofOther(target, name) },
            whyUnpriced = { reported -> prices.billing(target, reported).why },
            canonical = { canonical(model, target, accounts, thinkTags ?: target.mayWriteThinkTags, it) },
            sharedName = { "${target.id} ${target.baseUrl} ${accounts.of(target)}" },
            baseUrl = target.baseUrl,
        ) { reported -> prices.billing(target, reported).price }
    }

    private fun demoTarget(id: ModelId): AttemptTarget {
        val form: suspend (Request) -> String = { canonical(id.toString(), it) }
        return AttemptTarget(id, { state(id) }, isUsers = false, isFree = false, canonical = form) { prices.demo(id) }
    }

    private fun usersTarget(model: Model): AttemptTarget {
        val isFree = model is FunctionModel && !prices.isSet(model.id)
        val state = usersStates.computeIfAbsent(model) { TargetState() }
        return AttemptTarget(model.id, { state }, isUsers = true, isFree, canonical = { canonical("${model.id} ${state.id}", it) }) { prices.set(model.id) }
    }

    fun state(identity: Any): TargetState = states[identity]

    override fun close(): Unit = wires.close()
}

/**
 * [model] without the key and the fallbacks of the call, which are for this client's models only.
 *
 * @param key for this model; null for none
 * @param isUsers true for a model of the user's: what it sends on to another model counts as set for that one
 */
private class WithoutSettings(private val model: Model, private val key: ApiKey?, private val isUsers: Boolean = false) : Model {
    override val id: ModelId get() = model.id

    override fun stream(request: Request): Flow<Delta> {
        val context = request.context
        val isPlain = context.fallbacks.isEmpty() && context.contextWindowFallbacks.isEmpty() && context.contentPolicyFallbacks.isEmpty()
        if (key == null && context.apiKey == null && isPlain && (!isUsers || context.settingsFor == null)) return model.stream(request)
        return model.stream(
            request.withContext(
                context.with {
                    apiKey = key
                    if (isUsers) settingsFor = null
                    fallbacks.clear()
                    contextWindowFallbacks.clear()
                    contentPolicyFallbacks.clear()
                },
            ),
        )
    }

    override fun toString(): String = model.toString()
}

/** A model that is resolved anew for each collection. */
private class LateModel(override val id: ModelId, private val threads: CoroutineContext, private val resolve: () -> Model) : Model {
    override fun stream(request: Request): Flow<Delta> = linkFlow { mayBlock(threads, resolve).stream(request).collect(this) }

    override fun toString(): String = id.toString()
}

/** Resolves by [resolve], which may block, on files and on the user's lookup of variables: never on a thread of the transport or of timers. */
internal suspend fun <T> mayBlock(threads: CoroutineContext, resolve: () -> T): T {
    val context = currentCoroutineContext()
    val thread = Thread.currentThread()
    val isOurs = thread is ElasticPool.Worker || thread === context[Sender]?.thread
    val interceptor = context[ContinuationInterceptor]
    val isForeign = (interceptor === Dispatchers.Unconfined || interceptor is CallDispatcher) && !isOurs
    return if (isForeign) withContext(threads) { resolve() } else resolve()
}
