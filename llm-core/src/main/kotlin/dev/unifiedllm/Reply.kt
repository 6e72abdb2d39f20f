package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Job
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.isActive
import kotlinx.coroutines.launch
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Flow.Publisher
import java.util.function.Consumer
import java.util.stream.Stream
import java.util.stream.StreamSupport

/**
 * A chat's answer: nothing is sent until someone asks for it.
 *
 * Hot once: the first of [deltas], [events], [await] and their kin sends the request; whoever comes later sees the same answer from its
 * beginning. When the last one of them leaves before the end, the call is cancelled.
 */
public class Reply internal constructor(
    private val client: ReplyClient,
    /** The model that was asked for; who answered stands in the response. */
    @get:JvmName("model") public val model: ModelId,
    private val answer: Flow<Delta>,
) : Call<ChatResponse> {
    /** Where a reply is in its life. */
    public enum class State { NEW, RUNNING, DONE, FAILED, CANCELLED }

    private val log = DeltaLog()
    private val lock = Any()
    private var producer: Job? = null
    private var consumers = 0

    @Volatile
    private var isAskedToCancel = false

    @get:JvmName("state")
    public val state: State
        get() = when {
            log.end.isDone -> when (log.end.getNow(null)) {
                null -> State.DONE
                is LlmException.Cancelled -> State.CANCELLED
                else -> State.FAILED
            }
            synchronized(lock) { producer == null } -> State.NEW
            else -> State.RUNNING
        }

    /** What has arrived, also after a failure or a cancellation; null if nothing has. Takes time in proportion to its length. */
    @get:JvmName("partial")
    public val partial: ChatResponse? get() = log.response()

    /** The visible text, piece by piece, as it arrives. Ends with the answer, or throws what [await] throws. */
    @JvmSynthetic
    public fun deltas(): Flow<String> = events().filterIsInstance<Delta.Text>().filter { it.choice == 0 }.map { it.text }

    /** Everything that arrives, by the grammar of [Delta]. */
    @JvmSynthetic
    public fun events(): Flow<Delta> = flow {
        enter()
        try {
            var next = 0
            while (true) {
                while (next < log.size) emit(log[next++])
                if (log.end.isDone && next == log.size) break
                log.awaitMore(next)
            }
        } finally {
            leave()
        }
        log.end.getNow(null)?.let { throw it }
    }

    @JvmSynthetic
    override suspend fun await(): ChatResponse {
        enter()
        try {
            while (!log.end.isDone) log.awaitMore(Int.MAX_VALUE - 1)
        } finally {
            leave()
        }
        return response()
    }

    override fun get(): ChatResponse {
        client.checkMayBlock()
        enter()
        try {
            log.end.get()
        } catch (interrupt: InterruptedException) {
            throw interrupted(interrupt)
        } finally {
            leave()
        }
        log.end.getNow(null)?.let { throw withCaller(it) }
        return whole
    }

    override fun toFuture(): CompletableFuture<ChatResponse> {
        val future = CompletableFuture<ChatResponse>()
        enter()
        future.whenComplete { _, _ -> leave() }
        log.end.whenComplete { failure, _ ->
            if (failure == null) future.complete(response()) else future.completeExceptionally(failure)
        }
        return future
    }

    /** Hands every piece of visible text to [action], on the calling thread, as it arrives. @return the whole answer */
    public fun forEachDelta(action: Consumer<String>): ChatResponse {
        client.checkMayBlock()
        stream().use { pieces -> pieces.forEach(action) }
        return response()
    }

    /** The visible text, piece by piece; the next piece is blocked for. Close it to leave early. */
    public fun stream(): Stream<String> {
        val pieces = BlockingPieces()
        return StreamSupport.stream(pieces, false).onClose(pieces::close)
    }

    /** Everything that arrives; each subscription begins with the first delta. */
    public fun toPublisher(): Publisher<Delta> = events().asPublisher()

    override fun cancel() {
        val job = synchronized(lock) {
            isAskedToCancel = true
            if (producer == null) producer = Job().also { log.end(cancelled("The call was cancelled before it was sent.")) }
            producer
        }
        job?.cancel()
    }

    /** The same question as a new call, not yet sent. */
    public fun again(): Reply = Reply(client, model, answer)

    /** Says which model and how far; calls nothing. */
    override fun toString(): String = "Reply($model, $state)"

    private fun enter() = synchronized(lock) {
        consumers++
        if (producer == null) producer = start()
    }

    private fun leave() {
        val last = synchronized(lock) { if (--consumers == 0 && !log.end.isDone) producer else null }
        last?.cancel()
    }

    // Atomic: a producer that never ran would leave its consumers waiting when the client is closed already.
    @OptIn(DelicateCoroutinesApi::class, ExperimentalCoroutinesApi::class)
    private fun start(): Job = client.scope.launch(log, CoroutineStart.ATOMIC) {
        val failure = try {
            client.checkOpen()
            answer.collect(log::append)
            null
        } catch (cancelled: CancellationException) {
            if (currentCoroutineContext().isActive) {
                IllegalStateException("$model threw a CancellationException, though nobody had cancelled the call", cancelled)
            } else {
                log.end(cancelled(client.whyClosed() ?: whyCancelled(), cancelled))
                throw cancelled
            }
        } catch (failure: Throwable) { // of whatever kind: the consumers wait for it, and it is thrown to them
            failure
        }
        if (failure is LlmException) complete(failure)
        log.end(failure)
    }

    private fun whyCancelled() =
        if (isAskedToCancel) "The call to $model was cancelled." else "The call to $model was cancelled: everyone who waited for it has left."

    private fun complete(failure: LlmException) {
        if (failure.partial == null) failure.partial = log.response()
        if (failure.attempts.isEmpty()) failure.attempts = listOf(Delta.Attempt(failure.model ?: model, failure))
    }

    private fun cancelled(message: String, cause: Throwable? = null) =
        LlmException.Cancelled(message, cause, LlmException.Details(model)).also { it.partial = log.response() }

    private fun interrupted(cause: InterruptedException): LlmException {
        Thread.currentThread().interrupt()
        return cancelled("The call to $model was interrupted. What had arrived is in `partial`.", cause)
    }

    /** The trace of [failure] is that of the thread that made the call: the lines of who waits for it are added. */
    private fun withCaller(failure: Throwable): Throwable = failure.also { thrown ->
        if (!LlmException.compact && thrown.suppressed.none { it is CallerTrace }) thrown.addSuppressed(CallerTrace(model))
    }

    private val whole by lazy { checkNotNull(log.response()) { "a model ended its answer without a delta" } }

    private fun response(): ChatResponse {
        log.end.getNow(null)?.let { throw it }
        return whole
    }

    private inner class BlockingPieces : java.util.Spliterator<String> {
        private var next = 0
        private var entered = false
        private var left = false

        override fun tryAdvance(action: Consumer<in String>): Boolean {
            if (left) return false
            if (!entered) {
                client.checkMayBlock()
                entered = true
                enter()
            }
            while (true) {
                while (next < log.size) {
                    val delta = log[next++]
                    if (delta is Delta.Text && delta.choice == 0) {
                        action.accept(delta.text)
                        return true
                    }
                }
                if (log.end.isDone && next == log.size) {
                    close()
                    log.end.getNow(null)?.let { throw withCaller(it) }
                    return false
                }
                try {
                    log.blockForMore(next)
                } catch (interrupt: InterruptedException) {
                    close()
                    throw interrupted(interrupt)
                }
            }
        }

        fun close() {
            if (!left) {
                left = true
                if (entered) leave()
            }
        }

        override fun trySplit(): java.util.Spliterator<String>? = null

        override fun estimateSize(): Long = Long.MAX_VALUE

        override fun characteristics(): Int = java.util.Spliterator.ORDERED or java.util.Spliterator.NONNULL
    }
}

/** Its trace is  that of a thread that blocked for the answer. */
private class CallerTrace(model: ModelId) : Exception("$model was asked here")

/** What a reply needs of the client that makes its call. */
internal interface ReplyClient {
    val scope: CoroutineScope

    /** @throws LlmException.Configuration if the client is closed */
    fun checkOpen()

    /** @throws IllegalStateException if blocking this thread would keep the client's own work from running */
    fun checkMayBlock()

    /** Null while the client is open. */
    fun whyClosed(): String?
}
