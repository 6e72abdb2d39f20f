package dev.unifiedllm.chat

import kotlinx.serialization.json.JsonObject
import java.util.function.Consumer

/** How much a reasoning model should reason. */
public enum class Effort { NONE, MINIMAL, LOW, MEDIUM, HIGH, MAX }

/** STREAM requests a streamed response, WHOLE a response in one piece. Both arrive as the same deltas. */
public enum class Delivery { STREAM, WHOLE }

/** The form of the text of the response. */
public sealed class ResponseFormat {
    public data object Text : ResponseFormat()

    /** Any JSON object. */
    public data object Json : ResponseFormat()

    /** JSON that follows [schema]. @property isStrict false for a schema outside the subset that the provider can enforce */
    public data class JsonSchema @JvmOverloads constructor(
        @get:JvmName("name") public val name: String,
        @get:JvmName("schema") public val schema: JsonObject,
        @get:JvmName("isStrict") public val isStrict: Boolean = true,
    ) : ResponseFormat()

    public companion object {
        /** JSON that follows [schema], a JSON schema as text. @throws IllegalArgumentException if it is not the text of a JSON object */
        @JvmStatic
        public fun jsonSchema(name: String, schema: String): ResponseFormat = JsonSchema(name, jsonObject(schema, "the schema $name"))
    }
}

/**
 * A request to a chat model. Null always means: left to the model.
 *
 * Built by [build], changed by [with]; the context is kept.
 */
public class ChatRequest private constructor(builder: ChatRequestBuilder) : Request(builder.model, builder.context()) {
    @get:JvmName("messages")
    public val messages: List<Message> = builder.messages.toList()

    @get:JvmName("tools")
    public val tools: List<Tool> = builder.tools.toList()

    @get:JvmName("toolChoice")
    public val toolChoice: ToolChoice? = builder.toolChoice

    /** From 0 (most predictable) to 2. */
    @get:JvmName("temperature")
    public val temperature: Double? = builder.temperature

    /** The share of probability from which tokens are sampled, from 0 to 1. */
    @get:JvmName("topP")
    public val topP: Double? = builder.topP

    /** From how many of the most likely tokens one is sampled. */
    @get:JvmName("topK")
    public val topK: Int? = builder.topK

    /** The limit of output tokens, reasoning included. */
    @get:JvmName("maxTokens")
    public val maxTokens: Int? = builder.maxTokens

    /** Texts at which the model stops. */
    @get:JvmName("stop")
    public val stop: List<String> = builder.stop.toList()

    @get:JvmName("seed")
    public val seed: Long? = builder.seed

    @get:JvmName("presencePenalty")
    public val presencePenalty: Double? = builder.presencePenalty

    @get:JvmName("frequencyPenalty")
    public val frequencyPenalty: Double? = builder.frequencyPenalty

    /** How many choices. */
    @get:JvmName("n")
    public val n: Int? = builder.n

    @get:JvmName("responseFormat")
    public val responseFormat: ResponseFormat? = builder.responseFormat

    @get:JvmName("reasoning")
    public val reasoning: Effort? = builder.reasoning

    /** An identifier of the end user, which some providers use to detect abuse. */
    @get:JvmName("endUser")
    public val endUser: String? = builder.endUser

    /** The limit of reasoning tokens, for providers that take a number. Replaces [reasoning]. */
    @get:JvmName("reasoningBudget")
    public val reasoningBudget: Int? = builder.reasoningBudget

    /** True requests the log probabilities of the output tokens. No delta carries them yet; they are in `raw` of a response in one piece. */
    @get:JvmName("logprobs")
    public val logprobs: Boolean? = builder.logprobs

    /** How many alternatives for each token, with [logprobs]. */
    @get:JvmName("topLogprobs")
    public val topLogprobs: Int? = builder.topLogprobs

    /** The provider's service tier, such as `flex` or `priority`. */
    @get:JvmName("serviceTier")
    public val serviceTier: String? = builder.serviceTier

    /** False: at most one tool call per response. */
    @get:JvmName("parallelToolCalls")
    public val parallelToolCalls: Boolean? = builder.parallelToolCalls

    /** Labels that the provider stores with the request. */
    @get:JvmName("metadata")
    public val metadata: Map<String, String> = builder.metadata.toMap()

    /** Additional headers. They replace ours of the same name. */
    @get:JvmName("extraHeaders")
    public val extraHeaders: Map<String, String> = builder.extraHeaders.toMap()

    /** Additional query parameters of the URL. */
    @get:JvmName("extraQuery")
    public val extraQuery: Map<String, String> = builder.extraQuery.toMap()

    /** Additional fields of the request body, sent as they are. */
    @get:JvmName("providerOptions")
    public val providerOptions: JsonObject = builder.providerOptions

    @get:JvmName("delivery")
    public val delivery: Delivery = builder.delivery

    /** A copy with the changes that [block] makes; messages and tools it adds come after those that are there. */
    @JvmSynthetic
    public fun with(block: ChatRequestBuilder.() -> Unit): ChatRequest = ChatRequest(ChatRequestBuilder(modelRef, this).apply(block))

    /** A copy with the changes that [block] makes; messages and tools it adds come after those that are there. */
    public fun with(block: Consumer<ChatRequestBuilder>): ChatRequest = ChatRequest(ChatRequestBuilder(modelRef, this).also(block::accept))

    override fun withContext(context: CallContext): ChatRequest = ChatRequest(ChatRequestBuilder(modelRef, this, context))

    @JvmSynthetic
    internal fun withMessages(messages: List<Message>): ChatRequest = ChatRequest(
        ChatRequestBuilder(modelRef, this).also {
            it.messages.clear()
            it.messages += messages
        },
    )

    /**
     * The same request to [model].
     *
     * @param isOfProvider false for a model of another provider: without the headers, query parameters and options that were set for the first
     * @param keepsKey false: without the key of the call
     */
    @JvmSynthetic
    internal fun withModel(model: ModelRef, isOfProvider: Boolean, keepsKey: Boolean): ChatRequest {
        val first = modelRef
        val own = context.with {
            if (!keepsKey) apiKey = null
            settingsFor = if (isOfProvider) settingsFor ?: first else null
        }
        return ChatRequest(ChatRequestBuilder(model, this, own).also { if (!isOfProvider) it.clearOptions() })
    }

    private fun fields() = listOf(
        model, messages, tools, toolChoice, temperature, topP, topK, maxTokens, stop, seed,
        presencePenalty, frequencyPenalty, n, responseFormat, reasoning, reasoningBudget, logprobs, topLogprobs, serviceTier,
        parallelToolCalls, metadata, extraHeaders, extraQuery, endUser, providerOptions, delivery,
    )

    /** Equal in what is sent; the context does not count. */
    override fun equals(other: Any?): Boolean = other is ChatRequest && fields() == other.fields()

    override fun hashCode(): Int = fields().hashCode()

    override fun toString(): String = "ChatRequest($model, ${messages.size} messages)"

    public companion object {
        /** @throws IllegalArgumentException if [model] is not a model's name, or a setting is out of its range */
        @JvmSynthetic
        public fun build(model: String, block: ChatRequestBuilder.() -> Unit): ChatRequest = build(ModelId.parse(model), block)

        @JvmStatic
        public fun build(model: String, block: Consumer<ChatRequestBuilder>): ChatRequest = build(ModelId.parse(model)) { block.accept(this) }

        /** A request to [model]: an id or a Model. */
        @JvmSynthetic
        public fun build(model: ModelRef, block: ChatRequestBuilder.() -> Unit): ChatRequest =
            ChatRequest(ChatRequestBuilder(model, null).apply(block))

        @JvmStatic
        public fun build(model: ModelRef, block: Consumer<ChatRequestBuilder>): ChatRequest = build(model) { block.accept(this) }
    }
}
