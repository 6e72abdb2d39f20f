package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import java.util.function.Consumer

/** Builds a [ChatRequest]: messages and tools are added by functions, settings are assigned. A setting that is null is left to the model. */
@LlmDsl
public class ChatRequestBuilder @InternalLlmApi constructor(model: ModelRef, from: ChatRequest?, context: CallContext? = from?.context) :
    ToolsBuilder<ChatRequestBuilder>(model, from, context) {
    @get:JvmSynthetic
    internal val messages: MutableList<Message> = from?.messages.orEmpty().toMutableList()

    @get:JvmSynthetic
    internal val stop: MutableList<String> = from?.stop.orEmpty().toMutableList()

    @get:JvmSynthetic
    internal val metadata: MutableMap<String, String> = from?.metadata.orEmpty().toMutableMap()

    @get:JvmSynthetic
    internal val extraHeaders: MutableMap<String, String> = from?.extraHeaders.orEmpty().toMutableMap()

    @get:JvmSynthetic
    internal val extraQuery: MutableMap<String, String> = from?.extraQuery.orEmpty().toMutableMap()

    /** From 0 (most predictable) to 2. @throws IllegalArgumentException if it is out of this range */
    @get:JvmSynthetic @set:JvmSynthetic
    public var temperature: Double? = from?.temperature
        set(value) {
            require(value == null || value in 0.0..MAX_TEMPERATURE) { "temperature must be between 0 and 2, was $value" }
            field = value
        }

    /** The share of probability from which tokens are sampled, from 0 to 1. @throws IllegalArgumentException if it is out of this range */
    @get:JvmSynthetic @set:JvmSynthetic
    public var topP: Double? = from?.topP
        set(value) {
            require(value == null || value in 0.0..1.0) { "topP must be between 0 and 1, was $value" }
            field = value
        }

    /** From how many of the most likely tokens one is sampled. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var topK: Int? = from?.topK
        set(value) = positive("topK", value) { field = value }

    /** The limit of output tokens, reasoning included. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxTokens: Int? = from?.maxTokens
        set(value) = positive("maxTokens", value) { field = value }

    /** Makes sampling repeatable, where the provider supports it. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var seed: Long? = from?.seed

    /** Lowers the probability of tokens that have occurred. Its range is the provider's, mostly -2 to 2, and not checked. @throws IllegalArgumentException if it is no number */
    @get:JvmSynthetic @set:JvmSynthetic
    public var presencePenalty: Double? = from?.presencePenalty
        set(value) = finite("presencePenalty", value) { field = value }

    /** Lowers the probability of tokens by how often they have occurred. Its range is the provider's, mostly -2 to 2, and not checked. @throws IllegalArgumentException if it is no number */
    @get:JvmSynthetic @set:JvmSynthetic
    public var frequencyPenalty: Double? = from?.frequencyPenalty
        set(value) = finite("frequencyPenalty", value) { field = value }

    /** How many choices. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var n: Int? = from?.n
        set(value) = positive("n", value) { field = value }

    /** The form of the text of the response. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var responseFormat: ResponseFormat? = from?.responseFormat

    /** How much a reasoning model should reason. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var reasoning: Effort? = from?.reasoning

    /** The limit of reasoning tokens, for providers that take a number. Replaces [reasoning]. @throws IllegalArgumentException if it is negative */
    @get:JvmSynthetic @set:JvmSynthetic
    public var reasoningBudget: Int? = from?.reasoningBudget
        set(value) {
            require(value == null || value >= 0) { "reasoningBudget must not be negative, was $value" }
            field = value
        }

    /** True requests the log probabilities of the output tokens. No delta carries them yet; they are in `raw` of a response in one piece. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var logprobs: Boolean? = from?.logprobs

    /** How many alternatives for each token, with [logprobs]. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var topLogprobs: Int? = from?.topLogprobs
        set(value) = positive("topLogprobs", value) { field = value }

    /** The provider's service tier, such as `flex` or `priority`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var serviceTier: String? = from?.serviceTier

    /** An identifier of the end user, which some providers use to detect abuse. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var endUser: String? = from?.endUser

    /** Whether a streamed response is requested, or one in one piece. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var delivery: Delivery = from?.delivery ?: Delivery.STREAM

    public fun system(text: String): ChatRequestBuilder = message(Message.system(text))

    public fun user(text: String): ChatRequestBuilder = message(Message.user(text))

    public fun assistant(text: String): ChatRequestBuilder = message(Message.assistant(text))

    /** The result of the tool call [id] of the tool [name]. */
    public fun toolResult(id: String, name: String, content: String): ChatRequestBuilder = message(Message.tool(Part.ToolResult(id, name, content)))

    public fun toolResult(result: Part.ToolResult): ChatRequestBuilder = message(Message.tool(result))

    public fun message(message: Message): ChatRequestBuilder = apply { messages += message }

    public fun messages(history: Iterable<Message>): ChatRequestBuilder = apply { messages += history }

    /** Messages as maps of `role` and `content`. */
    @JvmName("messageMaps")
    public fun messages(history: List<Map<String, Any?>>): ChatRequestBuilder = apply { history.mapTo(messages) { Message.of(it) } }

    /** A user message of text, images and documents. */
    @JvmSynthetic
    public fun user(text: String, block: UserMessageBuilder.() -> Unit): ChatRequestBuilder =
        message(UserMessageBuilder(text).apply(block).build())

    /** A user message of text, images and documents. */
    public fun user(text: String, block: Consumer<UserMessageBuilder>): ChatRequestBuilder = user(text) { block.accept(this) }

    /** The provider may keep the messages up to here in its prompt cache. @throws IllegalStateException if there is no message yet */
    @JvmOverloads
    public fun cacheBreakpoint(ttl: CacheTtl = CacheTtl.FIVE_MINUTES): ChatRequestBuilder = apply {
        val last = checkNotNull(messages.removeLastOrNull()) { "Call cacheBreakpoint() after at least one message: there is none yet" }
        messages += Message(last.role, last.parts + Part.CacheBreakpoint(ttl), last.name, last.model)
    }

    /** A label that the provider stores with the request. */
    public fun metadata(name: String, value: String): ChatRequestBuilder = apply { metadata[name] = value }

    /**
     * Sends an additional header with the request. Fallbacks at other providers are sent without it.
     *
     * @throws IllegalArgumentException if HTTP cannot carry the name or the value, or if the library sets this header itself
     */
    public fun extraHeader(name: String, value: String): ChatRequestBuilder = apply {
        require(name.isNotEmpty() && name.all { it in TOKEN }) { "\"$name\" is not the name of an HTTP header" }
        require(name.lowercase() !in CONNECTION_HEADERS) { "the header $name belongs to the connection and cannot be set" }
        require(name.lowercase() !in KEY_HEADERS) { "the header $name carries the API key: set apiKey instead" }
        val wrong = value.firstOrNull { it !in ' '..'~' && it != '	' }
        require(wrong == null) {
            "the value of the header $name has a character that HTTP headers cannot carry (U+%04X): encode it, for example with URLEncoder"
                .format(wrong!!.code)
        }
        extraHeaders[name] = value
    }

    /** Adds a query parameter to the URL. Fallbacks at other providers are sent without it. */
    public fun extraQuery(name: String, value: String): ChatRequestBuilder = apply { extraQuery[name] = value }

    @JvmSynthetic
    override fun clearOptions() {
        super.clearOptions()
        extraHeaders.clear()
        extraQuery.clear()
    }

    public fun stop(vararg texts: String): ChatRequestBuilder = apply { stop += texts }

    /** @throws IllegalArgumentException if it is not between 0 and 2 */
    public fun temperature(temperature: Double): ChatRequestBuilder = apply { this.temperature = temperature }

    /** @throws IllegalArgumentException if it is not between 0 and 1 */
    public fun topP(topP: Double): ChatRequestBuilder = apply { this.topP = topP }

    /** @throws IllegalArgumentException if it is not positive */
    public fun topK(topK: Int): ChatRequestBuilder = apply { this.topK = topK }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxTokens(tokens: Int): ChatRequestBuilder = apply { maxTokens = tokens }

    public fun seed(seed: Long): ChatRequestBuilder = apply { this.seed = seed }

    public fun presencePenalty(penalty: Double): ChatRequestBuilder = apply { presencePenalty = penalty }

    public fun frequencyPenalty(penalty: Double): ChatRequestBuilder = apply { frequencyPenalty = penalty }

    /** @throws IllegalArgumentException if it is not positive */
    public fun n(n: Int): ChatRequestBuilder = apply { this.n = n }

    public fun responseFormat(format: ResponseFormat): ChatRequestBuilder = apply { responseFormat = format }

    public fun reasoning(effort: Effort): ChatRequestBuilder = apply { reasoning = effort }

    public fun endUser(user: String): ChatRequestBuilder = apply { endUser = user }

    /** @throws IllegalArgumentException if it is negative */
    public fun reasoningBudget(tokens: Int): ChatRequestBuilder = apply { reasoningBudget = tokens }

    public fun logprobs(logprobs: Boolean): ChatRequestBuilder = apply { this.logprobs = logprobs }

    /** @throws IllegalArgumentException if it is not positive */
    public fun topLogprobs(count: Int): ChatRequestBuilder = apply { topLogprobs = count }

    public fun serviceTier(tier: String): ChatRequestBuilder = apply { serviceTier = tier }

    public fun delivery(delivery: Delivery): ChatRequestBuilder = apply { this.delivery = delivery }

    private inline fun finite(name: String, value: Double?, set: () -> Unit) {
        require(value == null || value.isFinite()) { "$name must be a number, was $value" }
        set()
    }

    private inline fun positive(name: String, value: Int?, set: () -> Unit) {
        require(value == null || value > 0) { "$name must be positive, was $value" }
        set()
    }

    private companion object {
        const val MAX_TEMPERATURE = 2.0

        /** The characters of a header's name (RFC 9110, 5.6.2). */
        val TOKEN: Set<Char> = (('a'..'z') + ('A'..'Z') + ('0'..'9') + "!#$%&'*+-.^_`|~".toList()).toSet()
        val CONNECTION_HEADERS = setOf("connection", "content-length", "content-type", "expect", "host", "transfer-encoding", "upgrade")
        val KEY_HEADERS = setOf("authorization", "x-api-key", "api-key", "x-goog-api-key")
    }
}
