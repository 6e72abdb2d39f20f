package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.transport.framing.Frame

/**
 * Decodes as [decoder] does, and joins the halves of a surrogate pair that a server sends in two pieces of text or of reasoning: no consumer sees half a letter.
 * A half without its other one is delivered with what follows, or at the finish.
 */
internal class WholeLetters(private val decoder: Decoder) : Decoder by decoder {
    /** The half that ended the last piece. */
    private var half: Delta? = null

    override val repeats: TextTemplate? get() = if (half == null) decoder.repeats else null

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        val before = out.size
        try {
            decoder.decode(frame, out)
        } finally {
            join(out, before)
        }
    }

    override fun done(out: MutableList<Delta>) {
        val before = out.size
        decoder.done(out)
        join(out, before)
    }

    override fun finish(out: MutableList<Delta>) {
        val before = out.size
        decoder.finish(out)
        join(out, before)
    }

    private fun join(out: MutableList<Delta>, from: Int) {
        var at = from
        while (at < out.size) {
            if (half != null) at = complete(out, at)
            val delta = out[at]
            val text = text(delta)
            if (text == null || text.isEmpty() || !text.last().isHighSurrogate()) {
                at++
                continue
            }
            half = changed(delta, text.takeLast(1))
            if (text.length == 1) out.removeAt(at) else out[at++] = changed(delta, text.dropLast(1))
        }
    }

    /** Puts the half before the text that continues it, or before the content or the finish that does not. Returns where that is. */
    private fun complete(out: MutableList<Delta>, at: Int): Int {
        val delta = out[at]
        val begun = half!!
        if (begun::class == delta::class && choice(begun) == choice(delta)) {
            out[at] = changed(delta, text(begun) + text(delta))
        } else if (delta.isContent || delta is Delta.Finish) {
            out.add(at, begun)
            half = null
            return at + 1
        } else {
            return at
        }
        half = null
        return at
    }

    private fun text(delta: Delta): String? = when (delta) {
        is Delta.Text -> delta.text
        is Delta.Reasoning -> delta.text
        else -> null
    }

    private fun choice(delta: Delta): Int = when (delta) {
        is Delta.Text -> delta.choice
        is Delta.Reasoning -> delta.choice
        else -> 0
    }

    private fun changed(delta: Delta, text: String): Delta = when (delta) {
        is Delta.Text -> delta.copy(text = text)
        is Delta.Reasoning -> delta.copy(text = text)
        else -> delta
    }
}
