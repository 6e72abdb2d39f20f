package dev.unifiedllm

import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.middleware.each
import dev.unifiedllm.middleware.onOwnThread
import dev.unifiedllm.tool.RunningTool
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
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

    /** How many results have been handed on. */
    private val emitted = MutableStateFlow(0L)

    val progress: BulkProgress get() = count.progress

    /** Hands each result to [emit], in the order that was asked for. @param state restores in the workers what is current for the caller */
    suspend fun collect(state: CoroutineContext, emit: suspend (BulkResult<T, R>) -> Unit) {
        count.begin()
        options.checkpoint.let { file -> if (file == null) null else onBlockingThread { Checkpoint.open(file) } }.use { checkpoint ->
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
        count.end()
        tell()
    }

    private suspend fun work(pass: BulkItems<T>.Pass, checkpoint: Checkpoint?, finished: Channel<BulkResult<T, R>>) {
        while (true) {
            // Of items that are not in a collection, those that would not be sent are not taken: they may have no end.
            if (items.size == null && count.stop != null) return
            val item = pass.next() ?: return
            if (inOrder) emitted.first { item.index < it + WINDOW }
            finished.send(result(item, checkpoint))
        }
    }

    private suspend fun result(item: BulkItem<T>, checkpoint: Checkpoint?): BulkResult<T, R> {
        count.stop?.let { return BulkResult(item.index, item.item, null, it, BulkResult.State.NOT_STARTED, null, false, FromKotlin.CALL) }
        var isSent = false
        return try {
            val call = runUserFunction("the call of a bulk", CallContext.EMPTY) { RunningTool.inside(tool) { call(item.item) } }
            val kept = checkpoint?.let { kept(call, it) }
            val key = kept?.let { Checkpoint.key(item.item, it.request) }
            val saved = if (checkpoint == null || key == null) null else onBlockingThread { checkpoint.find(item.index, key) }
            if (kept != null && saved != null) return kept.restore(saved).let { done(item, it, costsOf(call, it), isResumed = true) }
            isSent = true
            val value = call.await()
            val costs = costsOf(call, value)
            count.spent(costs)
            if (kept != null && key != null) onBlockingThread { checkpoint.add(item.index, key, costs.known, kept.deltas()) }?.let(count::warn)
            done(item, value, costs, isResumed = false)
        } catch (cancelled: CancellationException) {
            currentCoroutineContext().ensureActive()
            failed(item, cancelled, isSent)
        } catch (fault: CheckpointFault) {
            throw fault.failure // of the bulk: no item could be kept
        } catch (failure: Throwable) { // of whatever kind: it is the result of the item
            currentCoroutineContext().ensureActive()
            failed(item, failure, isSent)
        }
    }

    private fun done(item: BulkItem<T>, value: R, costs: CallCosts, isResumed: Boolean): BulkResult<T, R> =
        BulkResult(item.index, item.item, value, null, BulkResult.State.DONE, costs.cost, isResumed, FromKotlin.CALL)

    private fun failed(item: BulkItem<T>, failure: Throwable, isSent: Boolean): BulkResult<T, R> {
        val costs = costsOf(failure, isSent)
        count.spent(costs)
        val isBudget = (failure as? LlmException)?.each().orEmpty().any { it is LlmException.BudgetExceeded }
        if (isBudget) {
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

    private fun tell() {
        val progress = count.progress
        for (listener in listeners.toList()) {
            try {
                listener.accept(progress)
            } catch (cancelled: CancellationException) {
                throw cancelled
            } catch (failure: RuntimeException) {
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

/** Runs [function], which may block on files, on a thread for that. */
private suspend fun <V> onBlockingThread(function: () -> V): V = runUserFunction("a bulk", CallContext.EMPTY) { function() }

/** A failure that ends the bulk. */
private class CheckpointFault(val failure: LlmException) : RuntimeException(failure)
