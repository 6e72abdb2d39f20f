package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Part
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.mapNotNull
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/**
 * Writes the answers of a chat widget: collects their deltas, sends what is new of them to the front end, and asks there for approvals.
 *
 * @param lock of the session, which guards the turns
 * @param port where the news of a turn go now; null if nobody sees it
 * @param isBusy true while a cell runs
 */
internal class WidgetWriter(private val lock: Any, private val port: (WidgetTurn) -> WidgetPort?, private val isBusy: () -> Boolean) {
    /** Writes the answer of [turn]. @param ended called when its call has ended, also after a stop, with what it failed with; null if it ended well */
    suspend fun write(turn: WidgetTurn, ended: (Throwable?) -> Unit): Unit = coroutineScope {
        val sending = launch { turn.changes.collect { delay(sendNews(turn)) } }
        val failure = try {
            turn.answering.events.collect { delta ->
                synchronized(lock) { turn.growing.add(delta) }
                turn.onDelta(delta)
                turn.changes.update { it + 1 }
            }
            val images = turn.answering.images()
            synchronized(lock) { turn.growing.downloaded(images) }
            null
        } catch (failure: Throwable) { // of any type: a model of the user's may throw anything
            failure
        }
        sending.cancel()
        // A call that was stopped ends a little later; its tokens are estimated then.
        if (failure != null) withContext(NonCancellable) { withTimeoutOrNull(STOP_WAIT) { turn.answering.awaitEnd() } }
        ended(failure)
    }

    /** Sends what has arrived of [turn]. Returns the pause before the next time: longer after a long message. */
    private fun sendNews(turn: WidgetTurn): Duration = synchronized(lock) {
        val port = port(turn) ?: return MIN_PAUSE
        val frames = turn.frames()
        frames.forEach(port::send)
        maxOf(MIN_PAUSE, (frames.sumOf { it.toString().length } / BYTES_PER_MILLISECOND).milliseconds)
    }

    /** Asks the user whether [call] may run, and waits for the click. False where nobody can be asked, with a note. */
    suspend fun isApproved(turn: WidgetTurn, call: Part.ToolCall): Boolean {
        val cannotAsk = synchronized(lock) { (port(turn) == null || (turn.isFromCode && isBusy())).also { if (it) turn.notes += notAsked(call) } }
        if (cannotAsk) return false
        // The tool may be run before its call has arrived here.
        val (tool, decision) = turn.changes.mapNotNull { synchronized(lock) { turn.awaiting(call) } }.first()
        turn.changes.update { it + 1 }
        val isApproved = decision.await()
        synchronized(lock) { turn.growing.decided(tool, isApproved) }
        turn.changes.update { it + 1 }
        return isApproved
    }

    companion object {
        /** For the end of a call that was stopped. */
        val STOP_WAIT: Duration = 300.milliseconds

        /** Makes 19 messages a second. */
        private val MIN_PAUSE = 53.milliseconds
        private const val BYTES_PER_MILLISECOND = 1_000
    }
}
