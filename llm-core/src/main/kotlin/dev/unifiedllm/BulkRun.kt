package dev.unifiedllm

import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.middleware.onOwnThread
import dev.unifiedllm.tool.RunningTool
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlin.coroutines.CoroutineContext

/** One run over the items of a bulk: a few workers, each with one item at a time. */
internal class BulkRun<T : Any, R : Any>(
    private val items: BulkItems<T>,
    private val options: BulkOptions,
    private val client: () -> Client,
    private val call: (T) -> Call<R>,
) {
    private val count = BulkCount(items.size, options.maxCost)
    private val listeners = options.listeners.toMutableList()
    private val concurrency = options.concurrency
    private val inOrder = options.inOrder

    /** The tool that made the bulk: its calls are those of the tool. */
    private val tool = RunningTool.current
    private val calls = BulkCalls(count, tool)

    /** How many results have been handed on. */
    private val emitted = MutableStateFlow(0L)

    val progress: BulkProgress get() = count.progress

    /** Hands each result to [emit], in the order that was asked for. @param state restores in the workers what is current for the caller */
    suspend fun collect(state: CoroutineContext, emit: suspend (BulkResult<T, R>) -> Unit) {
        count.begin()
        options.checkpoint.let { file -> if (file == null) null else onBlockingThread { Checkpoint.open(file) } }.use { checkpoint ->
            checkpoint?.warning?.let(count::warn)
            checkpoint?.spent?.let(count::spentBefore)
            coroutineScope {
                val finished = Channel<BulkResult<T, R>>()
                val workers = launch(state) {
                    items.Pass(this).use { pass ->
                        coroutineScope { repeat(concurrency) { launch { work(pass, checkpoint, finished) } } }
                    }
                    finished.close()
                }
                val early = HashMap<Long, BulkResult<T, R>>()
                while (true) {
                    val result = onOwnThread { finished.receiveCatching() }.getOrNull() ?: break
                    count.add(result)
                    tell()
                    if (!inOrder) {
                        emit(result)
                        continue
                    }
                    early[result.index] = result
                    while (true) {
                        emit(early.remove(emitted.value) ?: break)
                        emitted.value++
                    }
                }
                workers.join()
            }
        }
        if (count.end()) tell()
    }

    private suspend fun work(pass: BulkItems<T>.Pass, checkpoint: Checkpoint?, finished: Channel<BulkResult<T, R>>) {
        while (true) {
            // Of items that are not in a collection, those that would not be sent are not taken: they may have no end.
            val isOver = items.size == null && count.stop != null
            val item = pass.next(if (isOver) checkpoint?.size ?: 0 else Long.MAX_VALUE) ?: return
            if (inOrder) emitted.first { item.index < it + WINDOW }
            finished.send(result(item, checkpoint))
        }
    }

    private suspend fun result(item: BulkItem<T>, checkpoint: Checkpoint?): BulkResult<T, R> {
        // What is in the checkpoint costs nothing.
        count.stop?.let { if (checkpoint == null || !checkpoint.has(item.index)) return notStarted(item, it) }
        var sent: Call<R>? = null
        return try {
            val call = runUserFunction("the call of a bulk", CallContext.EMPTY) { RunningTool.inside(tool) { call(item.item) } }
            val kept = checkpoint?.let { kept(call, it) }
            val key = kept?.let { runUserFunction("an item of a bulk", CallContext.EMPTY) { _ -> Checkpoint.key(item.item, it.form()) } }
            if (key != null) resumed(item, call, kept, checkpoint, key)?.let { return it }
            count.stop?.let { return notStarted(item, it) }
            sent = call
            val made = calls.make(call) ?: return notStarted(item, checkNotNull(count.stop))
            val costs = costsOf(made.call, made.value)
            count.spent(costs)
            if (key != null) onBlockingThread { checkpoint.add(item.index, key, costs.known, kept(made.call, checkpoint).deltas()) }?.let(count::warn)
            done(item, made.value, costs, isResumed = false)
        } catch (cancelled: CancellationException) {
            currentCoroutineContext().ensureActive()
            failed(item, cancelled, sent, checkpoint)
        } catch (fault: CheckpointFault) {
            throw fault.failure // of the bulk: no item could be kept
        } catch (failure: Throwable) { // of whatever kind: it is the result of the item
            currentCoroutineContext().ensureActive()
            failed(item, failure, sent, checkpoint)
        }
    }

    /** The result that the checkpoint has; null if it has none, or one that [call] cannot give any more: then it is sent. */
    private suspend fun resumed(item: BulkItem<T>, call: Call<R>, kept: KeptCall<R>, checkpoint: Checkpoint, key: String): BulkResult<T, R>? {
        val deltas = onBlockingThread { checkpoint.find(item.index, key) } ?: return null
        val restored = try {
            kept.restore(deltas)
        } catch (failure: Throwable) { // of whatever kind: the class of the answer is the user's
            if (failure is Error) throw failure
            count.warn("results in the checkpoint cannot be read any more (${failure.javaClass.simpleName}): their calls were sent again")
            return null
        }
        return done(item, restored.value, costsOf(call, restored.response), isResumed = true)
    }

    private fun notStarted(item: BulkItem<T>, why: Throwable): BulkResult<T, R> =
        BulkResult(item.index, item.item, null, why, BulkResult.State.NOT_STARTED, null, false, FromKotlin.CALL)

    private fun done(item: BulkItem<T>, value: R, costs: CallCosts, isResumed: Boolean): BulkResult<T, R> =
        BulkResult(item.index, item.item, value, null, BulkResult.State.DONE, costs.cost, isResumed, FromKotlin.CALL)

    /** @param sent the call that has failed; null if it was not sent */
    private suspend fun failed(item: BulkItem<T>, failure: Throwable, sent: Call<R>?, checkpoint: Checkpoint?): BulkResult<T, R> {
        val costs = costsOf(failure, isSent = sent != null)
        count.spent(costs)
        if (checkpoint != null && costs.known > Usd.ZERO) onBlockingThread { checkpoint.add(item.index, costs.known) }?.let(count::warn)
        if (endsBulk(failure, sent)) {
            count.stop(failure)
        } else {
            client().whyClosed()?.let { count.stop(LlmException.Cancelled("The client was closed: no more calls are made.", failure)) }
        }
        return BulkResult(item.index, item.item, null, failure, BulkResult.State.FAILED, costs.cost, false, FromKotlin.CALL)
    }

    private fun kept(call: Call<R>, checkpoint: Checkpoint): KeptCall<R> = keptCall(call) ?: throw CheckpointFault(
        LlmException.Configuration(
            "The checkpoint ${checkpoint.file.fileName} cannot keep the results of a ${call.javaClass.simpleName}: it keeps those of chats (also `typed`), " +
                "embeddings and images. Leave the checkpoint out, or return such a call.",
        ),
    )

    private suspend fun tell() {
        val progress = count.progress
        for (listener in listeners.toList()) {
            try {
                listener.accept(progress)
            } catch (failure: Throwable) { // a listener in Kotlin may throw checked ones, too
                if (failure is Error) throw failure
                currentCoroutineContext().ensureActive()
                listeners -= listener
                count.warn("a listener of the progress failed and is not called again: $failure")
            }
        }
    }

    private companion object {
        /** How far items may be ahead of the first one without a result. */
        const val WINDOW = 1024L
    }
}

/** Runs [function], which uses a file, on a thread that may block. It ends before a cancellation is noticed: an interrupt would close the file. */
private suspend fun <V> onBlockingThread(function: () -> V): V = withContext(NonCancellable) { runUserFunction("a bulk", CallContext.EMPTY) { function() } }

/** A failure that ends the bulk. */
private class CheckpointFault(val failure: LlmException) : RuntimeException(failure)
