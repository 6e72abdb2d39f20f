package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import kotlinx.coroutines.flow.Flow
import kotlin.time.Duration
import kotlin.time.Duration.Companion.nanoseconds

/**
 * Folds the deltas of one answer into a [ChatResponse], in linear time. Not thread-safe.
 *
 * @param startedAt when the call began, by [nanoTime]
 */
@InternalLlmApi
public class ResponseFold(private val nanoTime: () -> Long = System::nanoTime, private val startedAt: Long = nanoTime()) {
    private val bodies = mutableListOf<Body>()
    internal val media = mutableListOf<Delta.Media>()
    internal val sources = mutableListOf<Delta.Source>()
    internal val warnings = mutableListOf<String>()
    internal val attempts = mutableListOf<Delta.Attempt>()
    internal val steps = mutableListOf<Delta.StepFinish>()
    internal var start: Delta.Start? = null
        private set
    internal var finish: Delta.Finish? = null
        private set
    internal var firstContentAt: Long? = null
        private set
    internal var finishedAt: Long? = null
        private set

    internal val choices: Int get() = bodies.size

    /** @param at when it arrived, by the same clock */
    public fun add(delta: Delta, at: Long = nanoTime()) {
        if (delta.isContent && firstContentAt == null) firstContentAt = at
        when (delta) {
            is Delta.Text -> body(delta.choice).text(delta.text)
            is Delta.Reasoning -> body(delta.choice).reasoning(delta)
            is Delta.ToolCallDelta -> body(delta.choice).toolCall(delta)
            is Delta.Start -> start = delta
            is Delta.Finish -> {
                finish = delta
                finishedAt = at
            }
            is Delta.Media -> media += delta
            is Delta.Source -> sources += delta
            is Delta.Warning -> warnings += delta.message
            is Delta.Attempt -> attempts += delta
            is Delta.StepFinish -> steps += delta
            Delta.Reset -> {
                bodies.clear()
                media.clear()
                sources.clear()
                start = null
            }
            is Delta.Embedding, is Delta.ToolResult -> Unit
        }
    }

    /** The answer so far. */
    public fun response(): ChatResponse = ChatResponse(this, nanoTime())

    internal fun since(at: Long): Duration = (at - startedAt).nanoseconds

    internal fun parts(choice: Int): List<Part> = bodies.getOrNull(choice)?.parts().orEmpty()

    private fun body(choice: Int): Body {
        while (bodies.size <= choice) bodies += Body()
        return bodies[choice]
    }

    /** One answer's parts as they grow; neighbours of one kind are one part. */
    private class Body {
        private val open = mutableListOf<Any>()

        fun text(text: String) {
            ((open.lastOrNull() as? StringBuilder) ?: StringBuilder().also(open::add)).append(text)
        }

        fun reasoning(delta: Delta.Reasoning) {
            val last = open.lastOrNull() as? Thought
            val continues = last != null && last.signature == null && !delta.isRedacted
            val thought = if (continues) last else Thought(isRedacted = delta.isRedacted).also(open::add)
            thought.text.append(delta.text)
            thought.signature = delta.signature
        }

        fun toolCall(delta: Delta.ToolCallDelta) {
            val call = open.firstOrNull { it is Call && it.index == delta.index } as Call? ?: Call(delta.index).also(open::add)
            delta.id?.let { call.id = it }
            delta.name?.let { call.name = it }
            delta.signature?.let { call.signature = it }
            call.arguments.append(delta.argumentsFragment)
        }

        fun parts(): List<Part> = open.map {
            when (it) {
                is Call -> Part.ToolCall(it.id, it.name, it.arguments.toString(), it.signature)
                is Thought -> Part.Reasoning(it.text.toString(), it.signature, it.isRedacted)
                else -> Part.Text(it.toString())
            }
        }
    }

    private class Thought(val isRedacted: Boolean) {
        val text = StringBuilder()
        var signature: String? = null
    }

    private class Call(val index: Int) {
        var id = ""
        var name = ""
        val arguments = StringBuilder()
        var signature: String? = null
    }
}

/** Collects the flow into the answer that it makes. */
@InternalLlmApi
public suspend fun Flow<Delta>.toResponse(): ChatResponse {
    val fold = ResponseFold()
    collect { fold.add(it) }
    return fold.response()
}
