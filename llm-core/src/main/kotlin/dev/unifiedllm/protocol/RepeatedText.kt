package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.transport.framing.Frame

/**
 * Finds out for a decoder whether frames like the one that it reads would add a text and change nothing else: see [Decoder.repeats]. The decoder says what it
 * reads that a repeated frame must not have.
 */
internal class RepeatedText {
    private val known = TextTemplate()
    private var mayRepeat = false
    private var textStart = NONE
    private var textEnd = NONE
    private var isReasoning = false

    val template: TextTemplate? get() = if (known.isReady) known else null

    /** A frame is going to be read. */
    fun begin() {
        known.clear()
        mayRepeat = true
        textStart = NONE
    }

    /** The frame has something that changes more than the text. */
    fun never() {
        mayRepeat = false
    }

    /** As [never], if the next value is not null. */
    fun unlessNull(json: JsonCursor) {
        if (mayRepeat && json.kind() != JsonKind.NULL) mayRepeat = false
    }

    /** The string that [json] has just read is the text of a delta. Two of them do not repeat. */
    fun textRead(json: JsonCursor) {
        if (textStart != NONE) mayRepeat = false
        textStart = json.stringStart
        textEnd = json.stringEnd
    }

    /** The frame has been read, and has given [deltas]. */
    fun learn(json: JsonCursor, frame: Frame, deltas: List<Delta>) {
        if (!mayRepeat || textStart == NONE || deltas.size != 1) return
        val delta = deltas[0]
        isReasoning = delta is Delta.Reasoning
        val isPlain = (delta is Delta.Text && delta.choice == 0) || (delta is Delta.Reasoning && delta.choice == 0 && delta.signature == null)
        if (isPlain) known.learn(json, frame.bytes, frame.start, frame.end, textStart, textEnd)
    }

    fun delta(text: String): Delta = if (isReasoning) Delta.Reasoning(text) else Delta.Text(text)

    private companion object {
        const val NONE = -1
    }
}
