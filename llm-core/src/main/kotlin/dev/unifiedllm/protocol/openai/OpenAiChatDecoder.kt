package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.CallFragments
import dev.unifiedllm.protocol.ChoiceState
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.lateError
import dev.unifiedllm.protocol.source
import dev.unifiedllm.provider.Quirks.Thoughts
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.Json

/** Reads chunks and whole completions alike: `delta` and `message` hold the same fields. */
internal class OpenAiChatDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = OpenAiUsage(target.provider.quirks)
    private val content = mutableListOf<Delta>()
    private val choices = mutableListOf<ChoiceState>()
    private val details = if (target.provider.quirks.reasoning.thoughts == Thoughts.DETAILS) ReasoningDetails() else null
    private val sources = linkedSetOf<Delta.Source>()
    private var id: String? = null
    private var model: String? = null
    private var started = false
    private var sawDone = false
    private var refused = false
    private var errorText: String? = null

    /** What came last before any answer: if none follows, it says why. */
    private var stray: String? = null

    override val progress: Progress
        get() = when {
            sawDone -> Progress.DONE
            choices.isNotEmpty() && choices.all { it.isComplete } -> Progress.COMPLETE
            else -> Progress.OPEN
        }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        if (frame.end - frame.start == DONE.size && isDone(frame)) {
            sawDone = true
            start(out)
            return
        }
        val wasComplete = progress != Progress.OPEN
        json.reset(frame.bytes, frame.start, frame.end)
        val isChunk = json.members(CHUNK) { member ->
            when (member) {
                0 -> json.enterChoices()
                1 -> json.stringOrNull()?.let { if (id == null) id = it }
                2 -> json.stringOrNull()?.let { if (model == null && it.isNotEmpty()) model = it }
                3 -> usage.read(json)
                4 -> errorText = json.raw().takeUnless { it in NO_ERROR }
                5 -> json.groq()
                6 -> json.citations()
                7 -> json.searchResults()
            }
        }
        if (!isChunk) return
        json.end()
        errorText?.let { failed(it, wasComplete, out) }
        if (choices.isEmpty()) stray = frame.text()
        if (choices.isNotEmpty() || content.isNotEmpty()) start(out)
        out += content
        content.clear()
    }

    override fun finish(out: MutableList<Delta>) {
        start(out)
        details?.sealed()?.let { out += Delta.Reasoning("", it) }
        out += sources
        out.addFinish(reason(), usage.usage(), usage.cost(target))
    }

    override fun errorInBody(): LlmException? {
        val said = stray?.takeIf { choices.isEmpty() }?.let { ProviderError.of(it) } ?: return null
        return if (said.message == null) null else HttpErrors(target).exception(said)
    }

    /** An error ends the answer, unless that was complete before it. */
    private fun failed(text: String, wasComplete: Boolean, out: MutableList<Delta>) {
        val error = ProviderError.of(Json.parseToJsonElement("{\"error\":$text}"))
        if (!wasComplete) throw HttpErrors(target).exception(error)
        errorText = null
        out += lateError(error, target)
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id?.ifEmpty { null }, target.id, model)
    }

    private fun isDone(frame: Frame): Boolean = DONE.indices.all { frame.bytes[frame.start + it] == DONE[it] }

    private fun JsonCursor.enterChoices() {
        var position = 0
        elements { choice(position++) }
    }

    /** A piece of an answer, or all of it. Some servers send both side by side: then the piece counts, if it says anything. */
    private fun JsonCursor.choice(position: Int) {
        val before = content.size
        var index = position
        var finish: String? = null
        var whole: Said? = null
        var piece: Said? = null
        val isChoice = members(CHOICE) { member ->
            when (member) {
                0 -> longOrNull()?.let { if (it in 0 until MAX_CHOICES) index = it.toInt() }
                1 -> piece = said(before)
                2 -> whole = said(before)
                3 -> finish = stringOrNull()
            }
        }
        if (!isChoice) return
        if (choices.size <= index) repeat(index + 1 - choices.size) { choices += ChoiceState() }
        val state = choices[index]
        val said = if (piece?.isEmpty == false || state.isStreamed) piece else whole
        if (piece == null) {
            state.isWhole = state.isWhole || said != null
        } else if (said === piece) {
            state.isStreamed = true
        }
        said?.content?.mapTo(content) { if (index > 0) it.ofChoice(index) else it }
        said?.fragments?.addTo(content, state, index)
        if (finish != null && state.finish == null && (finish.isNotEmpty() || state.calls.isNotEmpty())) state.finish = finish
    }

    private class Said(val content: List<Delta>, val fragments: CallFragments) {
        val isEmpty: Boolean get() = content.isEmpty() && fragments.isEmpty
    }

    /** What a message says; it is taken out of [content] again. Null where there is none. */
    private fun JsonCursor.said(before: Int): Said? {
        if (kind() != JsonKind.OBJECT) {
            skip()
            return null
        }
        val fragments = CallFragments()
        message(fragments)
        val said = content.subList(before, content.size)
        return Said(said.toList(), fragments).also { said.clear() }
    }

    private fun JsonCursor.message(fragments: CallFragments) {
        var thought = false
        members(MESSAGE) { member ->
            when (member) {
                0 -> text()
                1, 2 -> stringOrNull()?.let {
                    if (it.isNotEmpty() && !thought) {
                        content += Delta.Reasoning(it)
                        thought = true
                    }
                }
                3 -> fragments.read(this)
                4 -> stringOrNull()?.let {
                    if (it.isNotEmpty()) {
                        refused = true
                        content += Delta.Text(it)
                    }
                }
                5 -> annotations()
                6 -> fragments.readLegacy(this)
                7 -> if (details == null) skip() else details.read(this)
            }
        }
    }

    /** A text, or a list of parts of which some may be thoughts. */
    private fun JsonCursor.text() {
        if (kind() == JsonKind.STRING) {
            content.addText(string())
        } else {
            elements { part(thought = false) }
        }
    }

    private fun JsonCursor.part(thought: Boolean) {
        members(PART) { member ->
            when (member) {
                0 -> if (thought) content.addReasoning(stringOrNull()) else content.addText(stringOrNull())
                1 -> if (kind() == JsonKind.STRING) content += Delta.Reasoning(string()) else elements { part(thought = true) }
            }
        }
    }

    private fun JsonCursor.annotations() {
        elements { members(ANNOTATION) { source()?.let(::cited) } }
    }

    private fun cited(found: Delta.Source) {
        sources.removeIf { it.url == found.url && it.title == null }
        if (sources.none { it.url == found.url }) sources += found
    }

    private fun JsonCursor.citations() {
        if (!enterArray()) return
        while (nextElement()) stringOrNull()?.let { url -> if (sources.none { it.url == url }) sources += Delta.Source(url) }
    }

    private fun JsonCursor.searchResults() {
        elements { source()?.let(::cited) }
    }

    private fun JsonCursor.groq() {
        members(GROQ) { member ->
            when (member) {
                0 -> usage.read(this)
                1 -> errorText = raw().takeUnless { it in NO_ERROR }
            }
        }
    }

    private fun reason(): FinishReason {
        val first = choices.firstOrNull()
        val raw = first?.finish
        val kind = when {
            refused -> Kind.REFUSAL
            raw == null -> Kind.UNKNOWN
            raw.isEmpty() -> Kind.TOOL_CALLS
            else -> KINDS[raw] ?: Kind.OTHER
        }
        // A call of the one tool that was named, and of many servers any call, ends with "stop".
        return FinishReason(if (kind == Kind.STOP && first!!.calls.isNotEmpty()) Kind.TOOL_CALLS else kind, raw)
    }

    private fun Delta.ofChoice(choice: Int): Delta = when (this) {
        is Delta.Text -> copy(choice = choice)
        is Delta.Reasoning -> copy(choice = choice)
        else -> this
    }

    private companion object {
        const val MAX_CHOICES = 128

        /** What some gateways write beside every answer. */
        val NO_ERROR = setOf("null", "\"\"", "{}", "[]", "false")
        val DONE = "[DONE]".encodeToByteArray()
        val CHUNK = JsonNames("choices", "id", "model", "usage", "error", "x_groq", "citations", "search_results")
        val CHOICE = JsonNames("index", "delta", "message", "finish_reason")
        val MESSAGE = JsonNames("content", "reasoning_content", "reasoning", "tool_calls", "refusal", "annotations", "function_call", "reasoning_details")
        val PART = JsonNames("text", "thinking")
        val ANNOTATION = JsonNames("url_citation")
        val GROQ = JsonNames("usage", "error")
        val KINDS = mapOf(
            "stop" to Kind.STOP,
            "end_turn" to Kind.STOP,
            "eos" to Kind.STOP,
            "eos_token" to Kind.STOP,
            "stop_sequence" to Kind.STOP,
            "length" to Kind.LENGTH,
            "max_tokens" to Kind.LENGTH,
            "model_length" to Kind.LENGTH,
            "tool_calls" to Kind.TOOL_CALLS,
            "function_call" to Kind.TOOL_CALLS,
            "tool_use" to Kind.TOOL_CALLS,
            "content_filter" to Kind.CONTENT_FILTER,
            "error" to Kind.ERROR,
        )
    }
}
