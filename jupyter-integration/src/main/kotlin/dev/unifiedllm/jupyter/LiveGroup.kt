package dev.unifiedllm.jupyter

import dev.unifiedllm.Bulk
import dev.unifiedllm.Call
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Job
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow

/**
 * Sends all calls of [group] at once and shows each in an output of its own. A failure ends no other call.
 *
 * @throws CallFailed if calls have failed, when all have ended
 */
internal suspend fun followAll(group: Group, outputs: () -> CellOutput) {
    val failures = coroutineScope {
        var asked: Job? = null // the calls of chat widgets are sent in their order
        group.members.map { (name, member) ->
            name?.let { outputs().show(label(it)) }
            val output = outputs()
            first(member)?.let(output::show) // now, so that the outputs are in order
            val before = asked
            val following = async {
                if (member is FollowedCall) before?.join()
                (member as? Call<*>)?.let { call -> collected { follow(call, ShownOutput(output)) } }
            }
            if (member is FollowedCall) asked = following
            following
        }.awaitAll().filterNotNull()
    }
    val first = failures.firstOrNull() ?: return
    throw CallFailed(first, "${failures.size} of ${count(group.calls.size, "call")} failed. The first: ${shortCause(first)}")
}

private fun first(member: Any): Rendered? = when {
    member is Reply && isOpen(member) -> LiveAnswer(member).rendered()
    member is Bulk<*, *> -> bulkBar(member.progress, if (isOpen(member)) CardState.STREAMING else CardState.DONE)
    member is Call<*> && member !is Reply -> Waiting(member).card(CardState.WAITING)
    else -> rendered(member)
}

/** An output that has been shown. */
private class ShownOutput(private val output: CellOutput) : CellOutput {
    override fun show(rendered: Rendered): Unit = output.update(rendered)

    override fun update(rendered: Rendered): Unit = output.update(rendered)
}

/**
 * Shows [deltas] in [output] while they arrive. They are collected once.
 *
 * @param onEnd gets the last card
 * @throws Throwable what the flow fails with, after the last card is shown
 */
internal suspend fun followFlow(deltas: Flow<Delta>, output: CellOutput, onEnd: (Rendered) -> Unit) {
    val live = LiveAnswer(null, null)
    output.show(live.rendered())
    fun end(state: CardState, failure: Throwable? = null) {
        val card = AnswerCard(null, state, live.response(), failure, live.facts()).render()
        output.update(card)
        onEnd(card)
    }
    try {
        val failure = live.follow(deltas, output)
        end(if (failure == null) CardState.DONE else CardState.FAILED, failure)
        if (failure != null) throw failure
    } catch (cancelled: CancellationException) {
        end(CardState.CANCELLED)
        throw cancelled
    }
}
