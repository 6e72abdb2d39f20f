package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector

/**
 * Makes reasoning of the text between `<think>` and `</think>` at the beginning of a response, wherever the stream cuts the tags: [Delta.Reasoning] instead of
 * [Delta.Text]. `[THINK]` (Magistral) and `<seed:think>` (Seed-OSS) count as well.
 *
 * Only the beginning counts, blanks aside: tags after the first word, after a tool call or after reasoning that the server reported itself are text. White
 * space behind both tags is left out. Without a closing tag the whole text is reasoning: the response was cut while the model reasoned.
 *
 * A client uses it by itself for the models that write these tags: see `LlmBuilder.thinkTags`.
 *
 * @param startsInside true if the template of the model holds the opening tag, so that only the closing one is in the text: then the text is reasoning up
 * to the closing tag, or to its end if there is none. Nothing in a stream shows this before the closing tag, so it must be said.
 */
public class ThinkTags @JvmOverloads constructor(private val startsInside: Boolean = false) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = linkFlow {
        var first = TagReader(0, startsInside)
        var others: MutableMap<Int, TagReader>? = null
        next.stream(request).collect { delta ->
            if (delta is Delta.Text && delta.choice == 0) {
                if (first.isPassing) emit(delta) else first.read(delta.text, this@linkFlow)
                return@collect
            }
            when (delta) {
                is Delta.Text -> {
                    val readers = others ?: HashMap<Int, TagReader>().also { others = it }
                    readers.getOrPut(delta.choice) { TagReader(delta.choice, startsInside) }.read(delta.text, this@linkFlow)
                }
                is Delta.Reasoning -> if (delta.isContent) reader(first, others, delta.choice)?.end(this@linkFlow)
                is Delta.ToolCallDelta -> reader(first, others, delta.choice)?.end(this@linkFlow)
                is Delta.Raw -> reader(first, others, delta.choice)?.end(this@linkFlow)
                is Delta.StepFinish, is Delta.Finish -> {
                    first.end(this@linkFlow)
                    others?.values?.forEach { reader -> reader.end(this@linkFlow) }
                }
                else -> Unit
            }
            if (delta !is Delta.Text) emit(delta)
            if (delta is Delta.StepFinish || delta == Delta.Reset) {
                first = TagReader(0, startsInside)
                others = null
            }
        }
    }

    private fun reader(first: TagReader, others: Map<Int, TagReader>?, choice: Int): TagReader? = if (choice == 0) first else others?.get(choice)
}

/** Reads the texts of one choice. Holds back what may be a part of a tag, and white space before a tag. */
private class TagReader(private val choice: Int, startsInside: Boolean) {
    private enum class State { BEFORE, INSIDE, BEHIND, PASSING }

    private var state = if (startsInside) State.INSIDE else State.BEFORE
    private var close: String? = null
    private val held = StringBuilder()
    private var hasReasoning = false

    /** How much of what is held before the opening tag is white space, as far as it has been read. */
    private var blanks = 0

    /** True once no tag can follow: all deltas go through as they are. */
    val isPassing: Boolean get() = state == State.PASSING

    suspend fun read(text: String, out: FlowCollector<Delta>) {
        if (isPassing) {
            if (text.isNotEmpty()) out.emit(Delta.Text(text, choice))
            return
        }
        held.append(text)
        while (true) {
            val delta = step() ?: return
            out.emit(delta)
        }
    }

    /** Anything else than text comes now. What is held back is what it is so far. */
    suspend fun end(out: FlowCollector<Delta>) {
        if (isPassing) return
        if (held.isNotEmpty()) {
            val rest = take(held.length)
            out.emit(if (state == State.INSIDE) Delta.Reasoning(rest, choice = choice) else Delta.Text(rest, choice))
        }
        state = State.PASSING
    }

    /** The next delta of what is held; null if more must come first. */
    private fun step(): Delta? {
        if (state == State.BEFORE) open()
        if (state == State.INSIDE) inside()?.let { return it }
        if (state == State.BEHIND && dropBlanks()) state = State.PASSING
        return if (state == State.PASSING && held.isNotEmpty()) Delta.Text(take(held.length), choice) else null
    }

    private fun open() {
        while (blanks < held.length && held[blanks].isWhitespace()) blanks++
        if (blanks == held.length) return
        val start = blanks
        val found = TAGS.keys.firstOrNull { held.startsWith(it, start) }
        if (found != null) {
            held.delete(0, start + found.length)
            close = TAGS.getValue(found)
            state = State.INSIDE
        } else if (TAGS.keys.none { it.startsWith(held.substring(start)) }) {
            state = State.PASSING
        }
    }

    /** The reasoning up to the closing tag, or up to what may be the beginning of one. */
    private fun inside(): Delta? {
        if (!hasReasoning && !dropBlanks()) return null
        val closes = close?.let(::listOf) ?: TAGS.values
        val found = closes.mapNotNull { tag -> held.indexOf(tag).takeIf { it >= 0 }?.let { it to tag } }.minByOrNull { it.first }
        val end = found?.first ?: (held.length - closes.maxOf(::lengthOfBeginning))
        val reasoning = take(end)
        if (found != null) {
            held.delete(0, found.second.length)
            state = State.BEHIND
        }
        hasReasoning = hasReasoning || reasoning.isNotEmpty()
        return if (reasoning.isEmpty()) null else Delta.Reasoning(reasoning, choice = choice)
    }

    /** How many of the last characters are the beginning of [tag]. */
    private fun lengthOfBeginning(tag: String): Int =
        (minOf(tag.length - 1, held.length) downTo 1).firstOrNull { held.endsWith(tag.substring(0, it)) } ?: 0

    /** Drops white space at the beginning. False if nothing is left. */
    private fun dropBlanks(): Boolean {
        val start = held.indexOfFirst { !it.isWhitespace() }
        held.delete(0, if (start < 0) held.length else start)
        return start >= 0
    }

    private fun take(length: Int): String = held.substring(0, length).also { held.delete(0, length) }

    private companion object {
        /** The opening tags and their closing ones. */
        val TAGS = mapOf("<think>" to "</think>", "[THINK]" to "[/THINK]", "<seed:think>" to "</seed:think>")
    }
}
