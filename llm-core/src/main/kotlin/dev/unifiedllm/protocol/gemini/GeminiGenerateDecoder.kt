package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.lateError
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.error.quote
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.Json

/**
 * Reads `GenerateContentResponse`s: one a frame, one alone, or a list of them, which is how the stream comes without `alt=sse`. Its terminal
 * event is the finish reason; the stream then ends without another sign.
 */
internal class GeminiGenerateDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = GeminiUsage()
    private val content = mutableListOf<Delta>()
    private val choices = mutableListOf<GeminiChoice>()
    private val sources = GeminiSources()
    private var id: String? = null
    private var model: String? = null
    private var blocked: String? = null
    private var blockedMessage: String? = null
    private var errorText: String? = null
    private var started = false

    override val progress: Progress
        get() = if (choices.isNotEmpty() && choices.all { it.finish != null }) Progress.COMPLETE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        if (json.kind() == JsonKind.ARRAY) json.elements { response(out) } else response(out)
        json.end()
    }

    override fun finish(out: MutableList<Delta>) {
        for (choice in choices) choice.close(out)
        out += sources.found
        choices.firstOrNull()?.message?.let { out += Delta.Warning("the provider says of the end: $it") }
        out.addFinish(reason(), usage.usage())
    }

    private fun response(out: MutableList<Delta>) {
        val wasComplete = progress == Progress.COMPLETE
        json.members(RESPONSE) { member ->
            when (member) {
                0 -> json.candidates()
                1 -> usage.read(json)
                2 -> json.stringOrNull()?.let { if (model == null && it.isNotEmpty()) model = it }
                3 -> json.stringOrNull()?.let { if (id == null && it.isNotEmpty()) id = it }
                4 -> json.feedback()
                5 -> if (json.kind() == JsonKind.NULL) json.skip() else errorText = json.raw()
            }
        }
        errorText?.let { failed(it, wasComplete, out) }
        if (choices.isNotEmpty() || blocked != null) start(out)
        out += content
        content.clear()
        blocked?.let { throw filtered(it) }
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id, target.id, model)
    }

    /** An error ends the answer, unless that was complete before it. Its code is the status that it would have had as a response. */
    private fun failed(text: String, wasComplete: Boolean, out: MutableList<Delta>) {
        val error = ProviderError.of(Json.parseToJsonElement("{\"error\":$text}"))
        if (!wasComplete) throw HttpErrors(target).exception(error, error.code?.toIntOrNull()?.takeIf { it in STATUSES }, retryAfter = error.retryDelay)
        errorText = null
        out += lateError(error, target)
    }

    private fun filtered(reason: String) = LlmException.ContentFiltered(
        "${target.id} did not take the question ($reason)${blockedMessage?.let { ": ${quote(it, target.key?.reveal()).trimEnd('.')}" }.orEmpty()}. " +
            "Change the wording, or the safety settings where they allow it.",
        details = LlmException.Details(target.id),
    )

    private fun JsonCursor.feedback() {
        members(FEEDBACK) { member ->
            when (member) {
                0 -> blocked = stringOrNull()?.takeUnless { it == "BLOCK_REASON_UNSPECIFIED" }
                1 -> blockedMessage = stringOrNull()?.ifBlank { null }
            }
        }
    }

    private fun JsonCursor.candidates() {
        var position = 0
        elements { candidate(position++) }
    }

    private fun JsonCursor.candidate(position: Int) {
        var index = position
        var finish: String? = null
        var message: String? = null
        val parts = ArrayList<GeminiPart>(1)
        val isCandidate = members(CANDIDATE) { member ->
            when (member) {
                0 -> content(parts)
                1 -> finish = stringOrNull()?.ifEmpty { null }
                2 -> longOrNull()?.let { if (it in 0 until MAX_CHOICES) index = it.toInt() }
                3 -> sources.readGrounding(this)
                4 -> sources.readCitations(this)
                5 -> message = stringOrNull()?.ifBlank { null }
            }
        }
        if (!isCandidate) return
        while (choices.size <= index) choices += GeminiChoice(choices.size)
        val choice = choices[index]
        for (part in parts) choice.add(part, content)
        finish?.let { choice.finish = it }
        message?.let { choice.message = it }
    }

    private fun JsonCursor.content(parts: MutableList<GeminiPart>) {
        members(CONTENT) { elements { if (enterObject()) parts += GeminiPart().also { it.read(this) } } }
    }

    private fun reason(): FinishReason {
        val first = choices.firstOrNull()
        val raw = first?.finish
        val kind = when (raw) {
            null, "FINISH_REASON_UNSPECIFIED" -> Kind.UNKNOWN
            "STOP" -> if (first.hasCalls) Kind.TOOL_CALLS else Kind.STOP
            "MAX_TOKENS" -> Kind.LENGTH
            in FILTERED -> Kind.CONTENT_FILTER
            in FAILED -> Kind.ERROR
            else -> Kind.OTHER
        }
        return FinishReason(kind, raw)
    }

    private companion object {
        const val MAX_CHOICES = 128
        val STATUSES = 400..599
        val RESPONSE = JsonNames("candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback", "error")
        val CANDIDATE = JsonNames("content", "finishReason", "index", "groundingMetadata", "citationMetadata", "finishMessage")
        val CONTENT = JsonNames("parts")
        val FEEDBACK = JsonNames("blockReason", "blockReasonMessage")
        val FILTERED = setOf(
            "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
            "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
        )
        val FAILED = setOf(
            "MALFORMED_FUNCTION_CALL",
            "UNEXPECTED_TOOL_CALL",
            "TOO_MANY_TOOL_CALLS",
            "MISSING_THOUGHT_SIGNATURE",
            "MALFORMED_RESPONSE",
            "NO_IMAGE",
            "IMAGE_OTHER",
        )
    }
}
