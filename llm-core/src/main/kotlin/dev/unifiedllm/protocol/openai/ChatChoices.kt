package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.CallFragments
import dev.unifiedllm.protocol.ChoiceState
import dev.unifiedllm.protocol.finishKind

/** The content of one `delta` or `message`. @param hasSound true if a piece of sound was in it, which is no delta yet */
internal class MessageContent(val deltas: List<Delta>, val fragments: CallFragments, val signed: SignedFields?, private val hasSound: Boolean = false) {
    val isEmpty: Boolean get() = deltas.isEmpty() && fragments.isEmpty && !hasSound
}

/** One choice of a response, and what of its content has been read. */
internal class ReadChoice {
    val state = ChoiceState()
    private var hasText = false
    private val images = mutableSetOf<String>()

    val hasImages: Boolean get() = images.isNotEmpty()

    /** True if it has a finish reason, whether or not more content followed, or came as a whole. */
    val isFinished: Boolean get() = state.isComplete || state.hasEarlyFinish

    fun note(deltas: List<Delta>) {
        for (delta in deltas) {
            when (delta) {
                is Delta.Text -> hasText = true
                is Delta.Media -> images += delta.url
                else -> Unit
            }
        }
    }

    /** What [message], which repeats the content at the end of a stream, has that did not come in the stream. */
    fun unseen(message: MessageContent): MessageContent {
        val deltas = message.deltas.filter { (it is Delta.Text && !hasText) || (it is Delta.Media && it.url !in images) }
        return MessageContent(deltas, if (state.calls.isEmpty()) message.fragments else CallFragments(), null)
    }
}

/** The choices of a response, numbered in the order in which they come: some servers number a single choice 1. */
internal class ReadChoices {
    private val indexes = mutableListOf<Int>() // on the wire, by number
    val all = mutableListOf<ReadChoice>()

    val isEmpty: Boolean get() = all.isEmpty()

    val areComplete: Boolean get() = all.isNotEmpty() && all.all { it.state.isComplete }

    val areFinished: Boolean get() = all.isNotEmpty() && all.all { it.isFinished }

    /** The number of the first choice that is not finished, if others are; null if there is none. */
    val unfinished: Int? get() = all.indexOfFirst { !it.isFinished }.takeIf { it >= 0 && all.any { choice -> choice.isFinished } }

    /** The finish reason of the response, which is that of its first choice. */
    fun reason(isRefused: Boolean): FinishReason {
        val first = all.firstOrNull()?.state
        val raw = first?.finish
        val kind = when {
            isRefused -> Kind.REFUSAL
            raw != null -> finishKind(raw)
            first?.calls.isNullOrEmpty() -> Kind.UNKNOWN
            else -> Kind.TOOL_CALLS
        }
        // "stop" ends a call of the tool that tool_choice named, and at many servers every tool call.
        return FinishReason(if (kind == Kind.STOP && first!!.calls.isNotEmpty()) Kind.TOOL_CALLS else kind, raw ?: first?.lastWord)
    }

    /** The number of the choice with [index]; null if the server sends none, then it is that of its [position] in the list. */
    fun number(index: Int?, position: Int): Int {
        if (index == null && position < all.size) return position
        val known = indexes.indexOf(index ?: position)
        if (known >= 0) return known
        indexes += index ?: position
        all += ReadChoice()
        return all.lastIndex
    }
}

/** This delta as one of [choice]. */
internal fun Delta.ofChoice(choice: Int): Delta = when (this) {
    is Delta.Text -> if (choice == this.choice) this else copy(choice = choice)
    is Delta.Reasoning -> if (choice == this.choice) this else copy(choice = choice)
    else -> this
}
