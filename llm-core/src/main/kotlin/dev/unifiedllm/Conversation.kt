package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.LedgerRow
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import java.io.UncheckedIOException
import java.nio.file.Path
import java.util.function.Consumer

/**
 * Several turns with one model. Each turn sends the messages of the turns before it.
 *
 * A turn reads the history when its call starts. When the call ends well, it adds its own messages and those of the response; a failed or cancelled turn
 * leaves the history unchanged. A turn that starts while another one runs waits for it; a tool of a turn must therefore not ask the same conversation.
 *
 * The history keeps text, reasoning and tool calls of a response, but not its media: many APIs refuse an image in a message of the model. A response with
 * media has a warning that says so. To send an image back, add it to a later turn: `ask { user("…") { image(url) } }`.
 */
public class Conversation internal constructor(
    private val client: () -> Client,
    private val settings: ChatRequest,
    past: Past,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {

    private val turn = Mutex()

    @Volatile
    private var past = past

    /** The model of the next turn, as it was named. */
    @get:JvmName("model")
    public val model: ModelId get() = settings.model

    /** All messages so far, the system message included. */
    @get:JvmName("messages")
    public val messages: List<Message> get() = past.messages

    /** The sum of the known costs of its turns. The made-up costs of demo models do not count. */
    @get:JvmName("cost")
    public val cost: Usd get() = past.cost

    /** The number of turns whose cost is unknown, those that were cut included; [cost] does not include them. */
    @get:JvmName("unknownCosts")
    public val unknownCosts: Int get() = past.unknownCosts

    /** The sum of the tokens of its turns; null if none has reported them. Each turn counts the history that it sent. */
    @get:JvmName("usage")
    public val usage: Usage? get() = past.usage

    /** The number of turns that did not report their tokens, those that were cut included; [usage] does not include them. */
    @get:JvmName("unknownUsages")
    public val unknownUsages: Int get() = past.unknownUsages

    /** The next turn, not yet sent. [Reply.again] of it sends the history of that moment. */
    public fun ask(prompt: String): Reply = turn { user(prompt) }

    /** The next turn, with messages and settings of its own. */
    @JvmSynthetic
    public fun ask(block: ChatRequestBuilder.() -> Unit): Reply = turn(block)

    /** The next turn, with messages and settings of its own. */
    public fun ask(block: Consumer<ChatRequestBuilder>): Reply = turn { block.accept(this) }

    /** Another conversation with the same history, usage and cost. */
    public fun fork(): Conversation = Conversation(client, settings, past, FromKotlin.CALL)

    /**
     * Another conversation with the same history, usage and cost that goes on with [model], "provider/model".
     *
     * The history is translated for it. Signatures, which only their provider accepts, are left out with a warning. The settings that all turns share stay, but
     * for the key; at another provider, extra headers, query parameters and provider options are dropped as well.
     */
    public fun with(model: String): Conversation = with(ModelId.parse(model))

    /** [with] for a Model, or for the id of one. */
    public fun with(model: ModelRef): Conversation {
        val isOfProvider = sharesProvider(settings.modelRef, model)
        return Conversation(client, settings.withModel(model, isOfProvider, keepsKey = false), past, FromKotlin.CALL)
    }

    /**
     * Another conversation with a history of at most [maxTokens], by an estimate: without its oldest turns.
     *
     * System messages stay, and so does the newest turn, even if it is longer. A turn is dropped whole: the user's messages, the responses, the tool calls with
     * their results. The tools that all turns share count too. Usage and cost stay those of all turns.
     *
     * @throws IllegalArgumentException if [maxTokens] is not positive
     */
    public fun trim(maxTokens: Int): Conversation {
        require(maxTokens > 0) { "maxTokens must be positive, was $maxTokens" }
        val now = past
        val estimate = TokenEstimate.forModel(settings.model.name)
        val kept = trimmed(now.messages, maxTokens - estimate.ofTools(settings.tools)) { estimate.of(it) }
        return Conversation(client, settings, now.with(kept), FromKotlin.CALL)
    }

    /**
     * The conversation as JSON: messages with their media and signatures, usage and cost, and the name of the model. Settings and keys are not in it.
     *
     * The format has a version; a later release reads what an earlier one wrote.
     */
    public fun toJson(): String = ConversationJson.write(settings.model, past)

    /** Writes [toJson] to [file], which is replaced as a whole. @throws UncheckedIOException if it cannot be written */
    public fun save(file: Path): Unit = writeWhole(file, toJson())

    /** The model and the number of messages. */
    override fun toString(): String = "Conversation($model, ${messages.size} messages)"

    private fun turn(block: ChatRequestBuilder.() -> Unit): Reply {
        val own = settings.withMessages(emptyList()).with(block) // a mistake of the caller's is thrown here, and the block runs once
        return newReply(client, own) { client, type -> client.prepare(own.modelRef, own.answering(type), withHistory(own)) }
    }

    /** The link that sends the history with [own] and adds to it what the turn brought. The wait for the turn before counts in the total deadline. */
    private fun withHistory(own: ChatRequest) = Interceptor { request, next ->
        linkFlow {
            turn.withLock {
                val fold = ResponseFold()
                var finish: Delta.Finish? = null
                var isDone = false
                try {
                    next.stream(own.withMessages(past.messages + own.messages).withContext(request.context)).collect { delta ->
                        fold.add(delta)
                        if (delta is Delta.Finish) {
                            finish = delta
                            notKept(fold.media)?.let { emit(Delta.Warning(it)) }
                        }
                        emit(delta)
                    }
                    isDone = true
                } finally {
                    if (!isDone && fold.start != null) past = past.withUnknown(isDemo(fold))
                }
                finish?.let { add(own, fold, it) } // after the end: a call that fails after its finish leaves the history unchanged
            }
        }
    }

    private fun add(own: ChatRequest, fold: ResponseFold, finish: Delta.Finish) {
        val cost = finish.cost
        val spent = (cost as? Cost.Known)?.amount.takeUnless { isDemo(fold) } ?: Usd.ZERO
        past = past.plus(own.messages + fold.response().messages, spent, cost is Cost.Unknown, finish.usage)
    }

    private fun isDemo(fold: ResponseFold) = fold.start?.model?.provider == LedgerRow.DEMO

    public companion object {
        /**
         * The conversation that [save] wrote to [file], by [Llm.default]. Its settings are none; `llm.conversation(file) { }` sets them.
         *
         * @throws UncheckedIOException if it cannot be read
         * @throws LlmException.Configuration if it is no conversation, or was written by a later release in a form that this one does not know
         */
        @JvmStatic
        public fun load(file: Path): Conversation = fromJson(readWhole(file))

        /** The conversation that [toJson] wrote, by [Llm.default]. @throws LlmException.Configuration as [load] does */
        @JvmStatic
        public fun fromJson(json: String): Conversation = savedConversation({ Llm.default.client }, json) { }
    }
}

/** The warning that the history does not keep [media] of a response; null if there are none. */
private fun notKept(media: List<Delta.Media>): String? {
    if (media.isEmpty()) return null
    val types = media.map { it.mediaType }.distinct().joinToString()
    val problem = "the history of the conversation does not keep the media of this response ($types): many APIs refuse them in messages of the model"
    if (media.none { it.mediaType.startsWith("image/") }) return problem
    return "$problem. To send an image back, add it to a later turn by its url in `media`: " +
        "user(\"…\") { image(url) } (Kotlin), user(\"…\", u -> u.image(url)) (Java)"
}

/** The turns of a conversation so far. */
internal class Past(
    val messages: List<Message>,
    val cost: Usd,
    val unknownCosts: Int = 0,
    val usage: Usage? = null,
    val unknownUsages: Int = 0,
) {
    fun with(messages: List<Message>): Past = Past(messages, cost, unknownCosts, usage, unknownUsages)

    /** With a turn that was cut. @param isFree true if it cost nothing */
    fun withUnknown(isFree: Boolean): Past = Past(messages, cost, if (isFree) unknownCosts else unknownCosts + 1, usage, unknownUsages + 1)

    /** @param used null if it was not reported */
    fun plus(turn: List<Message>, spent: Usd, isCostUnknown: Boolean, used: Usage?): Past = Past(
        messages + turn,
        cost + spent,
        if (isCostUnknown) unknownCosts + 1 else unknownCosts,
        if (used == null) usage else usage?.plus(used) ?: used,
        if (used == null) unknownUsages + 1 else unknownUsages,
    )
}

/** @param settings what all turns share; its messages are the beginning of the history */
internal fun newConversation(client: () -> Client, settings: ChatRequest): Conversation =
    Conversation(client, settings, Past(settings.messages, Usd.ZERO), FromKotlin.CALL)

/** @param json what [Conversation.toJson] wrote @param block sets what all turns share; messages it adds come behind the history */
internal fun savedConversation(client: () -> Client, json: String, block: ChatRequestBuilder.() -> Unit): Conversation {
    val (model, past) = ConversationJson.read(json)
    val settings = ChatRequest.build(model, block)
    return Conversation(client, settings, past.with(past.messages + settings.messages), FromKotlin.CALL)
}

/** The conversation in [file], whose turns are calls of the client that is the default then. */
@InternalLlmApi
@JvmSynthetic
public fun defaultConversation(file: Path, block: ChatRequestBuilder.() -> Unit): Conversation =
    savedConversation({ Llm.default.client }, readWhole(file), block)
