package dev.unifiedllm.protocol.replicate

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.FollowUp
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.plainUsage
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame
import java.net.URI
import java.net.URISyntaxException
import kotlin.time.Duration.Companion.milliseconds

/**
 * Reads a prediction: the object that describes it, again and again, or its stream, whose events `output`, `error` and `done` hold plain text.
 * The stream ends without figures, so the object is asked for once more.
 */
internal class ReplicateDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private var id: String? = null
    private var model: String? = null
    private var status: String? = null
    private var error: String? = null
    private var stateUrl: String? = null
    private var cancelUrl: String? = null
    private var streamUrl: String? = null
    private var input: Long? = null
    private var output: Long? = null
    private val pieces = mutableListOf<String>()
    private var delivered = 0
    private var started = false
    private var hasFailed = false

    // the prediction's stream: asked for, read to its end; then the prediction itself: asked for its figures, read
    private var isStreamAsked = false
    private var isStreamDone = false
    private var isFiguresAsked = false
    private var isFiguresRead = false

    override val progress: Progress
        get() = when {
            isFiguresRead || (status == "succeeded" && !isStreamAsked) -> Progress.DONE
            isStreamDone -> Progress.COMPLETE
            else -> Progress.OPEN
        }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        when (frame.event) {
            "output" -> {
                start(out)
                if (frame.end > frame.start) out += Delta.Text(frame.text())
            }
            "error" -> throw failure(ProviderError.of(frame.text()))
            "done" -> {
                start(out)
                REASON.find(frame.text())?.let { throw failure(ProviderError("the prediction ended with the reason ${it.groupValues[1]}")) }
                isStreamDone = true
            }
            Frame.MESSAGE -> if (!isStreamAsked || isStreamDone) prediction(frame, out)
        }
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id, target.id, model)
    }

    private fun prediction(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        if (json.kind() != JsonKind.OBJECT) return json.skip()
        status = null
        pieces.clear()
        json.members(PREDICTION) { member ->
            when (member) {
                0 -> id = json.stringOrNull()
                1 -> model = json.stringOrNull()
                2 -> status = json.stringOrNull()
                3 -> output()
                4 -> error = if (json.kind() == JsonKind.STRING) json.string() else json.raw().takeUnless { it == "null" }
                5 -> urls()
                6 -> metrics()
            }
        }
        json.end()
        isFiguresRead = isStreamDone
        if (isStreamDone) return
        if (status == null) throw failure(ProviderError.of(frame.text()))
        start(out)
        text(out)
        if (status in FAILED) throw failure(ProviderError(error ?: "the prediction was ended with the status $status"))
    }

    /** A list that grows while the prediction runs; anything else is there only at the end. */
    private fun text(out: MutableList<Delta>) {
        for (index in delivered until pieces.size) if (pieces[index].isNotEmpty()) out += Delta.Text(pieces[index])
        delivered = maxOf(delivered, pieces.size)
    }

    private fun output() {
        when (json.kind()) {
            JsonKind.ARRAY -> json.elements { pieces += piece() }
            JsonKind.NULL -> json.skip()
            else -> pieces += piece()
        }
    }

    private fun piece(): String = if (json.kind() == JsonKind.STRING) json.string() else json.raw()

    private fun urls() {
        json.members(URLS) { member ->
            when (member) {
                0 -> stateUrl = json.stringOrNull()
                1 -> cancelUrl = json.stringOrNull()
                2 -> streamUrl = json.stringOrNull()
            }
        }
    }

    private fun metrics() {
        json.members(METRICS) { member ->
            when (member) {
                0 -> input = json.tokens()
                1 -> output = json.tokens()
            }
        }
    }

    override fun followUp(): FollowUp? {
        if (isStreamDone) {
            if (isFiguresAsked) return null
            isFiguresAsked = true
            return stateUrl?.let { FollowUp(own(it)) }
        }
        if (status !in RUNNING || isStreamAsked) return null
        streamUrl?.takeIf { delivered == 0 }?.let {
            isStreamAsked = true
            return FollowUp(own(it), accept = "text/event-stream")
        }
        return stateUrl?.let { FollowUp(own(it), delay = POLL) }
    }

    override fun cancelUpstream(): FollowUp? =
        cancelUrl?.takeIf { !hasFailed && progress == Progress.OPEN }?.let { FollowUp(own(it), method = "POST") }

    /** [url], which must be where the key may go: at the host of the base URL, or at another of Replicate's own if that is one of them. */
    private fun own(url: String): String {
        val uri = try {
            URI(url)
        } catch (_: URISyntaxException) {
            null
        }
        val host = uri?.host?.lowercase()
        if (uri != null && host != null && uri.rawUserInfo == null && mayReturnSignatures(uri, host)) return url
        throw LlmException.MalformedResponse(
            "The answer of ${target.id} goes on at another host, ${host ?: "none"}, to which the key is not sent. Check the base URL, ${target.baseUrl}.",
            details = LlmException.Details(target.id),
        )
    }

    private fun mayReturnSignatures(uri: URI, host: String): Boolean {
        val base = URI(target.baseUrl)
        if (host == hostOf(target.baseUrl)) return uri.scheme == base.scheme && uri.port == base.port
        return uri.scheme == "https" && uri.port < 0 && host.endsWith(SITE) && hostOf(target.baseUrl).endsWith(SITE)
    }

    private fun failure(said: ProviderError): LlmException {
        hasFailed = true
        return HttpErrors(target).exception(said)
    }

    override fun finish(out: MutableList<Delta>) {
        out.addFinish(FinishReason(Kind.STOP, status ?: "done"), plainUsage(input, output))
    }

    private companion object {
        const val SITE = ".replicate.com"
        val POLL = 500.milliseconds
        val RUNNING = setOf("starting", "processing", "queued")
        val FAILED = setOf("failed", "canceled", "aborted")
        val REASON = Regex(""""reason"\s*:\s*"(error|canceled)"""")
        val PREDICTION = JsonNames("id", "model", "status", "output", "error", "urls", "metrics")
        val URLS = JsonNames("get", "cancel", "stream")
        val METRICS = JsonNames("input_token_count", "output_token_count")
    }
}
