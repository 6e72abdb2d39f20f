package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.amountText

/** The history that a request sends: all messages but those of users that got no answer, so that one that always fails does not end the chat. */
internal fun List<Entry>.history(): List<Message> {
    val sent = mutableListOf<Message>()
    val open = mutableListOf<Message>()
    for (entry in this) {
        when {
            entry.message.role != Role.ASSISTANT -> open += entry.message.messages
            entry.message.messages.isEmpty() -> open.removeAll { it.role == Role.USER }
            else -> {
                sent += open
                open.clear()
                sent += entry.message.messages
            }
        }
    }
    return sent + open
}

/** True if the answer to the message of the user at [index] has nothing that a request can send. */
internal fun List<Entry>.isUnanswered(index: Int): Boolean {
    if (!this[index].isUsers) return false
    val answer = drop(index + 1).firstOrNull { it.message.role == Role.ASSISTANT }?.message ?: return false
    return answer.state != ChatMessage.State.STREAMING && answer.messages.isEmpty()
}

/** Without the message [id]; one of the user's takes the answers to it along. Null if there is none. */
internal fun List<Entry>.without(id: String): List<Entry>? {
    val index = indexOfFirst { it.id == id }
    if (index < 0) return null
    val answers = if (this[index].isUsers) drop(index + 1).takeWhile { it.message.role == Role.ASSISTANT }.size else 0
    return take(index) + drop(index + 1 + answers)
}

/** The entries up to the user's message [id], or to the one that the answer [id] belongs to. Null if there is none. */
internal fun List<Entry>.upToQuestion(id: String): List<Entry>? {
    val index = indexOfFirst { it.id == id }
    val question = (index downTo 0).firstOrNull { this[it].isUsers } ?: return null
    return take(question + 1)
}

/**
 * What later requests can send of the messages of an answer: without tool calls that have no result, which providers refuse, and without messages that say
 * nothing then.
 */
internal fun sendable(messages: List<Message>, isComplete: Boolean): List<Message> = messages.mapIndexedNotNull { index, message ->
    val results = messages.drop(index + 1).takeWhile { it.role == Role.TOOL }.flatMap { it.parts }.filterIsInstance<Part.ToolResult>().map { it.id }
    val parts = message.parts.filterNot { it is Part.ToolCall && it.id !in results }
    when {
        isComplete && parts.size == message.parts.size -> message
        parts.none { (it is Part.Text && it.text.isNotBlank()) || it is Part.ToolCall || it is Part.ToolResult } -> null
        else -> Message(message.role, parts, message.name, message.model)
    }
}

/** The answers that count in totals: those that are complete, and of the others those of which something has arrived or tokens or a cost are known. */
internal fun List<Entry>.answers(): List<ChatMessage> = map { it.message }.filter { answer ->
    val response = answer.response ?: return@filter false
    answer.state == ChatMessage.State.DONE || response.parts.isNotEmpty() || answer.usage != null || answer.cost is Cost.Known
}

/** True if a demo model wrote it: what it costs is made up. */
internal val ChatMessage.isDemo: Boolean get() = model?.provider == DEMO

/** The tokens and the cost of all answers, as one line; empty if there are none. */
internal fun List<Entry>.totals(): String {
    val answers = answers()
    if (answers.isEmpty()) return ""
    val usage = answers.mapNotNull { it.usage }.reduceOrNull(Usage::plus)
    val (demo, real) = answers.partition { it.isDemo }
    val amount = when {
        answers.all { it.model == FunctionAnswerer.ID && it.usage == null } -> null // what their calls cost is in costs()
        real.isEmpty() -> demo.mapNotNull { it.cost?.usd() }.fold(Usd.ZERO, Usd::plus).toDisplayString() + " (demo)"
        real.all { it.cost is Cost.Free } -> cost(Cost.Free)
        else -> {
            val known = real.mapNotNull { it.cost?.usd() }
            amountText(known.takeIf { it.isNotEmpty() }?.fold(Usd.ZERO, Usd::plus), real.size - known.size)
        }
    }
    return listOfNotNull(count(answers.size, "answer"), usage?.let(::tokens), amount).joinToString(" · ")
}

internal const val DEMO: String = "demo"
