package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportResponse
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource

/** Reads the body of [response], within the time limits. */
internal class BodyReader(
    private val target: Target,
    private val response: TransportResponse,
    private val decoder: Decoder,
    private val timeouts: Deadlines,
    private val details: LlmException.Details,
) {
    private val watch = ReadWatch(response)
    private var lastContent = TimeSource.Monotonic.markNow()

    /** Since when the response may be complete: keep-alives do not prolong the wait for its usage. */
    private var endableSince: TimeMark? = null

    /** True if a wait has taken too long: then nothing more can be read. */
    val isInterrupted: Boolean get() = watch.isInterrupted

    /** The time limit for content begins again. */
    fun contentArrived() {
        lastContent = TimeSource.Monotonic.markNow()
    }

    /** Nothing more is read. */
    fun end(): Unit = watch.end()

    /**
     * As [TransportResponse.read]. [END] as well if nothing comes any more that is worth a wait.
     *
     * @throws Timeout if it takes too long
     */
    suspend fun read(hasBody: Boolean, hasContent: Boolean): Int {
        // After the response is complete only its usage can follow: it is not worth a long wait.
        val mayEnd = decoder.progress == Progress.COMPLETE || decoder.isCompleteAtEnd()
        val idle = idle(mayEnd, hasBody, hasContent)
        val content = timeouts.noContent(hasBody, hasContent) - lastContent.elapsedNow()
        if (!response.isReady) {
            val count = watch.read(minOf(idle, content).coerceAtLeast(1.milliseconds))
            if (count != ReadWatch.TOO_LATE) return count
        } else if (content.isPositive() && (!mayEnd || idle.isPositive())) {
            currentCoroutineContext().ensureActive() // bytes that have arrived are read without suspending
            return response.read()
        }
        if (mayEnd) return END
        throw tooLate(content <= idle, hasBody, hasContent)
    }

    private fun idle(mayEnd: Boolean, hasBody: Boolean, hasContent: Boolean): Duration {
        val limit = timeouts.idle(hasBody, hasContent)
        if (!mayEnd) {
            endableSince = null
            return limit
        }
        val since = endableSince ?: TimeSource.Monotonic.markNow().also { endableSince = it }
        return minOf(limit, (if (decoder.mayContinue) CONTENT_WAIT else USAGE_WAIT) - since.elapsedNow())
    }

    private fun tooLate(isContent: Boolean, hasBody: Boolean, hasContent: Boolean): Timeout = if (isContent) {
        Timeout(
            "${target.id} sent keep-alives but no content for ${timeouts.noContent(hasBody, hasContent)}. Try again, or raise timeouts.noContent.",
            Timeout.Phase.NO_CONTENT,
            details = details,
        )
    } else {
        Timeout(
            "${target.id} sent nothing for ${timeouts.idle(hasBody, hasContent)} in the middle of its response. Try again, or raise timeouts.idle.",
            Timeout.Phase.IDLE,
            details = details,
        )
    }

    companion object {
        const val END: Int = -1
        private val USAGE_WAIT: Duration = 5.seconds

        /** How long to wait after a finish reason that more content may follow. */
        private val CONTENT_WAIT: Duration = 30.seconds
    }
}
