package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import java.util.Spliterator
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Flow.Publisher
import java.util.function.Consumer
import java.util.stream.Stream
import java.util.stream.StreamSupport

/**
 * A chat call. Nothing is sent before its first terminal.
 *
 * The first of [deltas], [events], [await] and the others sends the request, once. Later consumers get the same response from its beginning; after its end
 * its text comes in one delta. The call is cancelled when its last consumer leaves before the end.
 */
public class Reply internal constructor(private val call: SharedCall<ChatResponse>, @Suppress("UNUSED_PARAMETER") from: FromKotlin) : Call<ChatResponse> {
    /** The state of a reply. */
    public enum class State { NEW, RUNNING, DONE, FAILED, CANCELLED }

    /** The model that was asked for. [ChatResponse.model] is the one that gave the response. */
    @get:JvmName("model")
    public val model: ModelId get() = call.model

    @get:JvmName("state")
    public val state: State
        get() = when {
            !call.isStarted -> State.NEW
            !call.log.isEnded -> State.RUNNING
            else -> when (call.log.failure) {
                null -> State.DONE
                is LlmException.Cancelled -> State.CANCELLED
                else -> State.FAILED
            }
        }

    /** What has arrived, also after a failure or a cancellation; null if nothing has. Takes time in proportion to its length. */
    @get:JvmName("partial")
    public val partial: ChatResponse? get() = call.log.response()

    /** The text as it arrives. Ends with the response, or throws what [await] throws. */
    @JvmSynthetic
    public fun deltas(): Flow<String> {
        val events = call.events()
        return object : Flow<String> {
            override suspend fun collect(collector: FlowCollector<String>) = events.collect { if (it.isText()) collector.emit((it as Delta.Text).text) }
        }
    }

    /** All deltas as they arrive, by the grammar of [Delta]. */
    @JvmSynthetic
    public fun events(): Flow<Delta> = call.events()

    @JvmSynthetic
    override suspend fun await(): ChatResponse = call.await()

    override fun get(): ChatResponse = call.get()

    override fun toFuture(): CompletableFuture<ChatResponse> = call.toFuture()

    /** Hands each piece of text to [action], on the calling thread, as it arrives. @return the whole response */
    public fun forEachDelta(action: Consumer<String>): ChatResponse = forEach(action, ::textOf)

    /**
     * Hands each delta to [action], on the calling thread, as it arrives: attempts and warnings, the start, all content, the finish, by the grammar of
     * [Delta].
     *
     * @return the whole response
     */
    public fun forEachEvent(action: Consumer<Delta>): ChatResponse = forEach(action) { it }

    /** The text as it arrives; blocks for the next piece. Close the stream to leave before its end. */
    public fun stream(): Stream<String> = stream(::textOf)

    private fun <T : Any> forEach(action: Consumer<T>, part: (Delta) -> T?): ChatResponse {
        call.checkMayBlock()
        stream(part).use { parts -> parts.forEach(action) }
        return call.result()
    }

    private fun <T : Any> stream(part: (Delta) -> T?): Stream<T> {
        val parts = BlockingParts(call, part)
        return StreamSupport.stream(parts, false).onClose(parts::close)
    }

    /** All deltas as they arrive; each subscription begins with the first one. */
    public fun toPublisher(): Publisher<Delta> = events().asPublisher()

    override fun cancel(): Unit = call.cancel()

    /** The same request as a new call, not yet sent. */
    public fun again(): Reply = Reply(call.again(), FromKotlin.CALL)

    /** The model and the state. Sends nothing. */
    override fun toString(): String = "Reply($model, $state)"
}

/** A reply that is not yet sent. */
internal fun newReply(client: () -> Client, model: ModelId, prepare: (Client) -> PreparedCall): Reply =
    Reply(SharedCall(client, model, prepare) { log -> checkNotNull(log.response()) }, FromKotlin.CALL)

private fun Delta.isText(): Boolean = this is Delta.Text && choice == 0

/** The piece of text that [delta] is; null if it is none. */
private fun textOf(delta: Delta): String? = if (delta.isText()) (delta as Delta.Text).text else null

/** What [part] takes of each delta of [call], for a thread that blocks for the next. Deltas of which it takes null are left out. */
private class BlockingParts<T : Any>(private val call: SharedCall<ChatResponse>, private val part: (Delta) -> T?) : Spliterator<T> {
    private var next = 0
    private var hasEntered = false
    private var hasLeft = false

    override fun tryAdvance(action: Consumer<in T>): Boolean {
        if (hasLeft) return false
        if (!hasEntered) {
            call.checkMayBlock()
            call.enter()
            hasEntered = true
        }
        val log = call.log
        while (true) {
            while (next < log.size) {
                val taken = part(log[next++]) ?: continue
                action.accept(taken)
                return true
            }
            if (log.isEnded && next == log.size) {
                close()
                log.failure?.let { throw call.withCaller(it) }
                return false
            }
            try {
                blocking { log.blockForMore(next) }
            } catch (interrupt: InterruptedException) {
                val failure = call.interrupted(interrupt)
                close()
                throw failure
            }
        }
    }

    fun close() {
        if (hasLeft) return
        hasLeft = true
        if (hasEntered) call.leave()
    }

    override fun trySplit(): Spliterator<T>? = null

    override fun estimateSize(): Long = Long.MAX_VALUE

    override fun characteristics(): Int = Spliterator.ORDERED or Spliterator.NONNULL
}
