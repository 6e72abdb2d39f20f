package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta

/** Ends a response that does not end by itself: its text, reasoning and arguments of calls have at most [most] characters. */
internal class OutputLimit(private val most: Long = MOST) {
    private var count = 0L

    /** Counts [deltas]. Returns what is wrong, once there are too many characters. */
    fun exceeded(deltas: List<Delta>): String? {
        for (index in deltas.indices) count += characters(deltas[index])
        return if (count <= most) null else "its output is longer than the limit of $most characters. Set maxTokens, or request a shorter response."
    }

    private fun characters(delta: Delta): Int = when (delta) {
        is Delta.Text -> delta.text.length
        is Delta.Reasoning -> delta.text.length
        is Delta.ToolCallDelta -> delta.argumentsFragment.length
        is Delta.Raw -> delta.json.length
        else -> 0
    }

    companion object {
        /** More than any model gives, and as much as a body in one piece may have. */
        const val MOST: Long = 64L shl 20
    }
}
