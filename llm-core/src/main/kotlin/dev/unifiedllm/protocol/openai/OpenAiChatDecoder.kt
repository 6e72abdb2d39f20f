package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.CallFragments
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.RepeatedText
import dev.unifiedllm.protocol.addFinish
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.checkFinish
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.lateError
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Quirks.SentBackAs
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame

/** Decodes the chunks of a stream, and completions that are not streamed: the same fields stand in `delta` and `message`. */
internal class OpenAiChatDecoder(private val target: Target) : Decoder {
    private val json = JsonCursor()
    private val usage = OpenAiUsage(target)
    private val content = mutableListOf<Delta>()
    private val parts = ChatParts(content)
    private val choices = ReadChoices()
    private val audio = ChatAudio()
    private val signed = sortedMapOf<Int, SignedFields>() // by choice
    private var messageSigned: SignedFields? = null // of the message that is read
    private val sources = ChatSources()
    private var id: String? = null
    private var model: String? = null
    private var started = false
    private var sawDone = false
    private var refused = false
    private var errorBody: String? = null // as that of an error response
    private var isErrorObject = false

    override val progress: Progress
        get() = when {
            sawDone -> Progress.DONE
            choices.areComplete -> Progress.COMPLETE
            else -> Progress.OPEN
        }

    override val mayContinue: Boolean get() = choices.all.any { it.state.isFinishDoubtful }

    private val repeated = RepeatedText()

    override val repeats: TextTemplate? get() = repeated.template

    override fun repeat(text: String): Delta = repeated.delta(text)

    override fun isCompleteAtEnd(): Boolean = choices.areFinished

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        val wasComplete = progress != Progress.OPEN
        var hasChoices = false
        repeated.begin()
        json.reset(frame.bytes, frame.start, frame.end)
        val isChunk = json.members(ChatChunk) { member ->
            if (member in NULL_IN_CHUNKS) repeated.unlessNull(json)
            when (member) {
                ChatChunk.CHOICES -> hasChoices = json.choices()
                ChatChunk.ID -> json.stringOrNull()?.let { if (id == null) id = it }
                ChatChunk.MODEL -> json.stringOrNull()?.let { if (model == null && it.isNotEmpty()) model = it }
                ChatChunk.USAGE -> usage.read(json)
                ChatChunk.ERROR -> if (!isNoError(json.raw())) errorBody = frame.text()
                ChatChunk.X_GROQ -> json.groq()
                ChatChunk.CITATIONS -> sources.readCitations(json)
                ChatChunk.SEARCH_RESULTS -> sources.readSearchResults(json)
                ChatChunk.SERVICE_TIER -> usage.readServiceTier(json)
                ChatChunk.OBJECT -> isErrorObject = json.stringIndex(ERROR_OBJECT) == 0
            }
        }
        if (!isChunk) return
        json.end()
        if (errorBody == null && isErrorObject) errorBody = frame.text()
        if (errorBody == null && !hasChoices) errorBody = ChatErrors.inOther(frame.text())
        usage.chunkRead(hasContent = content.isNotEmpty())
        if (content.isNotEmpty() || (!choices.isEmpty && errorBody == null)) start(out)
        if (started && errorBody == null && hasChoices && !usage.isCounted) repeated.learn(json, frame, content)
        out += content
        content.clear()
        errorBody?.let { error(it, wasComplete, out) }
    }

    /** Decodes `[DONE]`. */
    override fun done(out: MutableList<Delta>) {
        if (choices.all.none { it.state.hasContent || it.state.isComplete }) throw malformed(target, "it ends with [DONE] and has no content")
        sawDone = true
        start(out)
        choices.unfinished?.let { unfinished(it, out) }
        val cut = choices.all.flatMap { if (it.state.finish == null) it.state.calls else emptyList() }.firstOrNull { it.isCut }
        if (cut != null) throw cut("it ends with [DONE], but the arguments of the tool call \"${cut.name}\" are not complete")
    }

    private fun cut(problem: String) = LlmException.StreamInterrupted(
        "The response of ${target.id} was cut: $problem. What had arrived is in `partial`; try again.",
        details = LlmException.Details(target.id),
    )

    /**
     * LiteLLM sends the finish reason of the first choice only, and then the usage, which is known when all choices are complete.
     *
     * @throws LlmException.StreamInterrupted if there is no usage
     */
    private fun unfinished(choice: Int, out: MutableList<Delta>) {
        if (!usage.isFinal) throw cut("it ends with [DONE], but choice $choice has no finish reason")
        out += Delta.Warning("choice $choice has no finish reason, although the response ended: it may be cut")
    }

    override fun finish(out: MutableList<Delta>) {
        start(out)
        for ((choice, fields) in signed) fields.signatures().mapTo(out) { Delta.Reasoning("", it, choice) }
        out += sources.all
        out += audio.media()
        val reason = choices.reason(refused || parts.hasRefusal)
        choices.all.forEach { checkFinish(it.state.finish, target) }
        usage.mediaRead(hasImages = choices.all.any { it.hasImages }, hasSound = !audio.isEmpty)
        out.addFinish(reason, usage.usage(), usage.cost(target))
    }

    /** Throws an error that came before the response was complete; a later one becomes a warning. */
    private fun error(body: String, wasComplete: Boolean, out: MutableList<Delta>) {
        val error = ProviderError.of(body)
        if (!wasComplete) throw HttpErrors(target).exception(error)
        errorBody = null
        isErrorObject = false
        out += lateError(error, target)
    }

    private fun start(out: MutableList<Delta>) {
        if (started) return
        started = true
        out += Delta.Start(id?.ifEmpty { null }, target.id, model)
    }

    /** Reads a list of choices, or one choice. False if there is none. */
    private fun JsonCursor.choices(): Boolean {
        var position = 0
        if (kind() == JsonKind.OBJECT) choice(position++) else elements { choice(position++) }
        if (position > 1) repeated.never()
        return position > 0
    }

    /** Reads a delta or a message. If a server sends both, the delta counts, unless it is empty; of the message then what no delta had. */
    private fun JsonCursor.choice(position: Int) {
        val before = content.size
        var index: Int? = null
        var finish: String? = null
        var message: MessageContent? = null
        var delta: MessageContent? = null
        var text: String? = null
        val isChoice = members(ChatChoice) { member ->
            if (member in NULL_IN_CHOICES) repeated.unlessNull(this)
            when (member) {
                ChatChoice.INDEX -> index = longOrNull()?.takeIf { it in 0 until MAX_CHOICES }?.toInt()
                ChatChoice.DELTA -> delta = messageContent(before, isWhole = false)
                ChatChoice.MESSAGE -> message = messageContent(before, isWhole = true)
                ChatChoice.FINISH_REASON -> finish = stringOrNull()
                ChatChoice.ERROR -> nestedError()
                ChatChoice.USAGE -> usage.read(this)
                ChatChoice.TEXT -> text = stringOrNull()
            }
        }
        if (!isChoice) return
        // Together sends the text beside the delta, too.
        if (delta == null && message == null && !text.isNullOrEmpty()) delta = MessageContent(listOf(Delta.Text(text.orEmpty())), CallFragments(), null)
        val number = choices.number(index, position)
        val choice = choices.all[number]
        val state = choice.state
        val isEnd = finish != null && finish !in NO_FINISH
        if (isEnd || state.finish != null || delta?.fragments?.isEmpty == false) repeated.never()
        val isLast = delta == null || isEnd || state.finish != null
        val read = if (delta?.isEmpty == false || state.isStreamed) delta else message
        if (delta == null) {
            state.isWhole = state.isWhole || read != null
        } else if (read === delta) {
            state.isStreamed = true
        }
        state.read(hasContent = read?.isEmpty == false, finish, isFinish = isEnd)
        read?.let { add(it, choice, number) }
        if (isLast && read !== message) message?.let { add(choice.unseen(it), choice, number) }
        // The other one counts if only it is signed.
        val fields = read?.signed ?: (if (read === delta) message else delta)?.signed?.takeIf { number !in signed } ?: return
        signed.getOrPut(number, ::signedFields).add(fields)
    }

    private fun add(read: MessageContent, choice: ReadChoice, number: Int) {
        choice.note(read.deltas)
        read.deltas.mapTo(content) { it.ofChoice(number) }
        read.fragments.addTo(content, choice.state, number)
    }

    /** Reads an `error` in a choice. */
    private fun JsonCursor.nestedError() {
        val error = raw()
        if (!isNoError(error)) errorBody = "{\"error\":$error}"
    }

    private val signedHere: SignedFields get() = messageSigned ?: signedFields().also { messageSigned = it }

    private fun signedFields() = SignedFields(takesDetailsBack = target.provider.quirks.reasoning.sentBackAs == SentBackAs.REASONING_DETAILS)

    /**
     * Reads the next value as a message, and takes what it added to [content] after [before] out again. Null if it is not an object.
     *
     * @param isWhole false for a delta
     */
    private fun JsonCursor.messageContent(before: Int, isWhole: Boolean): MessageContent? {
        if (kind() != JsonKind.OBJECT) {
            skip()
            return null
        }
        val fragments = CallFragments(CALL_SIGNATURE)
        messageSigned = null
        val hasSound = message(fragments, isWhole)
        val added = content.subList(before, content.size)
        return MessageContent(added.toList(), fragments, messageSigned, hasSound).also { added.clear() }
    }

    /** @return true if a piece of sound was in the message */
    private fun JsonCursor.message(fragments: CallFragments, isWhole: Boolean): Boolean {
        val before = content.size
        var hasReasoning = false
        var detailsText: String? = null
        var sound: ChatAudio.Piece? = null
        members(ChatMessage) { member ->
            if (member !in REPEATED) repeated.unlessNull(this)
            when (member) {
                ChatMessage.CONTENT -> if (kind() == JsonKind.STRING) {
                    string().let { if (it.isNotEmpty()) content += Delta.Text(it).also { repeated.textRead(this) } }
                } else {
                    repeated.unlessNull(this)
                    parts.content(this)
                }
                ChatMessage.REASONING_CONTENT, ChatMessage.REASONING -> stringOrNull()?.let {
                    if (it.isNotEmpty() && !hasReasoning) {
                        content += Delta.Reasoning(it)
                        repeated.textRead(this)
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
                ChatMessage.IMAGES -> parts.images(this)
                ChatMessage.THINKING_BLOCKS -> signedHere.fields.readThinkingBlocks(this)
                ChatMessage.EXTRA_CONTENT -> signedHere.fields.readExtraContent(this)
                ChatMessage.EXECUTED_TOOLS -> usage.readExecutedTools(this)
                ChatMessage.AUDIO -> sound = audio.read(this, isWhole)
                ChatMessage.ERROR -> nestedError()
            }
        }
        if (!hasReasoning) content.addReasoning(detailsText)
        val spoken = sound ?: return false
        if ((before until content.size).none { content[it] is Delta.Text }) content.addText(spoken.transcript)
        return spoken.hasSound
    }

    private fun JsonCursor.groq() {
        members(ChatGroq) { member ->
            when (member) {
                ChatGroq.USAGE -> usage.read(this)
                ChatGroq.ERROR -> nestedError()
            }
        }
    }

    private companion object {
        const val MAX_CHOICES = 128
        val NO_FINISH = setOf("", "null", "None") // values of `finish_reason` that stand in chunks before the end
        val ERROR_OBJECT = JsonNames("error")

        // What a chunk that repeats has not, or as null.
        val NULL_IN_CHUNKS = intArrayOf(ChatChunk.USAGE, ChatChunk.X_GROQ, ChatChunk.CITATIONS, ChatChunk.SEARCH_RESULTS)
        val NULL_IN_CHOICES = intArrayOf(ChatChoice.MESSAGE, ChatChoice.USAGE, ChatChoice.TEXT)

        /** The members of a message that may differ from chunk to chunk without more than their text changing. */
        val REPEATED = intArrayOf(ChatMessage.CONTENT, ChatMessage.REASONING_CONTENT, ChatMessage.REASONING, ChatMessage.TOOL_CALLS)
        val CALL_SIGNATURE = SentBackFields::ofCall
    }
}
