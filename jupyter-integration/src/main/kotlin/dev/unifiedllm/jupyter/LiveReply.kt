package dev.unifiedllm.jupyter

import dev.unifiedllm.Bulk
import dev.unifiedllm.Call
import dev.unifiedllm.Comparison
import dev.unifiedllm.EmbeddingReply
import dev.unifiedllm.ImageReply
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.TimeSource

/** One output of a cell: shown once, then updated in place. */
internal interface CellOutput {
    fun show(rendered: Rendered)

    fun update(rendered: Rendered)
}

/**
 * Shows [reply] in [output] until it ends: a card at once, then at most 19 updates a second, then the final card.
 *
 * @throws Throwable what the reply fails with, after the final card is shown
 */
internal suspend fun follow(reply: Reply, output: CellOutput, time: TimeSource = TimeSource.Monotonic) {
    if (reply.isOver) {
        output.show(finalCard(reply))
        reply.await()
        return
    }
    val live = LiveAnswer(reply, time)
    output.show(if (reply.state == Reply.State.RUNNING) finalCard(reply) else live.rendered())
    try {
        val failure = live.follow(reply.events(), output)
        CardFacts.keep(reply, live.facts())
        output.update(finalCard(reply, failure))
        if (failure != null) throw failure
        CardFacts.keep(reply.await(), live.facts())
        showPictures(reply, live, output)
    } catch (cancelled: CancellationException) {
        if (reply.state == Reply.State.DONE) throw cancelled // its images were being downloaded
        CardFacts.keep(reply, live.facts())
        output.update(stopped(reply, live)) // at once: the kernel does not wait for the end of the call
        awaitEnd(reply)
        if (reply.isOver) output.update(stopped(reply, live)) // else it goes on for another consumer
        throw cancelled
    }
}

/** Downloads the images that the response of [reply] has at URLs, and shows the card with them. */
private suspend fun showPictures(reply: Reply, live: LiveAnswer, output: CellOutput) {
    val pictures = downloaded(reply)
    if (pictures.isEmpty()) return
    val facts = live.facts().with(pictures)
    CardFacts.keep(reply, facts)
    CardFacts.keep(reply.await(), facts)
    output.update(finalCard(reply))
}

private fun stopped(reply: Reply, live: LiveAnswer): Rendered {
    val response = reply.partial
    return AnswerCard(reply.model, CardState.CANCELLED, response, facts = live.facts().with(estimatedCost(reply, response))).render()
}

private val Reply.isOver get() = state != Reply.State.NEW && state != Reply.State.RUNNING

/** The call ends soon after its last consumer has left; its tokens are estimated then. */
private suspend fun awaitEnd(reply: Reply) = withContext(NonCancellable) {
    withTimeoutOrNull(STOP_WAIT) { while (!reply.isOver) delay(STOP_CHECK) }
}

/**
 * Shows [deltas] in [output] while they arrive.
 *
 * @return what the flow failed with; null if it has ended well
 */
internal suspend fun LiveAnswer.follow(deltas: Flow<Delta>, output: CellOutput): Throwable? = coroutineScope {
    var failure: Throwable? = null
    val collecting = launch { failure = collected { deltas.collect(::add) } }
    while (!collecting.endsWithin()) if (isDue()) output.update(rendered())
    failure
}

/** What [block] failed with, of any type: a user's model may throw anything. Null if it ended well. */
internal suspend fun collected(block: suspend () -> Unit): Throwable? = try {
    block()
    null
} catch (failure: Throwable) {
    currentCoroutineContext().ensureActive() // the cell was stopped
    failure
}

/** Waits for the pause between two updates, or until this job has ended. @return whether it has */
internal suspend fun Job.endsWithin(): Boolean {
    withTimeoutOrNull(PAUSE) { join() }
    return isCompleted
}

/**
 * Shows [call] in [output]: a chat while it grows; of others that they wait, previews of an image, then the result.
 *
 * @throws Throwable what the call fails with, after a card with the failure is shown
 */
internal suspend fun follow(call: Call<*>, output: CellOutput, time: TimeSource = TimeSource.Monotonic): Unit = when (call) {
    is Reply -> follow(call, output, time)
    is FollowedCall -> call.follow(output)
    is Bulk<*, *> -> followBulk(call, output, time)
    is Comparison -> followComparison(call, output, time)
    else -> followResult(call, output, time)
}

private suspend fun followResult(call: Call<*>, output: CellOutput, time: TimeSource) {
    val card = Waiting(call)
    val begun = time.markNow()
    var preview: Picture? = null
    output.show(card.card(CardState.WAITING))
    try {
        val failure = coroutineScope {
            var failure: Throwable? = null
            val waiting = launch {
                failure = collected {
                    if (call is ImageReply) call.events().collect { delta -> if (delta is Delta.Media) preview = Picture(delta.url, delta.mediaType) }
                    call.await()
                }
            }
            var shown: Picture? = null
            var ticks = 0L
            while (!waiting.endsWithin()) {
                val seconds = begun.elapsedNow().inWholeSeconds
                if (preview === shown && seconds <= ticks) continue
                shown = preview
                ticks = seconds
                output.update(card.card(CardState.WAITING, preview = preview, seconds = seconds))
            }
            failure
        }
        if (failure != null) throw failure
        val result = call.await()
        output.update(runInterruptible(Dispatchers.IO) { resultCard(result, card.question) } ?: Rendered(escape(result.toString()), reveal(result.toString())))
    } catch (cancelled: CancellationException) {
        output.update(card.card(CardState.CANCELLED))
        throw cancelled
    } catch (failure: Throwable) { // of any type: a user's model may throw anything
        val isCancelled = failure is LlmException.Cancelled
        output.update(card.card(if (isCancelled) CardState.CANCELLED else CardState.FAILED, failure.takeUnless { isCancelled }))
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

/** The card of [reply] in its present state. Sends nothing. */
internal fun finalCard(reply: Reply, failure: Throwable? = null): Rendered = answerCard(reply, failure).render()

/** The card of [reply] in its present state. Sends nothing. @param failure what it has failed with, if that is known */
internal fun answerCard(reply: Reply, failure: Throwable? = null): AnswerCard {
    val error = failure ?: (reply.takeIf { it.state == Reply.State.FAILED }?.let(::failureOf))
    val response = reply.partial
    val state = when {
        error is LlmException.Cancelled || reply.state == Reply.State.CANCELLED -> CardState.CANCELLED
        error != null -> CardState.FAILED
        reply.state == Reply.State.NEW -> CardState.NEW
        reply.state == Reply.State.RUNNING -> if (response?.parts.isNullOrEmpty()) CardState.WAITING else CardState.STREAMING
        else -> CardState.DONE
    }
    val isCut = state == CardState.CANCELLED || state == CardState.FAILED
    val facts = (CardFacts.of(reply) ?: CardFacts(question(reply))).with(if (isCut) estimatedCost(reply, response) else null)
    return AnswerCard(reply.model, state, response, error.takeUnless { state == CardState.CANCELLED }, facts)
}

/** The failure of [reply], which has failed. Sends nothing. */
private fun failureOf(reply: Reply): Throwable? = try {
    reply.get()
    null
} catch (failure: Throwable) { // of any type: a user's model may throw anything
    failure
}

/** Makes 18 updates a second, and the final one has no pause before it. */
private val PAUSE = 53.milliseconds
private val STOP_WAIT = 300.milliseconds
private val STOP_CHECK = 5.milliseconds
