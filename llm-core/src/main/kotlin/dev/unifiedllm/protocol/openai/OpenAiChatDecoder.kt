package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.CallFragments
import dev.unifiedllm.protocol.ChoiceState
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.NO_ERROR
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.checkFinish
import dev.unifiedllm.protocol.finishKind
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
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
    private val usage = OpenAiUsage(target)
    private val content = mutableListOf<Delta>()
    private val choices = mutableListOf<ChoiceState>()
    private val signed = sortedMapOf<Int, SignedFields>() // by choice
    private var messageSigned: SignedFields? = null // of the message that is read
    private val sources = ChatSources()
    private var id: String? = null
    private var model: String? = null
    private var started = false
    private var sawDone = false
    private var refused = false
    private var errorText: String? = null
    private var isErrorObject = false

    override val progress: Progress
        get() = when {
            sawDone -> Progress.DONE
            choices.isNotEmpty() && choices.all { it.isComplete } -> Progress.COMPLETE
            else -> Progress.OPEN
        }

    override val mayContinue: Boolean get() = choices.any { it.isFinishDoubtful }

    override fun isCompleteAtEnd(): Boolean = choices.isNotEmpty() && choices.all { it.isComplete || it.hasEarlyFinish }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
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
                ChatChunk.SERVICE_TIER -> usage.readServiceTier(json)
                ChatChunk.OBJECT -> isErrorObject = json.stringIndex(ERROR_OBJECT) == 0
            }
        }
        if (!isChunk) return
        json.end()
        if (errorText == null && isErrorObject) errorText = frame.text()
        usage.chunkRead(hasContent = content.isNotEmpty())
        if (content.isNotEmpty() || (choices.isNotEmpty() && errorText == null)) start(out)
        out += content
        content.clear()
        errorText?.let { error(it, wasComplete, out) }
    }

    /** Decodes `[DONE]`. */
    override fun done(out: MutableList<Delta>) {
        if (choices.none { it.hasContent || it.isComplete }) throw malformed(target, "it ends with [DONE] and has no content")
        sawDone = true
        start(out)
    }

    override fun finish(out: MutableList<Delta>) {
        start(out)
        for ((choice, fields) in signed) fields.signatures().mapTo(out) { Delta.Reasoning("", it, choice) }
        out += sources.all
        val reason = reason()
        choices.forEach { checkFinish(it.finish, target) }
        out.addFinish(reason, usage.usage(), usage.cost(target))
    }

    /** Throws an error that came before the response was complete; a later one becomes a warning. */
    private fun error(text: String, wasComplete: Boolean, out: MutableList<Delta>) {
        val error = ProviderError.of(Json.parseToJsonElement("{\"error\":$text}"))
        if (!wasComplete) throw HttpErrors(target).exception(error)
        errorText = null
        isErrorObject = false
        out += lateError(error, target)
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id?.ifEmpty { null }, target.id, model)
    }

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
                ChatChoice.ERROR -> raw().let { if (it !in NO_ERROR) errorText = it }
                ChatChoice.USAGE -> usage.read(this)
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
        state.read(hasContent = read?.isEmpty == false, finish, isFinish = finish != null && finish !in NO_FINISH)
        read?.deltas?.mapTo(content) { if (index > 0) it.ofChoice(index) else it }
        read?.fragments?.addTo(content, state, index)
        // The other one counts if only it is signed.
        val fields = read?.signed ?: (if (read === delta) message else delta)?.signed?.takeIf { index !in signed } ?: return
        signed.getOrPut(index, ::signedFields).add(fields)
    }

    private class MessageContent(val deltas: List<Delta>, val fragments: CallFragments, val signed: SignedFields?) {
        val isEmpty: Boolean get() = deltas.isEmpty() && fragments.isEmpty
    }

    private val signedHere: SignedFields get() = messageSigned ?: signedFields().also { messageSigned = it }

    private fun signedFields() = SignedFields(takesDetailsBack = target.provider.quirks.reasoning.sentBackAs == SentBackAs.REASONING_DETAILS)

    /** Reads the next value as a message, and takes what it added to [content] after [before] out again. Null if it is not an object. */
    private fun JsonCursor.messageContent(before: Int): MessageContent? {
        if (kind() != JsonKind.OBJECT) {
            skip()
            return null
        }
        val fragments = CallFragments(CALL_SIGNATURE)
        messageSigned = null
        message(fragments)
        val added = content.subList(before, content.size)
        return MessageContent(added.toList(), fragments, messageSigned).also { added.clear() }
    }

    private fun JsonCursor.message(fragments: CallFragments) {
        var hasReasoning = false
        var detailsText: String? = null
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
                ChatMessage.REASONING_DETAILS -> detailsText = signedHere.details.read(this)
                ChatMessage.IMAGES -> elements { part(isReasoning = false) }
                ChatMessage.THINKING_BLOCKS -> signedHere.fields.readThinkingBlocks(this)
                ChatMessage.EXTRA_CONTENT -> signedHere.fields.readExtraContent(this)
                ChatMessage.EXECUTED_TOOLS -> usage.readExecutedTools(this)
            }
        }
        if (!hasReasoning) content.addReasoning(detailsText)
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
                ChatPart.IMAGE_URL -> imageUrl()?.let { content += generatedImage(it) }
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
            raw != null -> finishKind(raw)
            first?.calls.isNullOrEmpty() -> Kind.UNKNOWN
            else -> Kind.TOOL_CALLS
        }
        // "stop" ends a call of the tool that tool_choice named, and at many servers every tool call.
        return FinishReason(if (kind == Kind.STOP && first!!.calls.isNotEmpty()) Kind.TOOL_CALLS else kind, raw ?: first?.lastWord)
    }

    private fun Delta.ofChoice(choice: Int): Delta = when (this) {
        is Delta.Text -> copy(choice = choice)
        is Delta.Reasoning -> copy(choice = choice)
        else -> this
    }

    private companion object {
        const val MAX_CHOICES = 128

        /** Values of `finish_reason` that stand in chunks before the end. */
        val NO_FINISH = setOf("", "null", "None")
        val ERROR_OBJECT = JsonNames("error")
        val CALL_SIGNATURE = SentBackFields::ofCall
    }
}
