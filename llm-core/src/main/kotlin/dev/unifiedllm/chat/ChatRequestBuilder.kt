package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import kotlinx.serialization.json.JsonObject
import java.util.function.Consumer

/** Says what to ask and by which rules: messages by verbs, settings by name. */
@LlmDsl
public class ChatRequestBuilder @InternalLlmApi constructor(
    internal val model: ModelId,
    from: ChatRequest?,
    context: CallContext? = null,
) {
    internal val messages: MutableList<Message> = from?.messages.orEmpty().toMutableList()
    internal val tools: MutableList<Tool> = from?.tools.orEmpty().toMutableList()
    internal val stop: MutableList<String> = from?.stop.orEmpty().toMutableList()
    internal val metadata: MutableMap<String, String> = from?.metadata.orEmpty().toMutableMap()
    internal val extraHeaders: MutableMap<String, String> = from?.extraHeaders.orEmpty().toMutableMap()
    internal val extraQuery: MutableMap<String, String> = from?.extraQuery.orEmpty().toMutableMap()
    internal var providerOptions: JsonObject = from?.providerOptions ?: JsonObject(emptyMap())
    private val call = CallContext.Builder(context ?: from?.context)

    @get:JvmSynthetic @set:JvmSynthetic
    public var toolChoice: ToolChoice? = from?.toolChoice

    @get:JvmSynthetic @set:JvmSynthetic
    public var temperature: Double? = from?.temperature
        set(value) {
            require(value == null || value in 0.0..MAX_TEMPERATURE) { "temperature is between 0 and 2, was $value" }
            field = value
        }

    @get:JvmSynthetic @set:JvmSynthetic
    public var topP: Double? = from?.topP
        set(value) {
            require(value == null || value in 0.0..1.0) { "topP is between 0 and 1, was $value" }
            field = value
        }

    @get:JvmSynthetic @set:JvmSynthetic
    public var topK: Int? = from?.topK
        set(value) = positive("topK", value) { field = value }

    @get:JvmSynthetic @set:JvmSynthetic
    public var maxTokens: Int? = from?.maxTokens
        set(value) = positive("maxTokens", value) { field = value }

    @get:JvmSynthetic @set:JvmSynthetic
    public var seed: Long? = from?.seed

    @get:JvmSynthetic @set:JvmSynthetic
    public var presencePenalty: Double? = from?.presencePenalty

    @get:JvmSynthetic @set:JvmSynthetic
    public var frequencyPenalty: Double? = from?.frequencyPenalty

    @get:JvmSynthetic @set:JvmSynthetic
    public var n: Int? = from?.n
        set(value) = positive("n", value) { field = value }

    @get:JvmSynthetic @set:JvmSynthetic
    public var responseFormat: ResponseFormat? = from?.responseFormat

    @get:JvmSynthetic @set:JvmSynthetic
    public var reasoning: Effort? = from?.reasoning

    @get:JvmSynthetic @set:JvmSynthetic
    public var reasoningBudget: Int? = from?.reasoningBudget
        set(value) {
            require(value == null || value >= 0) { "reasoningBudget is not negative, was $value" }
            field = value
        }

    @get:JvmSynthetic @set:JvmSynthetic
    public var logprobs: Boolean? = from?.logprobs

    @get:JvmSynthetic @set:JvmSynthetic
    public var topLogprobs: Int? = from?.topLogprobs
        set(value) = positive("topLogprobs", value) { field = value }

    @get:JvmSynthetic @set:JvmSynthetic
    public var serviceTier: String? = from?.serviceTier

    @get:JvmSynthetic @set:JvmSynthetic
    public var parallelToolCalls: Boolean? = from?.parallelToolCalls

    /** True: an option that a model or its wire lacks is an InvalidRequest instead of a warning. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var strict: Boolean by call::strict

    /** A label for the person behind the call, which some providers use against abuse. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var endUser: String? = from?.endUser

    @get:JvmSynthetic @set:JvmSynthetic
    public var delivery: Delivery = from?.delivery ?: Delivery.STREAM

    /** What the call is for; a route may choose the model by it. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var task: String? by call::task

    /** False: only the model itself is asked, whatever fallbacks are set. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var enableFallback: Boolean? by call::enableFallback

    /** For the first model, instead of the client's key. Reading it back gives `***`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var apiKey: String?
        get() = call.apiKey?.toString()
        set(value) {
            call.apiKey = value?.let(ApiKey::of)
        }

    public fun system(text: String): ChatRequestBuilder = message(Message.system(text))

    public fun user(text: String): ChatRequestBuilder = message(Message.user(text))

    public fun assistant(text: String): ChatRequestBuilder = message(Message.assistant(text))

    /** The result of the tool call [id]. */
    public fun tool(id: String, name: String, content: String): ChatRequestBuilder = message(Message.tool(Part.ToolResult(id, name, content)))

    public fun message(message: Message): ChatRequestBuilder = apply { messages += message }

    public fun messages(history: Iterable<Message>): ChatRequestBuilder = apply { messages += history }

    /** A history of `role` and `content` maps. */
    @JvmName("messageMaps")
    public fun messages(history: List<Map<String, Any?>>): ChatRequestBuilder = apply { history.mapTo(messages) { Message.of(it) } }

    /** A turn of text and images. */
    @JvmSynthetic
    public fun user(text: String, block: UserMessageBuilder.() -> Unit): ChatRequestBuilder =
        message(UserMessageBuilder(text).apply(block).build())

    /** A turn of text and images. */
    public fun user(text: String, block: Consumer<UserMessageBuilder>): ChatRequestBuilder = user(text) { block.accept(this) }

    /** Offers [tool] to the model; its calls come back in the answer. */
    public fun tool(tool: Tool): ChatRequestBuilder = apply { tools += tool }

    /** Everything said so far may be kept in the provider's prompt cache. @throws IllegalStateException if nothing has been said yet */
    @JvmOverloads
    public fun cacheBreakpoint(ttl: CacheTtl = CacheTtl.FIVE_MINUTES): ChatRequestBuilder = apply {
        val last = checkNotNull(messages.removeLastOrNull()) { "cacheBreakpoint() stands after the message up to which the prompt may be cached" }
        messages += Message(last.role, last.parts + Part.CacheBreakpoint(ttl), last.name, last.model)
    }

    /** A label that the provider stores with the request. */
    public fun metadata(name: String, value: String): ChatRequestBuilder = apply { metadata[name] = value }

    /** A header of your own. */
    public fun extraHeader(name: String, value: String): ChatRequestBuilder = apply {
        require(name.isNotEmpty() && name.all { it.isLetterOrDigit() || it in "-_" }) { "\"$name\" is not the name of a header" }
        require(name.lowercase() !in CONNECTION_HEADERS) { "the header $name belongs to the connection and is not set by hand" }
        require(name.lowercase() !in KEY_HEADERS) { "the key's header is not set so: use apiKey" }
        require(value.none { it.isISOControl() }) { "the header $name has a line break or a control character in its value" }
        extraHeaders[name] = value
    }

    /** A parameter of your own in the URL. */
    public fun extraQuery(name: String, value: String): ChatRequestBuilder = apply { extraQuery[name] = value }

    public fun stop(vararg texts: String): ChatRequestBuilder = apply { stop += texts }

    /** Asks these in turn if the model fails before its first content. */
    public fun fallback(vararg models: String): ChatRequestBuilder = apply { models.mapTo(call.fallbacks) { ModelId.parse(it) } }

    /** Asks these in turn if the model fails before its first content. */
    public fun fallback(vararg models: ModelRef): ChatRequestBuilder = apply { call.fallbacks += models }

    public fun tag(vararg tags: String): ChatRequestBuilder = apply { call.tags += tags }

    @JvmSynthetic
    public fun timeouts(block: Timeouts.Builder.() -> Unit): ChatRequestBuilder =
        apply { call.timeouts = Timeouts.Builder(call.timeouts).apply(block).build() }

    public fun timeouts(block: Consumer<Timeouts.Builder>): ChatRequestBuilder = timeouts { block.accept(this) }

    /** Fields of the provider's own, sent as they are after everything else. */
    @JvmSynthetic
    public fun providerOptions(block: ProviderOptionsBuilder.() -> Unit): ChatRequestBuilder =
        apply { providerOptions = ProviderOptionsBuilder(providerOptions).apply(block).build() }

    public fun providerOptions(block: Consumer<ProviderOptionsBuilder>): ChatRequestBuilder = providerOptions { block.accept(this) }

    public fun toolChoice(choice: ToolChoice): ChatRequestBuilder = apply { toolChoice = choice }

    public fun temperature(temperature: Double): ChatRequestBuilder = apply { this.temperature = temperature }

    public fun topP(topP: Double): ChatRequestBuilder = apply { this.topP = topP }

    public fun topK(topK: Int): ChatRequestBuilder = apply { this.topK = topK }

    public fun maxTokens(tokens: Int): ChatRequestBuilder = apply { maxTokens = tokens }

    public fun seed(seed: Long): ChatRequestBuilder = apply { this.seed = seed }

    public fun presencePenalty(penalty: Double): ChatRequestBuilder = apply { presencePenalty = penalty }

    public fun frequencyPenalty(penalty: Double): ChatRequestBuilder = apply { frequencyPenalty = penalty }

    public fun n(n: Int): ChatRequestBuilder = apply { this.n = n }

    public fun responseFormat(format: ResponseFormat): ChatRequestBuilder = apply { responseFormat = format }

    public fun reasoning(effort: Effort): ChatRequestBuilder = apply { reasoning = effort }

    public fun endUser(user: String): ChatRequestBuilder = apply { endUser = user }

    public fun reasoningBudget(tokens: Int): ChatRequestBuilder = apply { reasoningBudget = tokens }

    public fun logprobs(logprobs: Boolean): ChatRequestBuilder = apply { this.logprobs = logprobs }

    public fun topLogprobs(count: Int): ChatRequestBuilder = apply { topLogprobs = count }

    public fun serviceTier(tier: String): ChatRequestBuilder = apply { serviceTier = tier }

    public fun parallelToolCalls(parallel: Boolean): ChatRequestBuilder = apply { parallelToolCalls = parallel }

    public fun strict(strict: Boolean): ChatRequestBuilder = apply { this.strict = strict }

    public fun delivery(delivery: Delivery): ChatRequestBuilder = apply { this.delivery = delivery }

    public fun task(task: String): ChatRequestBuilder = apply { this.task = task }

    public fun enableFallback(enable: Boolean): ChatRequestBuilder = apply { enableFallback = enable }

    public fun apiKey(key: String): ChatRequestBuilder = apply { apiKey = key }

    internal fun context(): CallContext = call.build()

    private inline fun positive(name: String, value: Int?, set: () -> Unit) {
        require(value == null || value > 0) { "$name must be positive, was $value" }
        set()
    }

    private companion object {
        const val MAX_TEMPERATURE = 2.0
        val CONNECTION_HEADERS = setOf("connection", "content-length", "content-type", "expect", "host", "transfer-encoding", "upgrade")
        val KEY_HEADERS = setOf("authorization", "x-api-key", "api-key", "x-goog-api-key")
    }
}
