package dev.unifiedllm.jupyter

import dev.unifiedllm.Comparison
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource

/**
 * Sends [comparison] and shows all its answers side by side in [output] while they grow, at most 19 updates a second; then the final card.
 *
 * A failure of a model is shown in its column and thrown nowhere.
 *
 * @throws Throwable if the comparison as a whole is cancelled, after the card is shown
 */
internal suspend fun followComparison(comparison: Comparison, output: CellOutput, time: TimeSource = TimeSource.Monotonic) {
    if (comparison.replies.all { it.hasEnded }) {
        output.show(comparisonCard(comparison))
        comparison.await()
        return
    }
    val live = LiveComparison(comparison, time)
    output.show(live.rendered())
    try {
        coroutineScope {
            val result = async { collected { comparison.await() } }
            val collecting = launch { live.collect() }
            while (!collecting.endsWithin()) if (live.isDue()) output.update(live.rendered())
            val failure = result.await()
            output.update(comparisonCard(comparison))
            if (failure != null) throw failure
        }
    } catch (cancelled: CancellationException) {
        awaitEnd(comparison)
        output.update(live.stopped())
        throw cancelled
    }
}

internal val Reply.hasEnded: Boolean get() = state != Reply.State.NEW && state != Reply.State.RUNNING

/** The calls end soon after their last consumer has left. Then their tokens are estimated. */
private suspend fun awaitEnd(comparison: Comparison) = withContext(NonCancellable) {
    withTimeoutOrNull(STOP_WAIT) { while (comparison.replies.any { !it.hasEnded }) delay(STOP_CHECK) }
}

/** The answers of [comparison] while they arrive. */
private class LiveComparison(private val comparison: Comparison, private val time: TimeSource) {
    private val question = question(comparison.replies.first())
    private val columns = comparison.replies.map { LiveColumn(it, LiveAnswer(it, time)) }
    private val grown = AtomicInteger()
    private var shownSize = 0
    private var shownAt: TimeMark = time.markNow()

    /** Takes what arrives until all answers have ended. */
    suspend fun collect() = coroutineScope { columns.forEach { column -> launch { column.collect(grown) } } }

    fun rendered(): Rendered {
        grown.set(0)
        shownAt = time.markNow()
        return compareCard(question, columns.map { it.shown() }, CardState.STREAMING).also { shownSize = it.html.length }
    }

    /** The card after the cell was stopped. */
    fun stopped(): Rendered {
        columns.forEach { it.keepFacts() }
        if (comparison.replies.all { it.hasEnded }) return comparisonCard(comparison, null)
        return compareCard(question, columns.map { it.shown() }, CardState.CANCELLED)
    }

    /** True if there is news: a share of what was shown, so that what is sent in all stays in proportion to the answers, or a time that grows with it. */
    fun isDue(): Boolean {
        if (columns.none { it.isDue() }) return false
        val share = if (shownSize < SHORT) SHORT_SHARE else LONG_SHARE
        return grown.get() * share >= shownSize.coerceAtLeast(1) || shownAt.elapsedNow() >= maxOf(LEAST, SECOND * (shownSize / SHORT))
    }

    private companion object {
        const val SHORT = 16_000
        const val SHORT_SHARE = 256
        const val LONG_SHARE = 40
        val LEAST = 250.milliseconds
        val SECOND = 1.seconds
    }
}

/** The answer of one model while it arrives. */
private class LiveColumn(private val reply: Reply, private val live: LiveAnswer) {
    @Volatile
    private var final: ComparedColumn? = null

    @Volatile
    private var isShownAtEnd = false

    suspend fun collect(grown: AtomicInteger) {
        val failure = collected {
            reply.events().collect { delta ->
                live.add(delta)
                grown.addAndGet(lengthOf(delta))
            }
        }
        keepFacts()
        if (failure == null) keep(live.facts().with(downloaded(reply)))
        final = column(answerCard(reply, failure))
    }

    fun keepFacts() {
        if (final == null) keep(live.facts())
    }

    private fun keep(facts: CardFacts) {
        CardFacts.keep(reply, facts)
        if (reply.state == Reply.State.DONE) reply.partial?.let { CardFacts.keep(it, facts) }
    }

    fun shown(): ComparedColumn {
        final?.let { ended ->
            isShownAtEnd = true
            return ended
        }
        return column(live.card())
    }

    fun isDue(): Boolean = if (final == null) live.isDue() else !isShownAtEnd

    private fun column(card: AnswerCard) = ComparedColumn("${reply.model}", emptyList(), card)

    private fun lengthOf(delta: Delta) = when (delta) {
        is Delta.Text -> delta.text.length
        is Delta.Reasoning -> delta.text.length
        is Delta.ToolCallDelta -> delta.argumentsFragment.length
        else -> 0
    }
}

private val STOP_WAIT = 300.milliseconds
private val STOP_CHECK = 5.milliseconds
