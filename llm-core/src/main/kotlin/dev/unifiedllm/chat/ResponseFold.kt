package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import kotlin.time.Duration
import kotlin.time.Duration.Companion.nanoseconds

/**
 * Folds the deltas of a stream into a [ChatResponse], in linear time. Not thread-safe.
 *
 * Each step of a tool loop is folded by itself: its tool calls never join those of the step before.
 *
 * @param startedAt when the call was sent, by [nanoTime]
 */
@InternalLlmApi
public class ResponseFold(private val nanoTime: () -> Long = System::nanoTime, private val startedAt: Long = nanoTime()) {
    private var choices = mutableListOf<ChoiceFold>()
    internal val earlier = mutableListOf<Message>()
    internal val media = mutableListOf<Delta.Media>()
    internal val sources = mutableListOf<Delta.Source>()
    internal val embeddings = mutableListOf<Delta.Embedding>()
    internal val warnings = linkedSetOf<String>()
    internal val attempts = mutableListOf<Delta.Attempt>()
    internal val steps = mutableListOf<Delta.StepFinish>()
    private var mediaBefore = 0
    private var sourcesBefore = 0
    internal var start: Delta.Start? = null
        private set
    private val earlierStarts = mutableListOf<Delta.Start>()

    /** One for each step that has begun, in order. */
    internal val starts: List<Delta.Start> get() = earlierStarts + listOfNotNull(start?.takeIf { it !== earlierStarts.lastOrNull() })
    internal var finish: Delta.Finish? = null
        private set
    internal var firstContentAt: Long? = null
    private var finishedAt: Long? = null

    /** The estimated usage of a response that was cut. */
    internal var cutUsage: Usage? = null

    /** How many choices the current step has. */
    internal val choiceCount: Int get() = choices.size

    public fun add(delta: Delta) {
        if (delta.isContent && firstContentAt == null) firstContentAt = nanoTime()
        when (delta) {
            is Delta.Text -> choice(delta.choice).text(delta.text)
            is Delta.Reasoning -> choice(delta.choice).reasoning(delta)
            is Delta.ToolCallDelta -> choice(delta.choice).toolCall(delta)
            is Delta.Raw -> choice(delta.choice).raw(delta)
            is Delta.Start -> start = delta
            is Delta.Finish -> {
                finish = delta
                finishedAt = nanoTime()
            }
            is Delta.Media -> if (!delta.isPartial) media += delta
            is Delta.Source -> sources += delta
            is Delta.Warning -> warnings += delta.message // once: the steps of a tool loop repeat theirs
            is Delta.Attempt -> attempts += delta
            is Delta.Waiting -> Unit
            is Delta.StepFinish -> endStep(delta)
            is Delta.ToolResult -> earlier += Message.tool(Part.ToolResult(delta.id, delta.name, delta.content, delta.error != null))
            Delta.Reset -> reset()
            is Delta.Embedding -> embeddings += delta
        }
    }

    /** The response so far. */
    public fun response(): ChatResponse = ChatResponse.folded(this, nanoTime())

    internal fun latency(now: Long): Duration = since(finishedAt ?: now)

    internal fun since(at: Long): Duration = (at - startedAt).nanoseconds

    internal fun parts(choice: Int): List<Part> = choices.getOrNull(choice)?.parts().orEmpty()

    private fun endStep(delta: Delta.StepFinish) {
        steps += delta
        start?.let(earlierStarts::add)
        earlier += Message(Role.ASSISTANT, parts(0), model = start?.model)
        choices = mutableListOf()
        mediaBefore = media.size
        sourcesBefore = sources.size
    }

    /** Discards the body of the current step; the steps before it stay. */
    private fun reset() {
        choices.clear()
        embeddings.clear()
        media.subList(mediaBefore, media.size).clear()
        sources.subList(sourcesBefore, sources.size).clear()
        start = null
    }

    private fun choice(index: Int): ChoiceFold {
        while (choices.size <= index) choices += ChoiceFold()
        return choices[index]
    }
}

/** The parts of one choice as they grow; neighbours of one kind are one part. */
private class ChoiceFold {
    private val open = mutableListOf<Any>()

    fun text(text: String) {
        ((open.lastOrNull() as? StringBuilder) ?: StringBuilder().also(open::add)).append(text)
    }

    fun reasoning(delta: Delta.Reasoning) {
        val last = open.lastOrNull() as? OpenReasoning
        val continues = last != null && last.signature == null && !delta.isRedacted
        val reasoning = if (continues) last else OpenReasoning(delta.isRedacted).also(open::add)
        reasoning.text.append(delta.text)
        reasoning.signature = delta.signature
    }

    fun toolCall(delta: Delta.ToolCallDelta) {
        val call = open.firstOrNull { it is OpenToolCall && it.index == delta.index } as OpenToolCall? ?: OpenToolCall(delta.index).also(open::add)
        delta.id?.let { call.id = it }
        delta.name?.let { call.name = it }
        delta.signature?.let { call.signature = it }
        call.arguments.append(delta.argumentsFragment)
    }

    fun raw(delta: Delta.Raw) {
        open += Part.Raw(delta.type, delta.json, delta.protocol)
    }

    fun parts(): List<Part> = open.map {
        when (it) {
            is Part -> it
            is OpenToolCall -> Part.ToolCall(it.id, it.name, it.arguments.toString(), it.signature)
            is OpenReasoning -> Part.Reasoning(it.text.toString(), it.signature, it.isRedacted)
            else -> Part.Text(it.toString())
        }
    }
}

private class OpenReasoning(val isRedacted: Boolean) {
    val text = StringBuilder()
    var signature: String? = null
}

private class OpenToolCall(val index: Int) {
    var id = ""
    var name = ""
    val arguments = StringBuilder()
    var signature: String? = null
}
