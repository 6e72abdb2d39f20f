package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.consumeAsFlow
import kotlinx.coroutines.future.future
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.CompletableFuture

/** A call that shows itself in a cell while it runs. */
internal interface FollowedCall {
    /** @throws Throwable what the call fails with, after it is shown */
    suspend fun follow(output: CellOutput)
}

/**
 * The next answer of a chat widget, asked for by code. The first terminal sends it, once; it waits for an answer that is being written.
 *
 * @param scope of the futures
 */
internal class AskCall(private val session: WidgetSession, private val message: Message, private val scope: CoroutineScope) :
    Call<ChatMessage>,
    FollowedCall {
    private val lock = Any()
    private var turn: WidgetTurn? = null
    private var waiting = 0
    private var isCancelled = false

    override suspend fun await(): ChatMessage {
        synchronized(lock) { waiting++ }
        try {
            return answer(sent().end.await())
        } catch (cancelled: CancellationException) {
            if (synchronized(lock) { waiting == 1 }) cancel()
            throw cancelled
        } finally {
            synchronized(lock) { waiting-- }
        }
    }

    override fun get(): ChatMessage = try {
        blocking { await() }
    } catch (interrupted: InterruptedException) {
        Thread.currentThread().interrupt()
        throw LlmException.Cancelled("The thread that waited for the answer was interrupted.", interrupted)
    }

    override fun toFuture(): CompletableFuture<ChatMessage> = scope.future { await() }

    override fun cancel() {
        val turn = synchronized(lock) {
            isCancelled = true
            turn
        }
        turn?.let { session.stop(it.requestId) }
    }

    override suspend fun follow(output: CellOutput) {
        val deltas = Channel<Delta>(Channel.UNLIMITED)
        val live = LiveAnswer(model, message.text)
        output.show(live.rendered())
        try {
            val turn = sent { deltas.trySend(it) }
            turn.end.invokeOnCompletion { deltas.close() }
            live.follow(deltas.consumeAsFlow(), output)
            val ended = turn.end.await()
            output.update(messageCard(ended, live.facts()))
            answer(ended)
        } catch (cancelled: CancellationException) {
            cancel()
            output.update(AnswerCard(model, CardState.CANCELLED, live.response(), facts = live.facts()).render()) // at once: see follow of a reply
            ended()?.let { output.update(messageCard(it, live.facts())) }
            throw cancelled
        } catch (failure: Throwable) { // of any type: the settings are code of the user's
            if (turn == null) output.update(unsentCard(failure, live.facts()))
            throw failure
        }
    }

    /** The message after a stop, with the tokens that are known then; null if the call does not end in time. */
    private suspend fun ended(): ChatMessage? = withContext(NonCancellable) { withTimeoutOrNull(WidgetWriter.STOP_WAIT * 2) { turn?.end?.await() } }

    private fun unsentCard(failure: Throwable, facts: CardFacts): Rendered {
        val isCancelled = failure is LlmException.Cancelled
        val state = if (isCancelled) CardState.CANCELLED else CardState.FAILED
        return AnswerCard(model, state, null, failure.takeUnless { isCancelled }, facts).render()
    }

    /** @throws Throwable the failure of the answer */
    private fun answer(message: ChatMessage): ChatMessage = when (message.state) {
        ChatMessage.State.FAILED -> throw checkNotNull(message.failure)
        ChatMessage.State.STOPPED -> throw LlmException.Cancelled("The answer was stopped. What had arrived is in the chat's `value`.")
        else -> message
    }

    /** @throws Throwable what code of the user's throws while the request is built */
    private suspend fun sent(onDelta: (Delta) -> Unit = {}): WidgetTurn {
        while (true) {
            currentCoroutineContext().ensureActive()
            val turn = synchronized(lock) {
                if (isCancelled && turn == null) throw LlmException.Cancelled("The call was cancelled before it was sent.")
                turn ?: session.ask(message, onDelta)?.also { turn = it }
            }
            if (turn != null) return turn
            session.turn?.end?.join()
        }
    }

    private val model: ModelId get() = session.options.model?.id ?: FunctionAnswerer.ID

    override fun toString(): String = "Call($model)"
}

/** The card of a message of a widget: of an answer as of any other answer. */
internal fun messageCard(message: ChatMessage, facts: CardFacts = CardFacts.NONE): Rendered {
    message.result?.let(::renderedWithin)?.let { return it }
    val state = when (message.state) {
        ChatMessage.State.DONE -> CardState.DONE
        ChatMessage.State.STREAMING -> CardState.STREAMING
        ChatMessage.State.STOPPED -> CardState.CANCELLED
        ChatMessage.State.FAILED -> CardState.FAILED
    }
    if (message.response != null || message.failure != null) {
        val all = if (message.response?.finishReason == null) facts.with(message.cost) else facts
        return AnswerCard(message.model, state, message.response, message.failure, all).render()
    }
    val text = message.text.capped("text")
    return Rendered(styled("<div class=\"ullm-root $NO_MATHEMATICS\"><div class=\"ullm-plain\">${escape(text)}</div></div>"), reveal(text))
}
