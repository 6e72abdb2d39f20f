package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ResponseHead
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.json.JsonSyntaxException
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.ConnectionLostException
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.error.quote
import dev.unifiedllm.transport.error.requestId
import dev.unifiedllm.transport.framing.AwsEventStreamDecoder
import dev.unifiedllm.transport.framing.Frame
import dev.unifiedllm.transport.framing.FrameDecoder
import dev.unifiedllm.transport.framing.FramingException
import dev.unifiedllm.transport.framing.NdjsonDecoder
import dev.unifiedllm.transport.framing.SseDecoder
import dev.unifiedllm.transport.framing.WholeBodyDecoder
import dev.unifiedllm.transport.rateLimits
import dev.unifiedllm.withoutFallbackAdvice
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource

/** Reads one HTTP response from its first byte to its end: bytes to frames to deltas, within the deadlines. */
internal class AnswerReader(
    private val target: Target,
    private val decoder: Decoder,
    private val response: TransportResponse,
    private val timeouts: Deadlines,
    private val whole: Boolean,
) {
    private val details = LlmException.Details(target.id, response.status, requestId(response::header))
    private val deltas = ArrayList<Delta>()
    private var frames: FrameDecoder? = null
    private var received = 0L
    private var lost: ConnectionLostException? = null
    private var hasContent = false

    /** Since when the response may be complete: keep-alives do not prolong the wait for its usage. */
    private var endableSince: TimeMark? = null

    /** True once content has been read: from then on the call tries no other model. */
    private var isCommitted = false

    /** True while frames that have been read are not decoded yet: the first content is delivered before what arrived together with it is decoded. */
    private var hasUndecoded = false

    /** The last frame that had no content, as text; null if there was none. */
    private var silent: String? = null

    /** Reads the body to its end. Returns the request that must follow, if the response goes on in another body. */
    suspend fun readInto(emit: suspend (Delta) -> Unit): FollowUp? {
        val bursts = currentCoroutineContext()[Bursts]
        try {
            return readInto(bursts, emit)
        } finally {
            bursts?.endBurst()
        }
    }

    private suspend fun readInto(bursts: Bursts?, emit: suspend (Delta) -> Unit): FollowUp? {
        var lastContent: TimeMark = TimeSource.Monotonic.markNow()
        while (decoder.progress != Progress.DONE) {
            if (hasUndecoded || !response.isReady) bursts?.endBurst()
            val count = try {
                if (hasUndecoded) 0 else read(lastContent)
            } catch (broken: ConnectionLostException) {
                lost = broken
                END
            }
            val failure = decode(count)
            isCommitted = isCommitted || deltas.any { it.isContent }
            bursts?.beginBurst()
            for (index in deltas.indices) emit(withHead(deltas[index]))
            failure?.let { throw advised(it) }
            if (deltas.isNotEmpty()) lastContent = TimeSource.Monotonic.markNow()
            deltas.clear()
            if (count < 0) break
        }
        decoder.followUp()?.let { return it }
        if (decoder.progress == Progress.OPEN) {
            val isProperEnd = lost == null
            if (!isProperEnd || !decoder.isCompleteAtEnd()) {
                val said = if (isProperEnd) decoder.errorInBody() ?: silentError() else null
                throw said?.let(::advised) ?: interrupted("the connection was closed, but the last event of the stream is missing")
            }
        }
        bursts?.endBurst() // pricing the finish may take a while, and so may the drain
        val failure = try {
            decoder.finish(deltas)
            null
        } catch (failure: LlmException) {
            failure
        }
        for (delta in deltas) emit(withHead(delta))
        failure?.let { throw advised(it) }
        drain()
        return null
    }

    private fun advised(failure: LlmException): LlmException = if (isCommitted) failure.withoutFallbackAdvice() else failure

    private fun withHead(delta: Delta): Delta = if (delta is Delta.Start) delta.withHead(head()) else delta

    private fun head() = ResponseHead(details.requestId, response.rateLimits(), (frames as? WholeBodyDecoder)?.text(MAX_RAW))

    private suspend fun read(lastContent: TimeMark): Int {
        if (response.isReady) return response.read()
        // After the response is complete only its usage can follow: it is not worth a long wait.
        val mayEnd = decoder.progress == Progress.COMPLETE || decoder.isCompleteAtEnd()
        val wait = if (decoder.mayContinue) CONTENT_WAIT else USAGE_WAIT
        if (!mayEnd) endableSince = null
        val since = endableSince ?: TimeSource.Monotonic.markNow().also { if (mayEnd) endableSince = it }
        val idle = if (mayEnd) minOf(timeouts.idle, wait - since.elapsedNow()) else timeouts.idle
        val content = timeouts.noContent - lastContent.elapsedNow()
        withTimeoutOrNull(minOf(idle, content).coerceAtLeast(1.milliseconds)) { return@withTimeoutOrNull response.read() }?.let { return it }
        if (mayEnd) return END
        if (content <= idle) {
            throw Timeout(
                "${target.id} sent keep-alives but no content for ${timeouts.noContent}. Try again, or raise timeouts.noContent.",
                Timeout.Phase.NO_CONTENT,
                details = details,
            )
        }
        throw Timeout(
            "${target.id} sent nothing for ${timeouts.idle} in the middle of its response. Try again, or raise timeouts.idle.",
            Timeout.Phase.IDLE,
            details = details,
        )
    }

    /** Decodes what has arrived into [deltas]. A failure is returned, not thrown, so that the deltas before it are delivered first. */
    private fun decode(count: Int): LlmException? {
        try {
            if (count < 0) {
                frames?.finish()?.let(::decode)
                return null
            }
            received += count
            val framing = frames ?: framing(count)?.also { frames = it } ?: return null
            if (!hasUndecoded) framing.feed(response.bytes, 0, count)
            hasUndecoded = false
            while (decoder.progress != Progress.DONE && !hasUndecoded) {
                decode(framing.next() ?: return null)
                hasUndecoded = hasContent && !isCommitted
            }
            return null
        } catch (failure: LlmException) {
            return failure
        } catch (broken: JsonSyntaxException) {
            if (count < 0 && broken.isCut) return interrupted("the connection was closed in the middle of the JSON")
            return malformed("the body is not the JSON of the wire: ${broken.message}", broken)
        } catch (broken: FramingException) {
            return malformed(broken.message!!, broken)
        }
    }

    private fun decode(frame: Frame) {
        if (decoder.readsJson && frames is SseDecoder && !frame.isJson()) return words(frame)
        val before = deltas.size
        decoder.decode(frame, deltas)
        if (deltas.size > before) silent = null
        if (!hasContent) hasContent = (before until deltas.size).any { deltas[it].isContent }
        if (deltas.size > before || decoder.progress != Progress.OPEN || !decoder.readsJson) return
        if (frame.event == "error") throw HttpErrors(target).exception(ProviderError.of(frame.text()))
        remember(frame.text())
    }

    /** Keeps a frame without content. An error in JSON is not replaced by the usage or a keep-alive after it. */
    private fun remember(text: String) {
        val isError = silent?.let { it.startsWith('{') && errorIn(it) != null } ?: false
        if (!isError) silent = text
    }

    /** Words in place of JSON are a keep-alive, the end of the stream, or an error. */
    private fun words(frame: Frame) {
        val text = frame.text().trim()
        when {
            text.isEmpty() -> return
            text.equals("[DONE]", ignoreCase = true) -> {
                if (decoder.progress == Progress.OPEN) silentError(isEnd = true)?.let { throw it }
                decoder.done(deltas)
            }
            decoder.progress != Progress.OPEN -> return
            frame.event == "error" -> throw HttpErrors(target).exception(ProviderError.of(text))
            else -> remember(text)
        }
    }

    /**
     * The failure in the last frame without content: an error that does not have the form of the wire's errors. Null if it is no error.
     *
     * @param isEnd true if the stream says that it ends here, and nothing has said that the response is complete: then a message alone is an error, too
     */
    private fun silentError(isEnd: Boolean = false): LlmException? {
        val error = silent?.let(::errorIn) ?: return null
        val isError = !hasContent || error.type != null || error.code != null || (isEnd && silent!!.startsWith('{'))
        return if (isError) HttpErrors(target).exception(error) else null
    }

    private fun errorIn(text: String): ProviderError? = ProviderError.of(text).takeIf { it.message != null && !it.isSuccess }

    /**
     * Chosen by the content type, else by the first significant byte: a server may send a whole body where a stream was requested, and the reverse.
     * Null while there is no such byte: some servers send white space until the model begins.
     */
    private fun framing(count: Int): FrameDecoder? {
        response.header("content-encoding")?.trim()?.takeIf { it.isNotEmpty() && !it.equals("identity", ignoreCase = true) }?.let {
            val encoding = quote(it, target.key?.reveal())
            throw malformed("its Content-Encoding is $encoding, which was not requested. Check for a proxy that compresses responses.", null)
        }
        val type = response.header("content-type")?.substringBefore(';')?.trim()?.lowercase()
        if (type == "application/vnd.amazon.eventstream") return AwsEventStreamDecoder()
        val first = response.bytes.asSequence().take(count).map { it.toInt().toChar() }.firstOrNull { it !in LEADING_NOISE } ?: return null
        return when {
            first == '<' -> throw malformed("the server sent a web page: is ${target.baseUrl} the address of an API?", null)
            type == "application/x-ndjson" || type == "application/jsonl" -> NdjsonDecoder()
            first == '{' || first == '[' -> if (target.wire.streamsJsonLines && !whole) NdjsonDecoder() else WholeBodyDecoder()
            else -> SseDecoder(takesBareErrors = true)
        }
    }

    /** Reads what is left, so that the connection can be reused. The response has been delivered: this does not fail, and ends soon. */
    private suspend fun drain() {
        if (decoder.progress != Progress.DONE) return
        try {
            withTimeoutOrNull(DRAIN_TIME) {
                var left = DRAIN_BYTES
                while (left > 0) {
                    val count = response.read()
                    if (count < 0) break
                    left -= count
                }
            }
        } catch (_: ConnectionLostException) {
            return // there is nothing left to reuse
        }
    }

    private fun interrupted(clean: String): LlmException {
        val what = if (lost == null) clean else "the connection was lost"
        val message = if (received == 0L) {
            "${target.id} sent an empty response: $what. Try again$OR_ADD_A_FALLBACK"
        } else {
            "The response of ${target.id} was cut: $what. What had arrived is in `partial`; try again."
        }
        return LlmException.StreamInterrupted(message, lost, details)
    }

    private fun malformed(what: String, cause: Throwable?) =
        LlmException.MalformedResponse("The response of ${target.id} cannot be read: $what", cause, details)

    private companion object {
        const val END = -1

        /** The largest body that a response keeps. */
        const val MAX_RAW = 1 shl 20

        const val DRAIN_BYTES = 64 * 1024
        val DRAIN_TIME: Duration = 50.milliseconds
        val USAGE_WAIT: Duration = 5.seconds

        /** How long to wait after a finish reason that more content may follow. */
        val CONTENT_WAIT: Duration = 30.seconds

        /** White space, NUL, and the bytes of a byte order mark: without meaning before the beginning in every framing. */
        val LEADING_NOISE = setOf(' ', '\t', '\r', '\n', '\u0000') + listOf(0xEF, 0xBB, 0xBF).map { it.toByte().toInt().toChar() }
    }
}
