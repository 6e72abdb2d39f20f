package dev.unifiedllm.jupyter

import dev.unifiedllm.Bulk
import dev.unifiedllm.BulkObserver
import dev.unifiedllm.BulkResult
import dev.unifiedllm.LlmException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import java.util.Collections
import java.util.WeakHashMap
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.coroutines.CoroutineContext
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.TimeSource

/** Shows a bar in the cell for each bulk that runs in it, whatever waits for its results. */
internal object BulkBars {
    /** The bulks with an output of their own. */
    private val followed: MutableSet<Bulk<*, *>> = Collections.synchronizedSet(Collections.newSetFromMap(WeakHashMap()))

    /** Observes all bulks that begin from now on. */
    fun observe() {
        BulkObserver.observer = { bulk -> if (bulk in followed) null else KernelAdapter.outputOrNull()?.let { RunningBar(bulk, it) } }
    }

    /** Leaves the bar of [bulk] to its own output. */
    fun leave(bulk: Bulk<*, *>) {
        followed += bulk
    }
}

/**
 * Shows the progress of [bulk] in [output] until it is closed. The outputs are sent by a thread of its own, because an interrupt of the cell may interrupt the
 * one that collects the results.
 */
internal class RunningBar(
    private val bulk: Bulk<*, *>,
    output: CellOutput,
    threads: CoroutineContext = Dispatchers.IO,
    time: TimeSource = TimeSource.Monotonic,
) : AutoCloseable {
    private val running = Job()
    private val isShown = CountDownLatch(1)

    init {
        CoroutineScope(threads).launch {
            try {
                output.show(bulkBar(bulk.progress, CardState.STREAMING))
                showProgress(bulk, output, running, time)
                output.update(bulkBar(bulk.progress, if (bulk.progress.isEnded) CardState.DONE else CardState.CANCELLED))
            } finally {
                isShown.countDown()
            }
        }
    }

    /** Shows how the bulk has ended, and waits until that is shown, at most half a second: the cell may end next. */
    override fun close() {
        running.complete()
        try {
            isShown.await(CLOSE_WAIT_MILLIS, TimeUnit.MILLISECONDS)
        } catch (_: InterruptedException) {
            Thread.currentThread().interrupt()
        }
    }

    private companion object {
        const val CLOSE_WAIT_MILLIS = 500L
    }
}

/** Updates the bar in [output] until [running] has ended: at most four times a second, and at least once while a second passes. */
private suspend fun showProgress(bulk: Bulk<*, *>, output: CellOutput, running: Job, time: TimeSource) {
    val begun = time.markNow()
    var shownAt = begun
    var shown = bulk.progress.finished
    var ticks = 0L
    while (!running.endsWithin()) {
        val progress = bulk.progress
        val isNews = progress.finished != shown && shownAt.elapsedNow() >= PAUSE
        val seconds = begun.elapsedNow().inWholeSeconds
        if (!isNews && seconds <= ticks) continue
        shown = progress.finished
        shownAt = time.markNow()
        ticks = seconds
        output.update(bulkBar(progress, CardState.STREAMING))
    }
}

/**
 * Sends [bulk] and shows its progress in [output], then what became of it. Failures of its calls are thrown nowhere.
 *
 * @throws Throwable what the bulk as a whole fails with, after it is shown
 */
internal suspend fun followBulk(bulk: Bulk<*, *>, output: CellOutput, time: TimeSource = TimeSource.Monotonic) {
    BulkBars.leave(bulk)
    output.show(bulkBar(bulk.progress, CardState.STREAMING))
    var results: List<BulkResult<*, *>> = emptyList()
    try {
        val failure = coroutineScope {
            var failure: Throwable? = null
            val waiting = launch { failure = collected { results = bulk.await() } }
            showProgress(bulk, output, waiting, time)
            failure
        }
        if (failure != null) throw failure
        output.update(bulkBar(bulk.progress, CardState.DONE, results = results))
    } catch (cancelled: CancellationException) {
        output.update(bulkBar(bulk.progress, CardState.CANCELLED))
        throw cancelled
    } catch (failure: Throwable) { // of any type: a user's model may throw anything
        val isCancelled = failure is LlmException.Cancelled
        output.update(bulkBar(bulk.progress, if (isCancelled) CardState.CANCELLED else CardState.FAILED, failure.takeUnless { isCancelled }))
        throw failure
    }
}

/** [bulk] in its present state. Sends nothing. */
internal fun bulkCard(bulk: Bulk<*, *>): Rendered = when {
    bulk.progress.isEnded -> bulkBar(bulk.progress, CardState.DONE)
    bulk.progress.finished > 0 -> bulkBar(bulk.progress, CardState.STREAMING)
    else -> Waiting("bulk").card(CardState.NEW)
}

private val PAUSE = 250.milliseconds
