package dev.unifiedllm.jupyter

import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseFold
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource
import kotlin.time.toKotlinDuration

/**
 * The card of an answer that grows. Thread-safe.
 *
 * @param model that was asked for; null if it is not known
 * @param elapsed how long the call has run already
 */
internal class LiveAnswer(
    private val model: ModelId?,
    private val question: String?,
    private val time: TimeSource = TimeSource.Monotonic,
    private val elapsed: Duration = Duration.ZERO,
) {
    constructor(reply: Reply, time: TimeSource = TimeSource.Monotonic) : this(reply.model, question(reply), time, reply.partial?.latency ?: Duration.ZERO)

    private val begun: TimeMark = time.markNow()
    private val fold = ResponseFold({ running().inWholeNanoseconds }, 0)
    private var text = GrowingMarkdown()
    private var length = 0
    private var hasContent = false

    private var phase = "connecting"

    /** When a wait of a known length is over; null if nothing waits. */
    private var until: TimeMark? = null
    private var thinkingSince: TimeMark? = null
    private var thinking: Duration? = null
    private val toolTimes = mutableListOf<Duration>()

    private var isChanged = false
    private var shownLength = 0
    private var shownSize = 0
    private var shownAt: TimeMark = begun

    @Synchronized
    fun add(delta: Delta) {
        fold.add(delta)
        if (delta.isContent) {
            if (delta !is Delta.Reasoning) endThinking()
            hasContent = true
        }
        when (delta) {
            is Delta.Text -> if (delta.choice == 0) add(delta.text)
            is Delta.Reasoning -> if (delta.choice == 0) think(delta.text)
            is Delta.ToolCallDelta -> {
                delta.name?.let { now("calling $it") }
                length += delta.argumentsFragment.length
            }
            is Delta.Waiting -> now("queued: ${delta.reason}", delta.delay?.toKotlinDuration())
            is Delta.Attempt -> now(if (delta.delay == null) "trying the next model" else "trying again", delta.delay?.toKotlinDuration())
            is Delta.Start -> if (!hasContent) now("waiting for the first token")
            is Delta.StepFinish -> next("running tools")
            is Delta.ToolResult -> {
                toolTimes += delta.duration.toKotlinDuration()
                now("waiting for the answer")
            }
            Delta.Reset -> next("asking again")
            is Delta.Media, is Delta.Source, is Delta.Raw -> isChanged = true
            is Delta.Warning, is Delta.Finish, is Delta.Embedding -> Unit
        }
    }

    /** The card as it is now. */
    @Synchronized
    fun card(): AnswerCard {
        isChanged = false
        shownLength = length
        shownAt = time.markNow()
        val response = fold.response()
        val state = if (hasContent) CardState.STREAMING else CardState.WAITING
        return AnswerCard(model, state, response.takeIf { hasContent || it.attempts.isNotEmpty() }, facts = facts(status()))
    }

    /** [card], which is sent now. */
    @Synchronized
    fun rendered(): Rendered = card().render().also { shownSize = it.html.length }

    /**
     * True if an update has enough news: a short card for each few characters, a long one for a part of its length, so that what is sent in all stays in
     * proportion to the answer; and once a second for the time that has passed, less often if the card is long.
     */
    @Synchronized
    fun isDue(): Boolean {
        val pause = shownAt.elapsedNow()
        if (pause < (shownSize / BYTES_PER_MILLISECOND).milliseconds) return false
        val grown = length - shownLength
        val share = if (shownLength < SHORT) SHORT_SHARE else LONG_SHARE
        return isChanged || (grown > 0 && grown >= shownLength / share) || pause >= maxOf(1.seconds, (shownSize / IDLE_BYTES_PER_MILLISECOND).milliseconds)
    }

    /** What the fold of the deltas has; for a stream that is not a reply. */
    @Synchronized
    fun response(): ChatResponse = fold.response()

    /** What is to be said beside the response after its end. */
    @Synchronized
    fun facts(): CardFacts {
        endThinking()
        return facts(null)
    }

    private fun facts(status: String?): CardFacts {
        val thought = thinkingSince?.let { (thinking ?: Duration.ZERO) + it.elapsedNow() } ?: thinking
        return CardFacts(question, thought, toolTimes.toList(), status, status?.let { text.html + withCaret(text.tailHtml) })
    }

    /** As in `queued: a limit of 3 requests a minute, 12 s left · 4 s`. */
    private fun status(): String {
        val left = until?.let { -it.elapsedNow() }?.takeIf { it > Duration.ZERO }
        val wait = left?.let { ", ${(it + ALMOST_SECOND).inWholeSeconds} s left" }.orEmpty()
        val seconds = running().inWholeSeconds
        return phase.capped("events", MAX_PHASE) + wait + if (seconds > 0) " · ${count(seconds)} s" else ""
    }

    private fun running() = elapsed + begun.elapsedNow()

    private fun now(phase: String, wait: Duration? = null) {
        isChanged = isChanged || this.phase != phase || wait != null
        this.phase = phase
        until = wait?.let { time.markNow() + it }
    }

    /** The text of the next step begins. */
    private fun next(phase: String) {
        endThinking()
        thinking = null
        text = GrowingMarkdown()
        isChanged = true
        now(phase)
    }

    private fun add(piece: String) {
        if (piece.isEmpty()) return
        if (phase != STREAMING) now(STREAMING)
        text.append(piece)
        length += piece.length
    }

    private fun think(piece: String) {
        if (thinkingSince == null) thinkingSince = time.markNow()
        if (phase != THINKING) now(THINKING)
        length += piece.length
    }

    private fun endThinking() {
        val since = thinkingSince ?: return
        thinking = (thinking ?: Duration.ZERO) + since.elapsedNow()
        thinkingSince = null
    }

    private companion object {
        const val STREAMING = "streaming"
        const val THINKING = "thinking"
        const val SHORT = 4_000
        const val SHORT_SHARE = 100
        const val LONG_SHARE = 32
        const val BYTES_PER_MILLISECOND = 1_000
        const val IDLE_BYTES_PER_MILLISECOND = 8
        const val MAX_PHASE = 300
        val ALMOST_SECOND = 999.milliseconds
    }
}

/** [html] of the end of a text with a mark where it goes on. */
internal fun withCaret(html: String): String {
    val end = ENDS.firstOrNull { html.endsWith(it) } ?: return html + CARET
    return html.removeSuffix(end) + CARET + end
}

/** Where a text goes on. */
internal const val CARET = "<span class=\"ullm-caret\" aria-hidden=\"true\"></span>"
private val ENDS = listOf("</code></pre></div>", "</div>")
