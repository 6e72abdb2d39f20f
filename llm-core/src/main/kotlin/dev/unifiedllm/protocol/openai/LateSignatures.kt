package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Part

/**
 * [parts] with the signatures at the end in the places of their reasoning.
 *
 * A server that sends the encrypted reasoning in the last event only gives its signature after the text and the tool calls. The API refuses a reasoning
 * item that nothing follows. So each late signature takes the place of a reasoning part without one, in order, or the first place if there is none.
 */
internal fun withLateSignatures(parts: List<Part>): List<Part> {
    val late = parts.takeLastWhile { it is Part.Reasoning && it.text.isEmpty() && it.signature != null }
    if (late.isEmpty() || late.size == parts.size) return parts
    val left = late.toMutableList()
    val placed = parts.dropLast(late.size).map { part ->
        if (part is Part.Reasoning && part.signature == null && left.isNotEmpty()) left.removeAt(0) else part
    }
    return left + placed
}
