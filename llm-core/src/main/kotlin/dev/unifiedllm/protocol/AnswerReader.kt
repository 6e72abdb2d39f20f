package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ResponseHead
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.json.JsonSyntaxException
import dev.unifiedllm.protocol.json.isWholeJson
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.ConnectionLostException
import dev.unifiedllm.transport.ReadInterruptedException
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.error.invalidHttp
import dev.unifiedllm.transport.error.quote
import dev.unifiedllm.transport.error.requestId
import dev.unifiedllm.transport.error.withoutKey
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

/** Reads one HTTP response from its first byte to its end: bytes to frames to deltas, within the deadlines. */
internal class AnswerReader(
    private val target: Target,
    private val decoder: Decoder,
    arrived: TransportResponse,
    timeouts: Deadlines,
    whole: Boolean,
) {
    private val response = GunzippedResponse.of(arrived)
    private val details = LlmException.Details(target.id, response.status, requestId(response::header))
    private val deltas = ArrayList<Delta>()
    private val body = BodyReader(target, response, decoder, timeouts, details)
    private val framing = BodyFraming(target, response, whole, decoder.readsJson)
    private var frames: FrameDecoder? = null
    private var received = 0L
    private var lost: ConnectionLostException? = null
    private var hasContent = false

    /** True once content has been read: from then on the call tries no other model. */
    private var isCommitted = false

    /** True while frames that have been read are not decoded yet: the first content is delivered before what arrived together with it is decoded. */
    private var hasUndecoded = false

    private val silent = SilentFrames()
    private val output = OutputLimit()

    /** Reads the body to its end. Returns the request that must follow, if the response goes on in another body. */
    suspend fun readInto(emit: suspend (Delta) -> Unit): FollowUp? {
        val bursts = currentCoroutineContext()[Bursts]
        try {
            return readInto(bursts, emit)
        } finally {
            body.end()
            bursts?.endBurst()
        }
    }

    private suspend fun readInto(bursts: Bursts?, emit: suspend (Delta) -> Unit): FollowUp? {
        body.contentArrived()
        while (!decoder.hasReadBody) {
            if (hasUndecoded || !response.isReady) bursts?.endBurst()
            val count = if (hasUndecoded) 0 else next()
            val failure = decodeNext(count)
            bursts?.beginBurst()
            for (index in deltas.indices) emit(withHead(deltas[index]))
            failure?.let { throw advised(it) }
            if (deltas.isNotEmpty()) body.contentArrived()
            deltas.clear()
            if (count < 0) break
        }
        return end(bursts, emit)
    }

    private suspend fun next(): Int = try {
        body.read(received > 0, hasContent)
    } catch (broken: ConnectionLostException) {
        lost = broken
        BodyReader.END
    } catch (broken: FramingException) {
        throw advised(malformed(broken.message!!, broken))
    }

    private fun decodeNext(count: Int): LlmException? {
        val failure = decode(count) ?: output.exceeded(deltas)?.let { malformed(it, null) }
        if (!isCommitted) isCommitted = deltas.any { it.isContent }
        return failure
    }

    private suspend fun end(bursts: Bursts?, emit: suspend (Delta) -> Unit): FollowUp? {
        decoder.followUp()?.let { return it }
        if (decoder.progress == Progress.OPEN) {
            if (lost != null || !decoder.isCompleteAtEnd()) throw advised(failureAtEnd())
        } else if (decoder.endsWithoutReason) {
            silentError(isEnd = true)?.let { throw advised(it) }
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

    /** The failure of a response that is not complete at the end of its body. */
    private fun failureAtEnd(): LlmException {
        if (lost == null) (decoder.errorInBody() ?: silentError(isEnd = false))?.let { return it }
        val foreign = if (lost == null && !hasContent && decoder.readsJson) foreignWords() else null
        if (foreign != null) {
            val problem = "it is not what the wire ${target.protocol} expects. Is ${target.baseUrl} the address of an API? It says: ${shown(foreign)}"
            return malformed(problem, null)
        }
        return interrupted("the connection was closed, but the last event of the stream is missing")
    }

    /** The beginning of a body that has nothing of the wire, but ended properly; null if it has something, or is not text. */
    private fun foreignWords(): String? {
        val frames = frames
        val text = when {
            frames is WholeBodyDecoder -> frames.text(MAX_RAW).orEmpty()
            frames is SseDecoder && !frames.hasFields -> frames.strayWords
            else -> null
        }
        return text?.trim()?.takeIf { words -> words.none { it < ' ' && !it.isWhitespace() } }
    }

    private fun advised(failure: LlmException): LlmException = if (isCommitted) failure.withoutFallbackAdvice() else failure

    private fun withHead(delta: Delta): Delta = if (delta is Delta.Start) delta.withHead(head()) else delta

    private fun head() = ResponseHead(details.requestId, response.rateLimits(), (frames as? WholeBodyDecoder)?.text(MAX_RAW))

    /** Decodes what has arrived into [deltas]. A failure is returned, not thrown, so that the deltas before it are delivered first. */
    private fun decode(count: Int): LlmException? {
        try {
            if (count < 0) {
                decodeTail()
                return null
            }
            received += count
            val known = frames
            val frames = known ?: framing.decoder(count)?.also { this.frames = it } ?: return null
            if (known != null && !hasUndecoded) known.feed(response.bytes, 0, count)
            hasUndecoded = false
            while (decoder.progress != Progress.DONE && !hasUndecoded) {
                if (isCommitted) decodeRepeated(frames)
                decode(frames.next() ?: return null)
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

    /** Decodes the frames that equal the last one but for their text. */
    private fun decodeRepeated(frames: FrameDecoder) {
        val template = decoder.repeats ?: return
        while (frames.nextMatching(template)) {
            deltas += decoder.repeat(template.text())
            silent.clear()
        }
    }

    /** Decodes what the end of the body completes. After the end of the response, JSON that is cut is no failure. */
    private fun decodeTail() {
        while (decoder.progress != Progress.DONE) {
            val frame = frames?.finish() ?: return
            val isLate = decoder.progress != Progress.OPEN && decoder.readsJson && frame.isJson()
            if (!isLate || isWholeJson(frame.bytes, frame.start, frame.end)) decode(frame)
        }
    }

    private fun decode(frame: Frame) {
        if (decoder.readsJson && (frames is SseDecoder || frames is NdjsonDecoder) && !frame.isJson()) return words(frame)
        val before = deltas.size
        decoder.decode(frame, deltas)
        if (deltas.size > before) silent.clear()
        if (!hasContent) hasContent = (before until deltas.size).any { deltas[it].isContent }
        if (deltas.size > before || decoder.progress != Progress.OPEN || !decoder.readsJson) return
        if (frame.event == "error") throw HttpErrors(target).exception(ProviderError.of(frame.text()))
        silent.addJson(frame.text())
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
            else -> silent.addWords(text)
        }
    }

    /** @param isEnd true if the stream says that it ends here */
    private fun silentError(isEnd: Boolean): LlmException? =
        silent.error(hasContent, isEnd, decoder.isCompleteAtEnd())?.let { HttpErrors(target).exception(it) }

    /** Reads what is left, so that the connection can be reused. The response has been delivered: this does not fail, and ends soon. */
    private suspend fun drain() {
        if (decoder.progress != Progress.DONE || body.isInterrupted) return
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
        } catch (_: ReadInterruptedException) {
            return
        }
    }

    private fun interrupted(clean: String): LlmException {
        val invalid = lost?.let { invalidHttp(it, response.header("content-length")) }?.let { quote(it, target.key?.reveal()) }
        val cause = lost?.let { withoutKey(it, target.key?.reveal()) }
        if (invalid != null && !hasContent) return malformed("the server sent $invalid. Check for a proxy on the way$OR_ADD_A_FALLBACK", cause)
        val what = if (lost == null) clean else "the connection was lost"
        val last = (silent.lastWords() ?: (frames as? SseDecoder)?.strayWords)?.let { " Its last words: ${shown(it)}." }.orEmpty()
        val message = when {
            invalid != null -> "The response of ${target.id} was cut: $what, because the server sent $invalid. What had arrived is in `partial`; try again."
            received == 0L -> "${target.id} sent an empty response: $what. Try again$OR_ADD_A_FALLBACK"
            else -> "The response of ${target.id} was cut: $what.$last What had arrived is in `partial`; try again."
        }
        return LlmException.StreamInterrupted(message, cause, details)
    }

    /** The beginning of what the server said, in quotation marks, without keys and control characters. */
    private fun shown(text: String): String = "\"${quote(text, target.key?.reveal()).filterNot { it.isISOControl() }.take(MAX_SHOWN)}\""

    private fun malformed(what: String, cause: Throwable?) =
        LlmException.MalformedResponse("The response of ${target.id} cannot be read: $what", cause, details)

    private companion object {
        /** The largest body that a response keeps. */
        const val MAX_RAW = 1 shl 20

        /** The most characters of a body that a message shows. */
        const val MAX_SHOWN = 200

        const val DRAIN_BYTES = 64 * 1024
        val DRAIN_TIME: Duration = 50.milliseconds
    }
}
