package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.LedgerRow
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import java.util.function.Consumer

/**
 * Several turns with one model. Each turn sends the messages of the turns before it.
 *
 * A turn reads the history when its call starts. When the call ends well, it adds its own messages and those of the response; a failed or cancelled turn
 * leaves the history unchanged. A turn that starts while another one runs waits for it.
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

    /** All messages so far, the system message included. */
    @get:JvmName("messages")
    public val messages: List<Message> get() = past.messages

    /** The sum of the known costs of its turns. The made-up costs of demo models do not count. */
    @get:JvmName("cost")
    public val cost: Usd get() = past.cost

    /** The number of turns whose cost is unknown, those that were cut included; [cost] does not include them. */
    @get:JvmName("unknownCosts")
    public val unknownCosts: Int get() = past.unknownCosts

    /** The next turn, not yet sent. [Reply.again] of it sends the history of that moment. */
    public fun ask(prompt: String): Reply = turn { user(prompt) }

    /** The next turn, with messages and settings of its own. */
    @JvmSynthetic
    public fun ask(block: ChatRequestBuilder.() -> Unit): Reply = turn(block)

    /** The next turn, with messages and settings of its own. */
    public fun ask(block: Consumer<ChatRequestBuilder>): Reply = turn { block.accept(this) }

    /** Another conversation with the same history and cost. */
    public fun fork(): Conversation = Conversation(client, settings, past, FromKotlin.CALL)

    private fun turn(block: ChatRequestBuilder.() -> Unit): Reply {
        val own = settings.withMessages(emptyList()).with(block) // a mistake of the caller's is thrown here, and the block runs once
        return newReply(client, settings.model) { client -> client.prepare(own.modelRef, own, withHistory(own)) }
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
                    if (!isDone && fold.start != null && !isDemo(fold)) past = past.withUnknownCost()
                }
                finish?.let { add(own, fold, it.cost) } // after the end: a call that fails after its finish leaves the history unchanged
            }
        }
    }

    private fun add(own: ChatRequest, fold: ResponseFold, cost: Cost) {
        val spent = (cost as? Cost.Known)?.amount.takeUnless { isDemo(fold) } ?: Usd.ZERO
        val unknown = if (cost is Cost.Unknown) 1 else 0
        past = Past(past.messages + own.messages + fold.response().messages, past.cost + spent, past.unknownCosts + unknown)
    }

    private fun isDemo(fold: ResponseFold) = fold.start?.model?.provider == LedgerRow.DEMO
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
internal class Past(val messages: List<Message>, val cost: Usd, val unknownCosts: Int = 0) {
    fun withUnknownCost(): Past = Past(messages, cost, unknownCosts + 1)
}

/** @param settings what all turns share; its messages are the beginning of the history */
internal fun newConversation(client: () -> Client, settings: ChatRequest): Conversation =
    Conversation(client, settings, Past(settings.messages, Usd.ZERO), FromKotlin.CALL)
