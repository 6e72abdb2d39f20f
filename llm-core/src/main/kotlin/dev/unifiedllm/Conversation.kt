package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.chat.Usd
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import java.util.function.Consumer

/**
 * Several turns with one model, of which each sends what was said before.
 *
 * A turn reads the history when its call starts, and adds the question and the answer to it when that ends well: a failed or cancelled turn
 * leaves it as it was. One that is started while another runs waits for it.
 */
public class Conversation internal constructor(
    private val llm: Llm,
    private val model: ModelRef,
    private val settings: ChatRequest,
) {
    private val turn = Mutex()

    @Volatile
    private var history: List<Message> = settings.messages

    @Volatile
    private var spent: Usd = Usd.ZERO

    /** Everything said so far, the system message included. */
    @get:JvmName("messages")
    public val messages: List<Message> get() = history

    /** The sum of the known costs of its turns. */
    @get:JvmName("cost")
    public val cost: Usd get() = spent

    /** The next turn: sent when it is first asked for. [Reply.again] asks once more with the history of that moment. */
    public fun ask(prompt: String): Reply = turn { user(prompt) }

    /** The next turn, with messages and settings of its own. */
    @JvmSynthetic
    public fun ask(block: ChatRequestBuilder.() -> Unit): Reply = turn(block)

    public fun ask(block: Consumer<ChatRequestBuilder>): Reply = turn { block.accept(this) }

    /** Another conversation with the same past. */
    public fun fork(): Conversation = Conversation(llm, model, settings).also {
        it.history = history
        it.spent = spent
    }

    private fun turn(block: ChatRequestBuilder.() -> Unit): Reply {
        val question = settings.withMessages(emptyList()).with(block) // a mistake of the caller's is thrown here, and the block runs once
        return llm.reply(
            model.id,
            flow {
                turn.withLock {
                    val request = question.withMessages(history + question.messages)
                    val fold = ResponseFold()
                    llm.open(model, request).collect { delta ->
                        fold.add(delta)
                        if (delta is Delta.Finish) {
                            history = history + question.messages + fold.response().toMessage()
                            (delta.cost as? Cost.Known)?.let { spent += it.amount }
                        }
                        emit(delta)
                    }
                }
            },
        )
    }
}
