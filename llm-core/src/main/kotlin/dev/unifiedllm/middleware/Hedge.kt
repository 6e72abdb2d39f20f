package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.incomplete
import dev.unifiedllm.linkFlow
import dev.unifiedllm.withoutFallbackAdvice
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.launch
import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.time.Duration

/**
 * Starts its targets one after another, the next one when those before have delivered no content for [after], or when one has failed. The response of the
 * first one that delivers content is the response; the others are cancelled, which closes their connections. Their providers may bill them.
 *
 * Of the others only failed attempts and waits are emitted.
 *
 * If the call restarts interrupted responses, and the response is cut, a new race begins among the targets that have not failed.
 *
 * @param raceContext added to the coroutine context of the targets, which run at the same time
 * @param restarts true if the call restarts interrupted responses
 */
internal class Hedge(
    private val targets: List<Model>,
    private val after: Duration,
    private val raceContext: CoroutineContext = EmptyCoroutineContext,
    private val restarts: Boolean = false,
    private val goesOn: (LlmException) -> Boolean,
) : Model {
    override val id: ModelId get() = targets.first().id

    override fun stream(request: Request): Flow<Delta> = linkFlow {
        val out = this
        coroutineScope { Race(request, out, this).run() }
    }

    private inner class Race(private val request: Request, private val out: FlowCollector<Delta>, private val scope: CoroutineScope) {
        /** Another one for each race, so that nothing comes from targets that have been cancelled. */
        private var events = Channel<Event>()
        private val running = mutableMapOf<Racer, Job>()
        private val failed = mutableListOf<Delta.Attempt>()
        private val left = ArrayDeque(targets)
        private var timer: Job? = null

        suspend fun run() {
            startNext()
            while (true) {
                when (val event = events.receive()) {
                    is Event.Due -> startNext()
                    is Event.Note -> out.emit(event.delta)
                    is Event.Failed -> failed(event.racer, event.failure)
                    is Event.Broken -> throw event.cause
                    is Event.Content -> if (deliver(event.racer)) return
                }
            }
        }

        private fun startNext() {
            val events = events
            val racer = Racer(left.removeFirst(), request, events)
            running[racer] = scope.launch(raceContext) { racer.run() }
            timer?.cancel()
            if (left.isNotEmpty()) {
                timer = scope.launch {
                    delay(after)
                    events.send(Event.Due)
                }
            }
        }

        /** Emits the response of [winner]. False if it was cut, and another race has begun. @throws LlmException if it was cut, and none begins */
        private suspend fun deliver(winner: Racer): Boolean {
            timer?.cancel()
            running.remove(winner)
            running.values.forEach { it.cancel(CancellationException("another model delivered its content first")) }
            winner.held.forEach { out.emit(it) }
            for (delta in winner.deltas) out.emit(delta)
            val failure = winner.failure ?: return true
            val others = running.keys.map { it.target } + left
            if (!restarts || !failure.isRetryable || others.isEmpty() || !goesOn(failure)) throw failure
            out.emit(Delta.Reset)
            note(winner, failure)
            running.clear()
            left.clear()
            left += others
            events = Channel()
            startNext()
            return false
        }

        private suspend fun failed(racer: Racer, failure: LlmException) {
            running -= racer
            // A budget that does not pay for one more request says nothing about those that run.
            val isRefused = failure is LlmException.BudgetExceeded && running.isNotEmpty()
            val isEnd = !isRefused && (!goesOn(failure) || (running.isEmpty() && left.isEmpty()))
            if (isEnd && failed.isEmpty()) throw failure
            note(racer, failure)
            if (isEnd) throw allFailed(failed)
            if (left.isNotEmpty() && !isRefused) startNext()
        }

        /** Emits the failed attempts of [racer] that have not been emitted. */
        private suspend fun note(racer: Racer, failure: LlmException) {
            val isChain = failure is LlmException.AllFailed && racer.attempts.isNotEmpty() // its attempts have been emitted
            val own = failure.each().map { Delta.Attempt(it.model ?: racer.target.id, it.withoutFallbackAdvice()) }
            failed += if (isChain) racer.attempts else racer.attempts + own
            if (!isChain) own.forEach { out.emit(it) }
        }
    }

    override fun toString(): String = targets.joinToString(" or ")

    private sealed class Event {
        object Due : Event()

        class Note(val delta: Delta) : Event()

        class Content(val racer: Racer) : Event()

        class Failed(val racer: Racer, val failure: LlmException) : Event()

        class Broken(val cause: CancellationException) : Event()
    }

    /** One target in the race, in a coroutine of its own. After its first content it waits until the race takes its deltas. */
    private class Racer(val target: Model, private val request: Request, private val events: Channel<Event>) {
        /** The start, and the warnings before the first content. */
        val held = mutableListOf<Delta>()
        val deltas = Channel<Delta>(CAPACITY)
        val attempts = mutableListOf<Delta.Attempt>()
        private var isCommitted = false

        /** The failure after the first content; null if there is none. */
        var failure: LlmException? = null
            private set

        suspend fun run() {
            try {
                target.stream(request).collect { if (isCommitted || commits(it)) deltas.send(it) }
                if (!isCommitted) throw incomplete(target.id, isEmpty = held.none { it is Delta.Start })
                deltas.close()
            } catch (failure: LlmException) {
                if (!isCommitted) return events.send(Event.Failed(this, failure))
                this.failure = failure
                deltas.close()
            } catch (cancelled: CancellationException) {
                currentCoroutineContext().ensureActive()
                if (!isCommitted) return events.send(Event.Broken(cancelled)) // the target has cancelled itself
                deltas.close(cancelled)
            }
        }

        /** True if [delta] is the first content, or the end of a response without content. */
        private suspend fun commits(delta: Delta): Boolean {
            when {
                delta is Delta.Attempt -> {
                    attempts += delta
                    events.send(Event.Note(delta))
                }
                delta is Delta.Waiting -> events.send(Event.Note(delta))
                delta is Delta.Warning -> held += delta
                delta is Delta.Start || delta is Delta.Reset -> {
                    held.removeAll { it is Delta.Start }
                    if (delta is Delta.Start) held += delta
                }
                delta.isContent || delta is Delta.Finish -> {
                    isCommitted = true
                    events.send(Event.Content(this))
                }
            }
            return isCommitted
        }
    }

    private companion object {
        const val CAPACITY = 16
    }
}
