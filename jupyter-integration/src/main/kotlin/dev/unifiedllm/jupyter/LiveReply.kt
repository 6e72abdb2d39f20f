package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.EmbeddingReply
import dev.unifiedllm.ImageReply
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.runInterruptible
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/** One output of a cell: shown once, then updated in place. */
internal interface CellOutput {
    fun show(rendered: Rendered)

    fun update(rendered: Rendered)
}

/**
 * Shows [reply] in [output] until it ends: a card at once, then at most 20 updates a second, then the final card.
 *
 * @throws Throwable what the reply fails with, after the final card is shown
 */
internal suspend fun follow(reply: Reply, output: CellOutput) {
    if (reply.state != Reply.State.NEW && reply.state != Reply.State.RUNNING) {
        output.show(finalCard(reply))
        reply.await()
        return
    }
    output.show(runningCard(reply))
    try {
        reply.events().conflate().collect {
            val card = runningCard(reply)
            output.update(card)
            delay(pause(card))
        }
        output.update(finalCard(reply))
    } catch (cancelled: CancellationException) {
        output.update(AnswerCard(reply.model, CardState.CANCELLED, reply.partial).render())
        throw cancelled
    } catch (failure: Throwable) { // of any type: a user's model may throw anything
        output.update(finalCard(reply, failure))
        throw failure
    }
}

/**
 * Shows [call], which is not a chat, in [output]: that it waits, previews of an image, then its result.
 *
 * @throws Throwable what the call fails with, after a card with the failure is shown
 */
internal suspend fun follow(call: Call<*>, output: CellOutput) {
    val model = modelOf(call)
    output.show(callCard(model, CardState.WAITING))
    try {
        if (call is ImageReply) {
            call.events().collect { delta ->
                if (delta is Delta.Media) output.update(callCard(model, CardState.STREAMING, preview = Picture(delta.url, delta.mediaType)))
            }
        }
        val result = call.await()
        output.update(runInterruptible(Dispatchers.IO) { resultCard(result) } ?: Rendered(escape(result.toString()), reveal(result.toString())))
    } catch (cancelled: CancellationException) {
        output.update(callCard(model, CardState.CANCELLED))
        throw cancelled
    } catch (failure: Throwable) { // of any type: a user's model may throw anything
        val isCancelled = failure is LlmException.Cancelled
        output.update(callCard(model, if (isCancelled) CardState.CANCELLED else CardState.FAILED, failure.takeUnless { isCancelled }))
        throw failure
    }
}

/** The model or the provider that [call] asks. */
internal fun modelOf(call: Call<*>): String = when (call) {
    is Reply -> call.model.toString()
    is ImageReply -> call.model.toString()
    is EmbeddingReply -> call.model.toString()
    else -> call.toString().removeSurrounding("Call(", ")")
}

private fun runningCard(reply: Reply): Rendered {
    val response = reply.partial
    val isEmpty = response == null || (response.parts.isEmpty() && response.steps.isEmpty() && response.media.isEmpty())
    return AnswerCard(reply.model, if (isEmpty) CardState.WAITING else CardState.STREAMING, response).render()
}

/** The card of [reply] in its present state. Sends nothing. */
internal fun finalCard(reply: Reply, failure: Throwable? = null): Rendered {
    val error = failure ?: (reply.takeIf { it.state == Reply.State.FAILED }?.let(::failureOf))
    val state = when {
        error is LlmException.Cancelled || reply.state == Reply.State.CANCELLED -> CardState.CANCELLED
        error != null -> CardState.FAILED
        reply.state == Reply.State.NEW -> CardState.NEW
        reply.state == Reply.State.RUNNING -> return runningCard(reply)
        else -> CardState.DONE
    }
    return AnswerCard(reply.model, state, reply.partial, error.takeUnless { state == CardState.CANCELLED }).render()
}

/** The failure of [reply], which has failed. Sends nothing. */
private fun failureOf(reply: Reply): Throwable? = try {
    reply.get()
    null
} catch (failure: Throwable) { // of any type: a user's model may throw anything
    failure
}

/** The pause after an update with [card]. Each update has the whole card, so that a longer card is updated less often. */
private fun pause(card: Rendered): Duration = maxOf(MIN_PAUSE, (card.html.length / BYTES_PER_MILLISECOND).milliseconds)

/** Makes 19 updates a second, and the final one has no pause before it. */
private val MIN_PAUSE = 53.milliseconds
private const val BYTES_PER_MILLISECOND = 1_000
