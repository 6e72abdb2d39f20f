package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.conflate
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/** One output of a cell, shown once and then changed in place. */
internal interface CellOutput {
    fun show(rendered: Rendered)

    fun update(rendered: Rendered)
}

/** Follows [reply] to its end in [output]: a card at once, which grows at most 20 times a second, and its last state whatever happens. */
internal suspend fun follow(reply: Reply, output: CellOutput) {
    if (reply.state != Reply.State.NEW && reply.state != Reply.State.RUNNING) {
        output.show(finalCard(reply))
        reply.await()
        return
    }
    output.show(growingCard(reply))
    try {
        reply.events().conflate().collect {
            val card = growingCard(reply)
            output.update(card)
            delay(pause(card))
        }
        output.update(finalCard(reply))
    } catch (cancelled: CancellationException) {
        output.update(AnswerCard(reply.model, CardState.CANCELLED, reply.partial).render())
        throw cancelled
    } catch (failure: Throwable) { // of whatever kind: the card shows it, the cell fails with it
        output.update(finalCard(reply, failure))
        throw failure
    }
}

private fun growingCard(reply: Reply): Rendered {
    val response = reply.partial
    return AnswerCard(reply.model, if (response?.parts.isNullOrEmpty()) CardState.WAITING else CardState.STREAMING, response).render()
}

/** The card of a reply that is not followed: as far as it has come. Sends nothing. */
internal fun finalCard(reply: Reply, failure: Throwable? = null): Rendered {
    val error = failure ?: (reply.takeIf { it.state == Reply.State.FAILED }?.let(::failureOf))
    val state = when {
        error is LlmException.Cancelled || reply.state == Reply.State.CANCELLED -> CardState.CANCELLED
        error != null -> CardState.FAILED
        reply.state == Reply.State.NEW -> CardState.NEW
        reply.state == Reply.State.RUNNING -> return growingCard(reply)
        else -> CardState.DONE
    }
    return AnswerCard(reply.model, state, reply.partial, error.takeUnless { state == CardState.CANCELLED }).render()
}

/** How a reply that has ended failed: asking it again sends nothing. */
private fun failureOf(reply: Reply): Throwable? = try {
    reply.get()
    null
} catch (failure: Throwable) { // a user's own model may fail with anything
    failure
}

/** The longer a card, the rarer its updates: each carries all of it. */
private fun pause(card: Rendered): Duration = maxOf(MIN_PAUSE, (card.html.length / BYTES_PER_MILLISECOND).milliseconds)

/** 19 updates a second, and the last one, which does not wait. */
private val MIN_PAUSE = 53.milliseconds
private const val BYTES_PER_MILLISECOND = 1_000
