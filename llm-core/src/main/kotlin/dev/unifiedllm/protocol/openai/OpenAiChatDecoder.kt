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
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.lateError
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Quirks.SentBackAs
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.Json

/** Decodes the chunks of a stream, and completions that are not streamed: the same fields stand in `delta` and `message`. */
internal class OpenAiChatDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = OpenAiUsage(target.provider.quirks)
    private val content = mutableListOf<Delta>()
    private val choices = mutableListOf<ChoiceState>()
    private val details = if (target.provider.quirks.reasoning.sentBackAs == SentBackAs.REASONING_DETAILS) ReasoningDetails() else null
    private val sources = ChatSources()
    private var id: String? = null
    private var model: String? = null
    private var started = false
    private var sawDone = false
    private var refused = false
    private var errorText: String? = null

    /** The last text before the first choice. If no choice follows, it may be an error. */
    private var textBeforeChoices: String? = null

    override val progress: Progress
        get() = when {
            sawDone -> Progress.DONE
            choices.isNotEmpty() && choices.all { it.isComplete } -> Progress.COMPLETE
            else -> Progress.OPEN
        }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        if (frame.end - frame.start == DONE.size && isDone(frame)) {
            if (choices.isEmpty()) throw errorInBody() ?: malformed(target, "it ends with [DONE] and has no choice")
            sawDone = true
            start(out)
            return
        }
        val wasComplete = progress != Progress.OPEN
        json.reset(frame.bytes, frame.start, frame.end)
        val isChunk = json.members(ChatChunk) { member ->
            when (member) {
                ChatChunk.CHOICES -> json.choices()
                ChatChunk.ID -> json.stringOrNull()?.let { if (id == null) id = it }
                ChatChunk.MODEL -> json.stringOrNull()?.let { if (model == null && it.isNotEmpty()) model = it }
                ChatChunk.USAGE -> usage.read(json)
                ChatChunk.ERROR -> errorText = json.raw().takeUnless { it in NO_ERROR }
                ChatChunk.X_GROQ -> json.groq()
                ChatChunk.CITATIONS -> sources.readCitations(json)
                ChatChunk.SEARCH_RESULTS -> sources.readSearchResults(json)
            }
        }
        if (!isChunk) return
        json.end()
        errorText?.let { error(it, wasComplete, out) }
        if (choices.isEmpty()) textBeforeChoices = frame.text()
        if (choices.isNotEmpty() || content.isNotEmpty()) start(out)
        out += content
        content.clear()
    }

    override fun finish(out: MutableList<Delta>) {
        start(out)
        details?.signature()?.let { out += Delta.Reasoning("", it) }
        out += sources.all
        out.addFinish(reason(), usage.usage(), usage.cost(target))
    }

    override fun errorInBody(): LlmException? {
        val error = textBeforeChoices?.takeIf { choices.isEmpty() }?.let { ProviderError.of(it) } ?: return null
        return if (error.message == null) null else HttpErrors(target).exception(error)
    }

    /** Throws an error that came before the response was complete; a later one becomes a warning. */
    private fun error(text: String, wasComplete: Boolean, out: MutableList<Delta>) {
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

    private fun JsonCursor.choices() {
        var position = 0
        elements { choice(position++) }
    }

    /** Reads a delta or a message. If a server sends both, the delta counts, unless it is empty. */
    private fun JsonCursor.choice(position: Int) {
        val before = content.size
        var index = position
        var finish: String? = null
        var message: MessageContent? = null
        var delta: MessageContent? = null
        val isChoice = members(ChatChoice) { member ->
            when (member) {
                ChatChoice.INDEX -> longOrNull()?.let { if (it in 0 until MAX_CHOICES) index = it.toInt() }
                ChatChoice.DELTA -> delta = messageContent(before)
                ChatChoice.MESSAGE -> message = messageContent(before)
                ChatChoice.FINISH_REASON -> finish = stringOrNull()
            }
        }
        if (!isChoice) return
        if (choices.size <= index) repeat(index + 1 - choices.size) { choices += ChoiceState() }
        val state = choices[index]
        val read = if (delta?.isEmpty == false || state.isStreamed) delta else message
        if (delta == null) {
            state.isWhole = state.isWhole || read != null
        } else if (read === delta) {
            state.isStreamed = true
        }
        read?.deltas?.mapTo(content) { if (index > 0) it.ofChoice(index) else it }
        read?.fragments?.addTo(content, state, index)
        if (finish != null && state.finish == null && (finish.isNotEmpty() || state.calls.isNotEmpty())) state.finish = finish
    }

    private class MessageContent(val deltas: List<Delta>, val fragments: CallFragments) {
        val isEmpty: Boolean get() = deltas.isEmpty() && fragments.isEmpty
    }

    /** Reads the next value as a message, and takes what it added to [content] after [before] out again. Null if it is not an object. */
    private fun JsonCursor.messageContent(before: Int): MessageContent? {
        if (kind() != JsonKind.OBJECT) {
            skip()
            return null
        }
        val fragments = CallFragments()
        message(fragments)
        val added = content.subList(before, content.size)
        return MessageContent(added.toList(), fragments).also { added.clear() }
    }

    private fun JsonCursor.message(fragments: CallFragments) {
        var hasReasoning = false
        members(ChatMessage) { member ->
            when (member) {
                ChatMessage.CONTENT -> text()
                ChatMessage.REASONING_CONTENT, ChatMessage.REASONING -> stringOrNull()?.let {
                    if (it.isNotEmpty() && !hasReasoning) {
                        content += Delta.Reasoning(it)
                        hasReasoning = true
                    }
                }
                ChatMessage.TOOL_CALLS -> fragments.read(this)
                ChatMessage.REFUSAL -> stringOrNull()?.let {
                    if (it.isNotEmpty()) {
                        refused = true
                        content += Delta.Text(it)
                    }
                }
                ChatMessage.ANNOTATIONS -> sources.readAnnotations(this)
                ChatMessage.FUNCTION_CALL -> fragments.readLegacy(this)
                ChatMessage.REASONING_DETAILS -> if (details == null) skip() else details.read(this)
            }
        }
    }

    /** Reads a text, or a list of parts, some of which may be reasoning. */
    private fun JsonCursor.text() {
        if (kind() == JsonKind.STRING) {
            content.addText(string())
        } else {
            elements { part(isReasoning = false) }
        }
    }

    private fun JsonCursor.part(isReasoning: Boolean) {
        members(ChatPart) { member ->
            when (member) {
                ChatPart.TEXT -> if (isReasoning) content.addReasoning(stringOrNull()) else content.addText(stringOrNull())
                ChatPart.THINKING -> if (kind() == JsonKind.STRING) content += Delta.Reasoning(string()) else elements { part(isReasoning = true) }
            }
        }
    }

    private fun JsonCursor.groq() {
        members(ChatGroq) { member ->
            when (member) {
                ChatGroq.USAGE -> usage.read(this)
                ChatGroq.ERROR -> errorText = raw().takeUnless { it in NO_ERROR }
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
        // "stop" ends a call of the tool that tool_choice named, and at many servers every tool call.
        return FinishReason(if (kind == Kind.STOP && first!!.calls.isNotEmpty()) Kind.TOOL_CALLS else kind, raw)
    }

    private fun Delta.ofChoice(choice: Int): Delta = when (this) {
        is Delta.Text -> copy(choice = choice)
        is Delta.Reasoning -> copy(choice = choice)
        else -> this
    }

    private companion object {
        const val MAX_CHOICES = 128

        /** Values of `error` that some gateways send with every answer. */
        val NO_ERROR = setOf("null", "\"\"", "{}", "[]", "false")
        val DONE = "[DONE]".encodeToByteArray()
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
