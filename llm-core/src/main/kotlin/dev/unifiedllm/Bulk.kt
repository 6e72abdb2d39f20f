package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Job
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.job
import java.util.concurrent.CompletableFuture
import java.util.stream.Stream
import java.util.stream.StreamSupport
import kotlin.coroutines.CoroutineContext

/**
 * Many calls, some of them at a time: one for each item. Nothing is sent before its first terminal. Made by `llm.map`.
 *
 * [results] and [stream] hand the results on and keep none; they can be used once. [await], [get] and [toFuture] keep all of them in a list, for any number of
 * consumers. A call that fails leaves the others as they are: its failure is the result of its item. When a budget of the client is used up, when the costs
 * reach `maxCost` or when the client is closed, no more calls start: the items that are left and have no result in the checkpoint have the state NOT_STARTED.
 * Those of a sequence, a stream or a flow are not taken any more then, and have no result. A call that a budget refuses because of what other calls of the
 * bulk reserve waits for their end. One that a budget of each call or of a tag refuses leaves the others as they are.
 */
public class Bulk<T : Any, R : Any> internal constructor(
    private val client: () -> Client,
    private val run: BulkRun<T, R>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : Call<List<BulkResult<T, R>>> {
    private enum class Use { NONE, STREAM, LIST }

    private val lock = Any()
    private var use = Use.NONE
    private var running: Job? = null
    private var isCancelled = false
    private var list: List<BulkResult<T, R>>? = null
    private val call = SharedCall(client, NAME, { PreparedCall(all(), runsUserCode = true) }, isAnnounced = false) { checkNotNull(list) }

    /** How far it has come. */
    @get:JvmName("progress")
    public val progress: BulkProgress get() = run.progress

    /**
     * Each result as soon as it is there, in the order of the items unless `inOrder` is false. A collector that is busy holds the calls up.
     *
     * @throws IllegalStateException when it is collected for a second time, or after [await]: the results are not kept
     * @throws LlmException.Cancelled when [cancel] is called
     * @throws LlmException.Configuration when the checkpoint cannot be used
     */
    @JvmSynthetic
    public fun results(): Flow<BulkResult<T, R>> = results { client().callerState() }

    private fun results(state: () -> CoroutineContext): Flow<BulkResult<T, R>> = flow {
        use(Use.STREAM)
        try {
            coroutineScope {
                synchronized(lock) { running = coroutineContext.job }
                if (isAskedToCancel()) throw cancelled(null)
                collect(state()) { emit(it) }
            }
        } catch (cancelled: CancellationException) {
            currentCoroutineContext().ensureActive()
            throw if (isAskedToCancel()) cancelled(cancelled) else cancelled
        }
    }

    private suspend fun collect(state: CoroutineContext, emit: suspend (BulkResult<T, R>) -> Unit) {
        BulkObserver.observer?.invoke(this).use { run.collect(state, emit) }
    }

    /**
     * [results] for Java; blocks for the next one. Close the stream to leave before its end: that cancels the calls, and waits until the bulk has ended, for
     * 5 s at most.
     */
    public fun stream(): Stream<BulkResult<T, R>> {
        val state = client().callerState()
        val results = BlockingResults(client, results { state })
        return StreamSupport.stream(results, false).onClose(results::close)
    }

    /** All calls as one stream of deltas, which has no content. */
    private fun all() = linkFlow {
        val results = ArrayList<BulkResult<T, R>>()
        collect(client().callerState()) { results += it }
        list = results.sortedBy { it.index }
        emit(Delta.Start(null, NAME))
        emit(Delta.Finish(FinishReason.STOP, null))
    }

    /**
     * The results of all items, in the order of the items. Failures of calls are not thrown.
     *
     * @throws IllegalStateException after [results] or [stream]: the results are not kept
     * @throws LlmException.Configuration when the checkpoint cannot be used, or the client is closed
     */
    @JvmSynthetic
    override suspend fun await(): List<BulkResult<T, R>> {
        use(Use.LIST)
        return call.await()
    }

    override fun get(): List<BulkResult<T, R>> {
        use(Use.LIST)
        return call.get()
    }

    override fun toFuture(): CompletableFuture<List<BulkResult<T, R>>> {
        use(Use.LIST)
        return call.toFuture()
    }

    /** Ends the calls that run, and starts no more. */
    override fun cancel() {
        val job = synchronized(lock) {
            isCancelled = true
            running
        }
        job?.cancel()
        call.cancel()
    }

    private fun use(wanted: Use): Unit = synchronized(lock) {
        check(use == Use.NONE || (use == wanted && wanted == Use.LIST)) {
            "The results of a bulk are not kept: use results() or stream() once, or await(), get() and toFuture(), or make the bulk anew."
        }
        use = wanted
    }

    private fun isAskedToCancel() = synchronized(lock) { isCancelled }

    private fun cancelled(cause: Throwable?) = LlmException.Cancelled("The bulk was cancelled.", cause)

    /** Its progress. Sends nothing. */
    override fun toString(): String = "Bulk($progress)"

    private companion object {
        val NAME = ModelId("", "a bulk")
    }
}

/** @param call makes the call of an item */
internal fun <T : Any, R : Any> newBulk(
    client: () -> Client,
    items: BulkItems<T>,
    concurrency: Int,
    options: BulkOptions.() -> Unit,
    call: (T) -> Call<R>,
): Bulk<T, R> = Bulk(client, BulkRun(items, BulkOptions(concurrency).apply(options), client, call), FromKotlin.CALL)

/** A bulk by the client that is the default when its calls are sent. */
@InternalLlmApi
@JvmSynthetic
public fun <T : Any, R : Any> defaultBulk(items: Iterable<T>, concurrency: Int, options: BulkOptions.() -> Unit, call: (T) -> Call<R>): Bulk<T, R> =
    newBulk({ Llm.default.client }, BulkItems.of(items), concurrency, options, call)

/** A bulk by the client that is the default when its calls are sent. */
@InternalLlmApi
@JvmSynthetic
public fun <T : Any, R : Any> defaultBulk(items: Sequence<T>, concurrency: Int, options: BulkOptions.() -> Unit, call: (T) -> Call<R>): Bulk<T, R> =
    newBulk({ Llm.default.client }, BulkItems.of(items), concurrency, options, call)

/** A bulk by the client that is the default when its calls are sent. */
@InternalLlmApi
@JvmSynthetic
public fun <T : Any, R : Any> defaultBulk(items: Flow<T>, concurrency: Int, options: BulkOptions.() -> Unit, call: (T) -> Call<R>): Bulk<T, R> =
    newBulk({ Llm.default.client }, BulkItems.of(items), concurrency, options, call)
