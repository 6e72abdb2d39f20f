package dev.unifiedllm

import dev.unifiedllm.chat.Delta

/**
 * The first [count] of [deltas] with neighbours of one kind joined: one delta for each run of text, reasoning or arguments. Previews of images are left out.
 * Folds to the same response.
 */
internal fun joined(deltas: Array<Delta?>, count: Int): Array<Delta?> {
    val joined = ArrayList<Delta>()
    val run = Run()
    for (index in 0 until count) {
        val delta = deltas[index]!!
        if (run.takes(delta) || (delta is Delta.Media && delta.isPartial)) continue
        run.end(joined)
        if (!run.begin(delta)) joined += delta
    }
    run.end(joined)
    return joined.toTypedArray()
}

/** Neighbouring deltas that become one. */
private class Run {
    private var first: Delta? = null
    private var signature: String? = null
    private var isSingle = true
    private val text = StringBuilder()

    /** Begins with [delta] if it can have a run. */
    fun begin(delta: Delta): Boolean {
        val piece = piece(delta) ?: return false
        first = delta
        signature = (delta as? Delta.Reasoning)?.signature
        isSingle = true
        text.append(piece)
        return true
    }

    /** Adds [delta] if it continues the run. */
    fun takes(delta: Delta): Boolean {
        val first = first ?: return false
        val continues = when (delta) {
            is Delta.Text -> first is Delta.Text && first.choice == delta.choice
            // A signature ends a block of reasoning.
            is Delta.Reasoning -> first is Delta.Reasoning && first.choice == delta.choice && signature == null && !first.isRedacted && !delta.isRedacted
            is Delta.ToolCallDelta ->
                first is Delta.ToolCallDelta && first.choice == delta.choice && first.index == delta.index &&
                    delta.id == null && delta.name == null && delta.signature == null
            else -> false
        }
        if (!continues) return false
        if (delta is Delta.Reasoning) signature = delta.signature
        isSingle = false
        text.append(piece(delta))
        return true
    }

    fun end(out: MutableList<Delta>) {
        val first = first ?: return
        out += if (isSingle) {
            first
        } else {
            when (first) {
                is Delta.Text -> first.copy(text = text.toString())
                is Delta.Reasoning -> first.copy(text = text.toString(), signature = signature)
                is Delta.ToolCallDelta -> first.copy(argumentsFragment = text.toString())
                else -> first
            }
        }
        this.first = null
        text.setLength(0)
    }

    private fun piece(delta: Delta): String? = when (delta) {
        is Delta.Text -> delta.text
        is Delta.Reasoning -> delta.text
        is Delta.ToolCallDelta -> delta.argumentsFragment
        else -> null
    }
}
