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
 * Decodes a prediction: either the object that describes it, which is requested until the prediction ends, or its stream, whose events `output`,
 * `error` and `done` are plain text. A stream reports no usage, so the object is requested once after it.
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
    private var failed = false

    // the steps of a streamed prediction, in this order
    private var isStreamRequested = false
    private var isStreamDone = false
    private var isUsageRequested = false
    private var isUsageRead = false

    override val progress: Progress
        get() = when {
            isUsageRead || (status == SUCCEEDED && !isStreamRequested) -> Progress.DONE
            isStreamDone -> Progress.COMPLETE
            else -> Progress.OPEN
        }

    /** After the last event of a stream its usage is requested, whether or not the server ends the body. */
    override val hasReadBody: Boolean get() = progress == Progress.DONE || (isStreamDone && !isUsageRequested)

    override val readsJson: Boolean get() = false

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        when (frame.event) {
            "output" -> {
                start(out)
                if (frame.end > frame.start) out += Delta.Text(frame.text())
            }
            "error" -> throw failure(ProviderError.of(frame.text()))
            "done" -> {
                start(out)
                REASON.find(frame.text())?.let { throw failure(ProviderError("the prediction ended with reason ${it.groupValues[1]}")) }
                isStreamDone = true
            }
            Frame.MESSAGE -> if (!isStreamRequested || isStreamDone) prediction(frame, out)
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
        error = null
        pieces.clear()
        json.members(Prediction) { member ->
            when (member) {
                Prediction.ID -> id = json.stringOrNull()
                Prediction.MODEL -> model = json.stringOrNull()
                Prediction.STATUS -> status = json.stringOrNull()?.trim()?.lowercase()
                Prediction.OUTPUT -> output()
                Prediction.ERROR -> error = text().takeUnless { it in NO_ERROR }
                Prediction.URLS -> urls()
                Prediction.METRICS -> metrics()
            }
        }
        json.end()
        isUsageRead = isStreamDone
        if (isStreamDone) return
        if (status == null) throw failure(ProviderError.of(frame.text()))
        start(out)
        deliver(out)
        val stated = error?.let(ProviderError::of)
        if (status in FAILED) throw failure(stated ?: ProviderError("the prediction ended with status $status"))
        if (status == SUCCEEDED && stated != null) throw failure(stated)
    }

    /** Adds the pieces that are new since the last response. A list of pieces grows while the prediction runs. */
    private fun deliver(out: MutableList<Delta>) {
        for (index in delivered until pieces.size) if (pieces[index].isNotEmpty()) out += Delta.Text(pieces[index])
        delivered = maxOf(delivered, pieces.size)
    }

    private fun output() {
        when (json.kind()) {
            JsonKind.ARRAY -> json.elements { pieces += text() }
            JsonKind.NULL -> json.skip()
            else -> pieces += text()
        }
    }

    /** A string, or any other value as its JSON. */
    private fun text(): String = if (json.kind() == JsonKind.STRING) json.string() else json.raw()

    private fun urls() {
        json.members(Urls) { member ->
            when (member) {
                Urls.GET -> stateUrl = json.stringOrNull()
                Urls.CANCEL -> cancelUrl = json.stringOrNull()
                Urls.STREAM -> streamUrl = json.stringOrNull()
            }
        }
    }

    private fun metrics() {
        json.members(Metrics) { member ->
            when (member) {
                Metrics.INPUT_TOKEN_COUNT -> input = json.tokens(input)
                Metrics.OUTPUT_TOKEN_COUNT -> output = json.tokens(output)
            }
        }
    }

    override fun followUp(): FollowUp? {
        if (isStreamDone) {
            if (isUsageRequested) return null
            isUsageRequested = true
            return stateUrl?.let { FollowUp(trusted(it)) }
        }
        if (status !in RUNNING || isStreamRequested) return null
        streamUrl?.takeIf { delivered == 0 }?.let {
            isStreamRequested = true
            return FollowUp(trusted(it), accept = "text/event-stream")
        }
        return stateUrl?.let { FollowUp(trusted(it), delay = POLL_DELAY) }
    }

    override fun cancelUpstream(): FollowUp? =
        cancelUrl?.takeIf { !failed && progress == Progress.OPEN }?.let { FollowUp(trusted(it), method = "POST") }

    /** Returns [url] if the key may be sent there: to the host of the base URL, or from one host of Replicate to another. */
    private fun trusted(url: String): String {
        val uri = try {
            URI(url)
        } catch (_: URISyntaxException) {
            null
        }
        val host = uri?.host?.lowercase()
        if (uri != null && host != null && uri.rawUserInfo == null && mayReceiveKey(uri, host)) return url
        throw LlmException.MalformedResponse(
            "The response of ${target.id} continues at another host (${host ?: "none"}), and the key is not sent there. Check the base URL ${target.baseUrl}.",
            details = LlmException.Details(target.id),
        )
    }

    private fun mayReceiveKey(uri: URI, host: String): Boolean {
        val base = URI(target.baseUrl)
        if (host == hostOf(target.baseUrl)) return uri.scheme == base.scheme && uri.port == base.port
        return uri.scheme == "https" && uri.port < 0 && host.endsWith(SITE) && hostOf(target.baseUrl).endsWith(SITE)
    }

    private fun failure(error: ProviderError): LlmException {
        failed = true
        return HttpErrors(target).exception(error)
    }

    override fun finish(out: MutableList<Delta>) {
        out.addFinish(FinishReason(Kind.STOP, status ?: "done"), plainUsage(input, output))
    }

    private object Prediction : JsonNames("id", "model", "status", "output", "error", "urls", "metrics") {
        const val ID = 0
        const val MODEL = 1
        const val STATUS = 2
        const val OUTPUT = 3
        const val ERROR = 4
        const val URLS = 5
        const val METRICS = 6
    }

    private object Urls : JsonNames("get", "cancel", "stream") {
        const val GET = 0
        const val CANCEL = 1
        const val STREAM = 2
    }

    private object Metrics : JsonNames("input_token_count", "output_token_count") {
        const val INPUT_TOKEN_COUNT = 0
        const val OUTPUT_TOKEN_COUNT = 1
    }

    private companion object {
        const val SITE = ".replicate.com"
        val POLL_DELAY = 500.milliseconds
        val RUNNING = setOf("starting", "processing", "queued")
        const val SUCCEEDED = "succeeded"
        val FAILED = setOf("failed", "canceled", "aborted", "error")

        /** Values of `error` that mean no error, as [text] returns them. */
        val NO_ERROR = setOf("null", "", "{}", "[]", "false", "0")
        val REASON = Regex(""""reason"\s*:\s*"(error|canceled)"""")
    }
}
