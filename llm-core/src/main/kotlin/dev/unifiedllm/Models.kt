@file:JvmName("Models")

package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Role
import dev.unifiedllm.provider.AwsSettings
import dev.unifiedllm.provider.ProviderSettings
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import java.util.function.Function

/** The model called [id], bound by whichever client it is used on. */
@JvmName("named")
public fun model(id: String): Model = UnboundModel(ModelId.parse(id))

/** A model that asks [models] in turn, until one delivers its first content. */
public fun firstOf(vararg models: String): Model = ChainModel(models.map(ModelId::parse))

/** A model that asks [models] in turn, until one delivers its first content. */
public fun firstOf(vararg models: Model): Model = ChainModel(models.toList())

/** A model of your own that answers a prompt, the last thing that the user said, with what [answer] returns. It is not billed. */
public fun simple(answer: Function<String, String>): Model = FunctionModel(answer)

/**
 * The model [name] of [provider]: a key and a base URL given here go before the client's. A provider's prefix inside of [name] wins.
 *
 * @param systemMessage put before the messages of every request
 */
@InternalLlmApi
public fun providerModel(provider: String, name: String, apiKey: String?, baseUrl: String?, systemMessage: String?): Model =
    UnboundModel(
        ModelId(provider, name),
        ProviderSettings(apiKey?.let(ApiKey::of), baseUrl, systemMessage = systemMessage),
        acceptsProviderPrefix =
        baseUrl == null,
    )

/** The model [name] of Amazon Bedrock: what is given here goes before the client's and the environment's. `bedrock/` may stand before the name. */
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
    require(apiKey == null || !aws.isIdentity) { "either an API key, or AWS's keys, or a profile say who asks" }
    return UnboundModel(
        ModelId("bedrock", name.removePrefix("bedrock/")),
        ProviderSettings(apiKey?.let(ApiKey::of), baseUrl, systemMessage = systemMessage, aws = aws),
        acceptsProviderPrefix = baseUrl == null,
    )
}

/**
 * Names a target; the client on which it is used finds it when the call starts.
 *
 * @property acceptsProviderPrefix made by a provider's function, which takes other providers' names as well
 */
internal class UnboundModel(
    override val id: ModelId,
    val settings: ProviderSettings = ProviderSettings(),
    val acceptsProviderPrefix: Boolean = false,
) : Model {
    override fun stream(request: Request): Flow<Delta> = Llm.default.open(this, request)

    override fun toString(): String = id.toString()
}

internal class ChainModel(val members: List<ModelRef>) : Model {
    init {
        require(members.isNotEmpty()) { "firstOf needs at least one model" }
    }

    override val id: ModelId get() = members.first().id

    override fun stream(request: Request): Flow<Delta> = Llm.default.open(this, request)

    override fun toString(): String = members.joinToString(", ", "firstOf(", ")")
}

/** The default model: which one it is, is looked up when the call starts. */
internal object DefaultModel : ModelRef {
    override val id: ModelId = ModelId("", "(default model)")
}

private class FunctionModel(private val answer: Function<String, String>) : Model {
    override val id: ModelId = ModelId("simple", "function")

    override fun stream(request: Request): Flow<Delta> = flow {
        if (request !is ChatRequest) {
            throw LlmException.InvalidRequest(
                "A simple model answers chats only.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(id),
            )
        }
        emit(Delta.Start(null, id))
        val text = answer.apply(request.messages.lastOrNull { it.role == Role.USER }?.text.orEmpty())
        if (text.isNotEmpty()) emit(Delta.Text(text))
        emit(Delta.Finish(FinishReason.STOP, null))
    }

    override fun toString(): String = id.toString()
}
