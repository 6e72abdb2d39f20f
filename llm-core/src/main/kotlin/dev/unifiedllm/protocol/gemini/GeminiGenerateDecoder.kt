package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.checkFinish
import dev.unifiedllm.protocol.finishKind
import dev.unifiedllm.protocol.isNoError
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
 * Decodes `GenerateContentResponse` objects: one in each frame, one as a whole body, or a list of them, which is a stream without `alt=sse`. The
 * terminal event is the finish reason of every candidate; nothing else marks the end of a stream.
 *
 * @param billsRetrieval see [GeminiSources]
 */
internal class GeminiGenerateDecoder(private val target: Target, billsRetrieval: Boolean = false) : Decoder {
    private val json = JsonCursor()
    private val usage = GeminiUsage()
    private val content = mutableListOf<Delta>()
    private val output = GeminiOutput()

    /** Numbered in the order in which they come: some servers give a single candidate the index 1. */
    private val choices = mutableListOf<GeminiChoice>()

    /** The index on the wire of each of [choices]. */
    private val indexes = mutableListOf<Int>()
    private val sources = GeminiSources(billsRetrieval)
    private var id: String? = null
    private var model: String? = null
    private var blockReason: String? = null
    private var blockMessage: String? = null
    private var errorText: String? = null
    private var started = false
    private var sawDone = false

    override val progress: Progress
        get() = when {
            sawDone -> Progress.DONE
            choices.isNotEmpty() && choices.all { it.state.isComplete } -> Progress.COMPLETE
            else -> Progress.OPEN
        }

    override val mayContinue: Boolean get() = choices.any { it.state.isFinishDoubtful }

    override fun isCompleteAtEnd(): Boolean = choices.isNotEmpty() && choices.all { it.state.isComplete || it.state.hasEarlyFinish }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        if (json.kind() == JsonKind.ARRAY) json.elements { response(out) } else response(out)
        json.end()
    }

    override fun done(out: MutableList<Delta>) {
        sawDone = isCompleteAtEnd()
    }

    override fun finish(out: MutableList<Delta>) {
        for (choice in choices) choice.close(out)
        out += sources.found
        choices.firstOrNull()?.finishMessage?.let { out += Delta.Warning("the provider reported at the end: ${quote(it, target.key?.reveal())}") }
        val reason = finishReason()
        checkFinish(reason.raw, target)
        out.addFinish(reason, usage.usage(sources, output))
    }

    private fun response(out: MutableList<Delta>) {
        val wasComplete = progress == Progress.COMPLETE
        json.members(GeminiResponse) { member ->
            when (member) {
                GeminiResponse.CANDIDATES -> json.candidates()
                GeminiResponse.USAGE_METADATA -> usage.read(json)
                GeminiResponse.MODEL_VERSION -> json.stringOrNull()?.let { if (model == null && it.isNotEmpty()) model = it }
                GeminiResponse.RESPONSE_ID -> json.stringOrNull()?.let { if (id == null && it.isNotEmpty()) id = it }
                GeminiResponse.PROMPT_FEEDBACK -> json.promptFeedback()
                GeminiResponse.ERROR -> errorText = json.raw().takeUnless(::isNoError)
            }
        }
        errorText?.let { fail(it, wasComplete, out) }
        if (choices.isNotEmpty() || blockReason != null) start(out)
        usage.chunkRead(content.any { it.isContent })
        out += content
        content.clear()
        blockReason?.let { throw contentFiltered(it) }
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id, target.id, model)
    }

    /** Throws the error of a response. After the end of the output, adds it as a warning instead. The error's code is an HTTP status. */
    private fun fail(text: String, wasComplete: Boolean, out: MutableList<Delta>) {
        val error = ProviderError.of(Json.parseToJsonElement("{\"error\":$text}"))
        if (!wasComplete) throw HttpErrors(target).exception(error, error.code?.toIntOrNull()?.takeIf { it in STATUSES })
        errorText = null
        out += lateError(error, target)
    }

    private fun contentFiltered(reason: String) = LlmException.ContentFiltered(
        "${target.id} blocked the prompt ($reason)${blockMessage?.let { ": ${quote(it, target.key?.reveal()).trimEnd('.')}" }.orEmpty()}. " +
            "Change the wording, or the safety settings where they allow it.",
        details = LlmException.Details(target.id),
    )

    private fun JsonCursor.promptFeedback() {
        members(GeminiPromptFeedback) { member ->
            when (member) {
                GeminiPromptFeedback.BLOCK_REASON -> blockReason = stringOrNull()?.takeUnless { it == "BLOCK_REASON_UNSPECIFIED" }
                GeminiPromptFeedback.BLOCK_REASON_MESSAGE -> blockMessage = stringOrNull()?.ifBlank { null }
            }
        }
    }

    private fun JsonCursor.candidates() {
        var position = 0
        elements { candidate(position++) }
    }

    private fun JsonCursor.candidate(position: Int) {
        var index: Int? = null
        var finishReason: String? = null
        var finishMessage: String? = null
        val parts = ArrayList<GeminiPart>(1)
        val isCandidate = members(GeminiCandidate) { member ->
            when (member) {
                GeminiCandidate.CONTENT -> content(parts)
                GeminiCandidate.FINISH_REASON -> finishReason = stringOrNull()
                GeminiCandidate.INDEX -> longOrNull()?.let { if (it in 0 until MAX_CHOICES) index = it.toInt() }
                GeminiCandidate.GROUNDING_METADATA -> sources.readGrounding(this)
                GeminiCandidate.CITATION_METADATA -> sources.readCitations(this)
                GeminiCandidate.FINISH_MESSAGE -> finishMessage = stringOrNull()?.ifBlank { null }
            }
        }
        if (!isCandidate) return
        val choice = choice(index, position)
        val before = content.size
        for (part in parts) choice.add(part, content)
        for (at in before until content.size) output.note(content[at])
        val hasContent = content.size > before || parts.any { it.call != null }
        choice.state.read(hasContent, finishReason, isFinish = finishReason.orEmpty().trim().lowercase() !in NO_FINISH)
        finishMessage?.let { choice.finishMessage = it }
    }

    /** The choice with [index]; null if the server sends none, then it is that of its [position] in the list. */
    private fun choice(index: Int?, position: Int): GeminiChoice {
        if (index == null && position < choices.size) return choices[position]
        val known = indexes.indexOf(index ?: position)
        if (known >= 0) return choices[known]
        indexes += index ?: position
        return GeminiChoice(choices.size, target).also { choices += it }
    }

    private fun JsonCursor.content(parts: MutableList<GeminiPart>) {
        members(CONTENT) { elements { parts += GeminiPart().also { it.read(this) } } }
    }

    private fun finishReason(): FinishReason {
        val first = choices.first()
        val raw = first.state.finish ?: return FinishReason(Kind.UNKNOWN, first.state.lastWord)
        val kind = finishKind(raw)
        return FinishReason(if (kind == Kind.STOP && first.hasCalls) Kind.TOOL_CALLS else kind, raw)
    }

    private companion object {
        const val MAX_CHOICES = 128
        val STATUSES = 400..599
        val CONTENT = JsonNames("parts")

        /** Values of `finishReason` that do not end the response. In lower case. */
        val NO_FINISH = setOf("", "null", "none", "finish_reason_unspecified")
    }
}
