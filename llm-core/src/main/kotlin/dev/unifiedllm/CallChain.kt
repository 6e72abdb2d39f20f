package dev.unifiedllm

import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.demo.demoPrice
import dev.unifiedllm.middleware.CostTracking
import dev.unifiedllm.middleware.Fallback
import dev.unifiedllm.middleware.PartialAnswer
import dev.unifiedllm.middleware.TotalDeadline
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.ModelAbilities
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import dev.unifiedllm.provider.isReplaced
import dev.unifiedllm.store.Ledger
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.KtorTransport
import dev.unifiedllm.transport.credential.AwsProfiles
import dev.unifiedllm.transport.credential.Credentials
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow

/** Puts the links of a call together, in their one order: per call, per step, per target, per attempt. */
internal class CallChain(builder: LlmBuilder, private val ledger: Ledger) : AutoCloseable {
    private val environment = Environment(builder.environment)
    private val timeouts = builder.timeouts
    private val defaultModel = builder.defaultModel
    private val fallbacks = builder.fallbacks.toList()
    private val enableFallback = builder.enableFallback
    private val enableCostTracking = builder.enableCostTracking
    private val aliases = builder.aliases.toMap()
    private val interceptors = builder.interceptors.toTypedArray()
    private val registry = if (builder.rows.isEmpty()) ProviderRegistry.packed else ProviderRegistry.packed.plus(builder.rows.values.toList())
    private val resolver = TargetResolver(
        registry,
        Protocols,
        environment,
        builder.providers.mapKeys { (name, _) -> registry.find(name)?.id ?: name },
        AwsProfiles(builder.environment)::region,
        catalogue = { PriceCatalog.packed.models },
    )
    private val prices = builder.prices.mapKeys { (id, _) -> registry.find(id.provider)?.let { ModelId(it.id, id.name) } ?: id }
    private val transport = when (builder.httpEngine) {
        HttpEngine.JDK -> JdkTransport(timeouts.connect, builder.sslContext)
        HttpEngine.KTOR -> KtorTransport(timeouts.connect, builder.sslContext)
    }
    private val credentials = Credentials(builder.environment, transport)

    fun open(model: ModelRef, request: Request): Flow<Delta> = flow {
        if (request is ChatRequest) requireQuestion(request, model)
        val context = request.context.with { if (callId == null) callId = newCallId() }
        val step = Fallback(targets(model, context)).with(*interceptors)
        emitAll(step.with(TotalDeadline(timeouts)).stream(request.withContext(context)))
    }

    private fun requireQuestion(request: ChatRequest, model: ModelRef) {
        if (request.messages.any { message -> message.parts.any { it !is Part.Text || it.text.isNotBlank() } }) return
        throw LlmException.InvalidRequest(
            "Nothing was asked of ${model.id}: the messages are empty. Say something with user(\"…\").",
            details = LlmException.Details(model.id),
        )
    }

    private fun targets(model: ModelRef, context: CallContext): List<Model> {
        val others = if (context.enableFallback ?: enableFallback) context.fallbacks.ifEmpty { fallbacks }.flatMap(::members) else emptyList()
        return (members(model) + others).distinctBy(::identity).mapIndexed { index, member -> attempt(member, context.takeIf { index == 0 }) }
    }

    /** Two spellings of one target are the same; two models of the user's own are two, whatever they are called. */
    private fun identity(member: ModelRef): Any = when {
        member !is UnboundModel -> member
        member.acceptsProviderPrefix || member.settings != ProviderSettings() -> Triple(member.id, member.settings, member.acceptsProviderPrefix)
        else -> aliased(member.id)
    }

    private fun members(model: ModelRef): List<ModelRef> = when (model) {
        is ChainModel -> model.members.flatMap(::members)
        is DefaultModel -> members(defaultModelId())
        is ModelId -> aliases[model.toString()]?.let { listOf(ModelId.parse(it)) } ?: listOf(model)
        else -> listOf(model)
    }

    private fun defaultModelId(): ModelId {
        val name = defaultModel ?: environment.first(DEFAULT_VARIABLES)?.value
        return ModelId.parse(
            name ?: throw LlmException.Configuration(
                "No model was named and there is no default. Name one, as in chat(\"ollama/llama3\"), or set the variable ${DEFAULT_VARIABLES.first()}.",
            ),
        )
    }

    /** [member] with the links that stand around each attempt; where it is found out only when it is asked. */
    private fun attempt(member: ModelRef, context: CallContext?): Model = LateModel(member.id) {
        val own = if (context?.apiKey == null) ProviderSettings() else ProviderSettings(apiKey = context.apiKey)
        when (member) {
            is UnboundModel -> named(aliased(member.id), own.over(member.settings), member.acceptsProviderPrefix)
            is ModelId -> named(member, own)
            else -> linked(member as Model) { id, _ -> prices[id] }
        }
    }

    private fun aliased(id: ModelId): ModelId = aliases[id.toString()]?.let(ModelId::parse) ?: id

    private fun named(asked: ModelId, settings: ProviderSettings, acceptsProviderPrefix: Boolean = false): Model {
        if (asked.provider == DemoModel.PROVIDER) return linked(DemoModel(asked.name), price = ::price)
        val inner = if (acceptsProviderPrefix) innerProvider(asked) else null
        if (inner != null && inner.provider == DemoModel.PROVIDER) return named(inner, settings)
        val target = if (inner == null) resolver.resolve(asked, settings) else resolver.resolve(inner, settings.copy(apiKey = null, aws = null)).warned(asked)
        return linked(
            ProtocolModel(target, Protocols.named(target.protocol), transport, timeouts, credentials.of(target)),
            isFree = target.isFree && target.id !in prices,
            ::price,
        )
    }

    /** `openai("ollama/llama3")` means Ollama: a known prefix inside of the name wins, unless the outer provider has a model of that name. */
    private fun innerProvider(id: ModelId): ModelId? {
        if ('/' !in id.name) return null
        val inner = ModelId.parse(id.name)
        val known = inner.provider == DemoModel.PROVIDER || registry.find(inner.provider).let { it != null && it.id != id.provider }
        val isReplaced = registry.find(id.provider)?.isReplaced(environment) == true // every name is the server's own there
        return inner.takeIf { known && !isReplaced && !PriceCatalog.packed.lists(id) }
    }

    private fun Target.warned(asked: ModelId) =
        withWarning("\"${asked.name}\" names its provider itself: ${provider.id} was asked, not ${asked.provider}")

    private fun linked(model: Model, isFree: Boolean = false, price: (ModelId, String?) -> Price?): Model {
        if (!enableCostTracking) return model.with(PartialAnswer)
        return model.with(CostTracking(ledger, isFree, price), PartialAnswer)
    }

    /** What [id] can do; null if that is not known. */
    fun abilities(
        id: ModelId,
    ): ModelAbilities? = PriceCatalog.packed.abilities(id)?.let { (letters, input, output) -> ModelAbilities.of(letters, input, output) }

    private fun price(id: ModelId, reported: String?): Price? =
        prices[id] ?: if (id.provider == DemoModel.PROVIDER) demoPrice else PriceCatalog.packed.find(id, reported)

    override fun close(): Unit = transport.close()

    private companion object {
        val DEFAULT_VARIABLES = listOf("MODEL", "LITELLM_DEFAULT_TEXT_MODEL")
    }
}

/** A model that is looked up anew for each call, so that a missing key is the failure of that call. */
private class LateModel(override val id: ModelId, private val find: () -> Model) : Model {
    override fun stream(request: Request): Flow<Delta> = flow { emitAll(find().stream(request)) }

    override fun toString(): String = id.toString()
}
