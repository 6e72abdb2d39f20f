package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseFormat

/**
 * The tokens of a request, before it is sent.
 *
 * @property count all input tokens: messages, tools, and what the provider adds
 * @property isEstimated false if the provider counted, with the tokenizer of the model
 * @property source who counted: the provider, as in `anthropic`, or how the count was estimated, as in `jtokkit o200k_base` or `UTF-8 bytes / 4`
 */
public class TokenCount internal constructor(
    @get:JvmName("count") public val count: Long,
    @get:JvmName("isEstimated") public val isEstimated: Boolean,
    @get:JvmName("source") public val source: String,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    override fun equals(other: Any?): Boolean =
        other is TokenCount && count == other.count && isEstimated == other.isEstimated && source == other.source

    override fun hashCode(): Int = count.hashCode() * 31 + source.hashCode()

    override fun toString(): String = "${if (isEstimated) "about " else ""}$count tokens ($source)"
}

/** A count of the tokens of [request] by the client that [client] gives when the call is sent. */
internal fun tokenCount(client: () -> Client, request: ChatRequest): Call<TokenCount> = QueryCall(client, request) { it.count(request) }

/**
 * An estimate of the tokens of [request].
 *
 * @param model the model's name, of which the tokenizer depends
 * @param systemMessage that of the model, which is sent before the messages; null for none
 */
internal fun estimatedTokens(request: ChatRequest, model: String, systemMessage: String?): TokenCount {
    val estimate = TokenEstimate.forModel(model)
    val messages = estimate.of(listOfNotNull(systemMessage?.let(Message::system)) + request.messages)
    val schema = (request.responseFormat as? ResponseFormat.JsonSchema)?.let { estimate.of("${it.schema}") } ?: 0
    return TokenCount(messages + estimate.ofTools(request.tools) + schema, true, estimate.source, FromKotlin.CALL)
}

/** The models of [provider] by the client that [client] gives when the call is sent. */
internal fun modelList(client: () -> Client, provider: String): Call<List<ModelInfo>> {
    require(provider.isNotBlank()) { "models needs the name of a provider, as in models(\"groq\")" }
    val any = ModelId.parse("$provider/${ProviderQueries.ANY_MODEL}")
    return QueryCall(client, ChatRequest.build(any) { }) { it.models(any) }
}

/** A count of tokens by the client that is the default when the call is sent. */
@InternalLlmApi
@JvmSynthetic
public fun defaultTokenCount(request: ChatRequest): Call<TokenCount> = tokenCount({ Llm.default.client }, request)

/** The models of [provider], by the client that is the default when the call is sent. */
@InternalLlmApi
@JvmSynthetic
public fun defaultModelList(provider: String): Call<List<ModelInfo>> = modelList({ Llm.default.client }, provider)
