package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.hasImages
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.Fallback
import dev.unifiedllm.middleware.TargetState
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isLoopback
import dev.unifiedllm.provider.mayWriteThinkTags
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.withContext
import java.util.concurrent.ConcurrentHashMap
import kotlin.coroutines.ContinuationInterceptor
import kotlin.coroutines.CoroutineContext

/**
 * A model that a call may try.
 *
 * @property identity equal for a name and a client alias of it; each model of the user's is one of its own
 * @property runsUserCode true if code of the user has a part in it
 */
internal class Candidate(val identity: Any, val runsUserCode: Boolean, val model: Model)

/**
 * Turns whatever a call was given into models that can be tried: a name, an alias, the default model, a provider's function, a chain, a model of another
 * client, a model of the user's, and each of them behind interceptors.
 *
 * @param links the links around a target, outermost first
 */
internal class ModelBinder(
    builder: LlmBuilder,
    private val deadlines: Deadlines,
    private val client: Client,
    private val links: (AttemptTarget) -> List<Interceptor>,
) : AutoCloseable {
    private val names = ModelNames(builder)
    private val prices = Prices(builder, names)
    private val wires = WireModels(builder, deadlines)
    private val states = ConcurrentHashMap<Any, TargetState>()

    /** What the client asks providers beside the calls of models. */
    val queries: ProviderQueries = ProviderQueries(names, prices, wires, client, ::members)

    /** Downloads the images of responses. */
    val images: ImageDownload get() = wires.images

    /** [model] and then [fallbacks], each target once. What is set for the first model, such as its key, is in [context]. */
    fun candidates(model: ModelRef, fallbacks: List<ModelRef>, context: CallContext, hasImages: Boolean = false): List<Candidate> {
        val first = members(if (model is DefaultModel) names.default(hasImages) else model)
        (first.drop(1) + fallbacks.flatMap(::members)).forEach { if (it is ModelId) names.checkProvider(it) }
        val all = first.mapIndexed { index, member -> candidate(member, context.apiKey.takeIf { index == 0 }) } +
            fallbacks.flatMap(::members).map { candidate(it, null) }
        return all.distinctBy { it.identity }
    }

    /** Why [model] is not tried as a fallback for [request]; null if it may be. A model that the catalogue does not list may be. */
    fun skipReason(model: ModelId, request: Request): String? {
        if (request !is ChatRequest || !hasImages(request.messages)) return null
        val letters = PriceCatalog.packed.abilities(names.canonical(model))?.first ?: return null
        if (letters.isEmpty() || 'v' in letters) return null // without letters nothing is known
        return "$model was skipped: the request has an image, and by the catalogue of models $model takes none. Name a fallback that can see."
    }

    private fun members(model: ModelRef): List<ModelRef> = when (model) {
        is ChainModel -> model.members.flatMap(::members)
        is DefaultModel -> members(names.default())
        is DefaultImageModel -> members(names.defaultImageModel())
        is ModelId -> listOf(names.aliased(model))
        is BoundModel -> listOf(if (model.client === client) names.aliased(model.id) else model)
        else -> listOf(model)
    }

    private fun candidate(member: ModelRef, key: ApiKey?): Candidate = when (member) {
        is ModelId -> named(UnboundModel(member), key)
        is UnboundModel -> named(member, key)
        is Intercepted -> {
            val inner = members(member.next).mapIndexed { index, each -> candidate(each, key.takeIf { index == 0 }).model }
            Candidate(member, runsUserCode = true, WithoutSettings(Intercepted(member.interceptor, Fallback(inner)), null))
        }
        // Another client has its own links and its own ledger.
        is BoundModel -> Candidate(member.client to member.id, runsUserCode = true, WithoutSettings(member, key))
        is DemoModel -> Candidate(member, runsUserCode = false, around(member, demoTarget(member.id)))
        else -> Candidate(member, runsUserCode = true, around(WithoutSettings(member as Model, null), usersTarget(member)))
    }

    /** A target that is resolved when it is tried, so a missing key fails the call only if this target is reached. */
    private fun named(model: UnboundModel, key: ApiKey?): Candidate {
        val settings = if (key == null) model.settings else ProviderSettings(apiKey = key).over(model.settings)
        val isPlain = model.settings == ProviderSettings() && !model.acceptsProviderPrefix
        val name = if (isPlain || model.id.provider.isEmpty()) names.aliased(model.id) else model.id
        val identity = if (isPlain) name else Triple(model.id, model.settings, model.acceptsProviderPrefix)
        return Candidate(identity, runsUserCode = false, LateModel(name, client.threadContext) { resolved(name, settings, model.acceptsProviderPrefix) })
    }

    private fun resolved(name: ModelId, settings: ProviderSettings, acceptsProviderPrefix: Boolean): Model {
        if (name.provider == DemoModel.PROVIDER) return DemoModel(name.name).let { around(it, demoTarget(it.id)) }
        val inner = if (acceptsProviderPrefix) names.innerProvider(name) else null
        if (inner != null && inner.provider == DemoModel.PROVIDER) return resolved(inner, settings, acceptsProviderPrefix = false)
        val target = names.target(name, inner, settings)
        return around(wires.model(target), providersTarget(target))
    }

    private fun around(model: Model, target: AttemptTarget): Model {
        val links = links(target)
        return if (links.isEmpty()) model else model.with(*links.toTypedArray())
    }

    private fun providersTarget(target: Target): AttemptTarget {
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
        ) { reported -> prices.of(target, reported) }
    }

    private fun demoTarget(id: ModelId) = AttemptTarget(id, { state(id) }, isUsers = false, isFree = false) { prices.demo(id) }

    private fun usersTarget(model: Model): AttemptTarget {
        val isFree = model is FunctionModel && !prices.isSet(model.id)
        val state = TargetState()
        return AttemptTarget(model.id, { state }, isUsers = true, isFree) { prices.set(model.id) }
    }

    private fun state(identity: Any): TargetState = states.computeIfAbsent(identity) { TargetState() }

    override fun close(): Unit = wires.close()
}

/** [model] without the key and the fallbacks of the call, which are for this client's models only. @param key for this model; null for none */
private class WithoutSettings(private val model: Model, private val key: ApiKey?) : Model {
    override val id: ModelId get() = model.id

    override fun stream(request: Request): Flow<Delta> {
        val context = request.context
        if (key == null && context.apiKey == null && context.fallbacks.isEmpty()) return model.stream(request)
        return model.stream(
            request.withContext(
                context.with {
                    apiKey = key
                    fallbacks.clear()
                },
            ),
        )
    }

    override fun toString(): String = model.toString()
}

/** A model that is resolved anew for each collection. */
private class LateModel(override val id: ModelId, private val threads: CoroutineContext, private val resolve: () -> Model) : Model {
    override fun stream(request: Request): Flow<Delta> = linkFlow { resolved().stream(request).collect(this) }

    /** Resolving may block, on files and on the user's lookup of variables: never on a thread of the transport or of timers. */
    private suspend fun resolved(): Model {
        val context = currentCoroutineContext()
        val thread = Thread.currentThread()
        val isOurs = thread is ElasticPool.Worker || thread === context[Sender]?.thread
        val interceptor = context[ContinuationInterceptor]
        val isForeign = (interceptor === Dispatchers.Unconfined || interceptor is CallDispatcher) && !isOurs
        return if (isForeign) withContext(threads) { resolve() } else resolve()
    }

    override fun toString(): String = id.toString()
}
