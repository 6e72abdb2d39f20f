package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.provider.AwsSettings
import dev.unifiedllm.provider.ProviderSettings
import kotlinx.coroutines.flow.Flow
import java.util.function.Consumer
import java.util.function.Function
import kotlin.time.Duration
import kotlin.time.toKotlinDuration

/** Makes models. In Kotlin `dev.unifiedllm.dsl` has the same as functions. */
public object Models {
    /** The model called [id], bound by the client on which it is used. */
    @JvmStatic
    public fun named(id: String): Model = UnboundModel(ModelId.parse(id))

    /** A model that tries [models] in order until one delivers its first content. */
    @JvmStatic
    public fun firstOf(vararg models: String): Model = ChainModel(models.map(ModelId::parse))

    /** A model that tries [models] in order until one delivers its first content. */
    @JvmStatic
    public fun firstOf(vararg models: Model): Model = ChainModel(models.toList())

    /** A group of deployments, called [name] in messages: each call goes to one of its targets, and to the next one if that fails. */
    @JvmSynthetic
    public fun group(name: String, block: GroupBuilder.() -> Unit): Model = GroupBuilder(name).apply(block).build()

    /** A group of deployments, called [name] in messages: each call goes to one of its targets, and to the next one if that fails. */
    @JvmStatic
    public fun group(name: String, block: Consumer<GroupBuilder>): Model = group(name) { block.accept(this) }

    /**
     * A model that sends a request to the first of [models], and after each [delay] without content to the next one as well. The first one that delivers
     * content gives the response; the others are cancelled, and may be billed by their providers.
     */
    @JvmSynthetic
    public fun hedge(delay: Duration, vararg models: Model): Model = hedged(delay, models.toList())

    /**
     * A model that sends a request to the first of [models], and after each [delay] without content to the next one as well. The first one that delivers
     * content gives the response; the others are cancelled, and may be billed by their providers.
     */
    @JvmSynthetic
    public fun hedge(delay: Duration, vararg models: String): Model = hedged(delay, models.map(ModelId::parse))

    /** A model that sends a request to the first of [models], and after each [delay] without content to the next one as well. */
    @JvmStatic
    public fun hedge(delay: java.time.Duration, vararg models: Model): Model = hedged(delay.toKotlinDuration(), models.toList())

    /** A model that sends a request to the first of [models], and after each [delay] without content to the next one as well. */
    @JvmStatic
    public fun hedge(delay: java.time.Duration, vararg models: String): Model = hedged(delay.toKotlinDuration(), models.map(ModelId::parse))

    private fun hedged(delay: Duration, models: List<ModelRef>): Model = group("hedge") {
        strategy = RoutingStrategy.IN_ORDER
        hedgeAfter = delay
        models.forEach { target(it) }
    }

    /**
     * A model of your own: [answer] gets the text of the last user message and returns the text of the response. It may block, and is interrupted when the
     * call is cancelled or its time is up. Its cost is Free.
     */
    @JvmStatic
    public fun simple(answer: Function<String, String>): Model = FunctionModel(answer)
}

/**
 * The model [name] of [provider]: a key and a base URL given here replace those of the client. A provider's prefix inside [name] wins.
 *
 * @param systemMessage put before the messages of every request
 */
@InternalLlmApi
public fun providerModel(provider: String, name: String, apiKey: String?, baseUrl: String?, systemMessage: String?): Model =
    UnboundModel(
        ModelId(provider, name),
        ProviderSettings(apiKey?.let(ApiKey::of), baseUrl, systemMessage = systemMessage),
        acceptsProviderPrefix = baseUrl == null,
    )

/** The model [name] of Amazon Bedrock: what is given here replaces the client's settings and the environment's. `bedrock/` may precede the name. */
@InternalLlmApi
public fun bedrockModel(
    name: String,
    region: String?,
    profile: String?,
    accessKeyId: String?,
    secretAccessKey: String?,
    sessionToken: String?,
    apiKey: String?,
    baseUrl: String?,
    systemMessage: String?,
): Model {
    val aws = AwsSettings.of(region, profile, accessKeyId, secretAccessKey, sessionToken)
    require(apiKey == null || !aws.isIdentity) { "give either an API key, or AWS keys, or a profile" }
    return UnboundModel(
        ModelId("bedrock", name.removePrefix("bedrock/")),
        ProviderSettings(apiKey?.let(ApiKey::of), baseUrl, systemMessage = systemMessage, aws = aws),
        acceptsProviderPrefix = baseUrl == null,
    )
}

/**
 * The name of a model with settings. The client on which it is used binds it when the call starts.
 *
 * @property acceptsProviderPrefix made by a provider's function such as `openai(…)`, which accepts another provider's prefix in the name
 */
internal class UnboundModel(
    override val id: ModelId,
    val settings: ProviderSettings = ProviderSettings(),
    val acceptsProviderPrefix: Boolean = false,
) : Model {
    /** True for a name alone. */
    val isPlain: Boolean get() = settings == ProviderSettings() && !acceptsProviderPrefix

    override fun stream(request: Request): Flow<Delta> = Llm.default.client.stream(this, request)

    override fun toString(): String = id.toString()
}

/** Fails as the resolution of [id] has failed. */
internal class Unresolved(override val id: ModelId, private val failure: LlmException) : Model {
    override fun stream(request: Request): Flow<Delta> = linkFlow { throw failure }

    override fun toString(): String = id.toString()
}

internal class ChainModel(val members: List<ModelRef>) : Model {
    init {
        require(members.isNotEmpty()) { "firstOf needs at least one model" }
    }

    override val id: ModelId get() = members.first().id

    override fun stream(request: Request): Flow<Delta> = Llm.default.client.stream(this, request)

    override fun toString(): String = members.joinToString(", ", "firstOf(", ")")
}

/** A model that [client] binds. */
internal class BoundModel(val client: Client, override val id: ModelId) : Model {
    override fun stream(request: Request): Flow<Delta> = client.stream(id, request)

    override fun toString(): String = id.toString()
}

/** The default model of a client. Its name is looked up when the call starts. */
internal object DefaultModel : ModelRef {
    override val id: ModelId = ModelId("", "(default model)")
}

/** The default image model of a client. Its name is looked up when the call starts. */
internal object DefaultImageModel : ModelRef {
    override val id: ModelId = ModelId("", "(default image model)")
}

internal class FunctionModel(private val answer: Function<String, String>) : Model {
    override val id: ModelId = ModelId("simple", "function")

    override fun stream(request: Request): Flow<Delta> = linkFlow {
        if (request !is ChatRequest) {
            throw LlmException.InvalidRequest(
                "A simple model serves chats only.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(id),
            )
        }
        emit(Delta.Start(null, id))
        val prompt = request.messages.lastOrNull { it.role == Role.USER }?.text.orEmpty()
        val text = runUserFunction(id.toString(), request.context) { answer.apply(prompt) }
        if (text.isNotEmpty()) emit(Delta.Text(text))
        emit(Delta.Finish(FinishReason.STOP, null))
    }

    override fun toString(): String = id.toString()
}
