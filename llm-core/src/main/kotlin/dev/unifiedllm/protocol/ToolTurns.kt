package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool

/** This request with messages in which each tool call has an id of its own and a result. */
internal fun ChatRequest.withCompleteToolTurns(): ChatRequest = withCompleteToolTurns(messages).let { if (it === messages) this else withMessages(it) }

/**
 * [messages] in which each tool call has an id of its own and is followed by its result, as providers require.
 *
 * A call has no result if its loop was stopped, or if the user went on without it. Its result then says that it was not run. Servers that number the calls
 * of each response anew repeat ids; a repeated or empty one is changed, in the call and in its result alike. So is a name that no tool can have, which a
 * model made up. A result without a call, as in a history that was cut, is sent as a text of the user.
 */
internal fun withCompleteToolTurns(messages: List<Message>): List<Message> {
    if (messages.none { message -> message.parts.any { it is Part.ToolCall || it is Part.ToolResult } }) return messages
    val ids = hashSetOf<String>()
    val complete = mutableListOf<Message>()
    var index = 0
    while (index < messages.size) {
        val next = (index + 1 until messages.size).firstOrNull { messages[it].role == Role.ASSISTANT } ?: messages.size
        complete += ToolTurn(ids).completed(messages.subList(index, next))
        index = next
    }
    return complete
}

/** @param taken the ids of the calls before */
private class ToolTurn(private val taken: MutableSet<String>) {
    private val open = mutableListOf<OpenResult>()
    private val results = mutableListOf<Message>()
    private val others = mutableListOf<Message>()

    /** @param turn a message, of the assistant but for the first turn, and what follows it up to the next one of the assistant */
    fun completed(turn: List<Message>): List<Message> {
        val answer = turn.first().takeIf { it.role == Role.ASSISTANT }?.let(::withOwnIds)
        for (message in if (answer == null) turn else turn.drop(1)) sort(message)
        if (open.isNotEmpty()) results += Message(Role.TOOL, open.map { Part.ToolResult(it.id, it.name, NOT_RUN, isError = true) })
        return listOfNotNull(answer) + results + others
    }

    private fun withOwnIds(answer: Message): Message = answer.with(
        answer.parts.map { part ->
            if (part !is Part.ToolCall) return@map part
            val id = if (part.id.isNotBlank() && taken.add(part.id)) part.id else newId(part.id.ifBlank { "call" })
            val name = Tool.validName(part.name)
            open += OpenResult(part.id, id, name)
            if (id == part.id && name == part.name) part else part.copy(id = id, name = name)
        },
    )

    private fun newId(id: String): String = generateSequence(2) { it + 1 }.map { "${id}_$it" }.first(taken::add)

    private fun sort(message: Message) {
        val own = mutableListOf<Part>()
        val rest = mutableListOf<Part>()
        for (part in message.parts) {
            val result = (part as? Part.ToolResult)?.let(::ofCall)
            when {
                result != null -> own += result
                part is Part.ToolResult -> rest += listOf(Part.Text("The result of the tool ${part.name}: ")) + part.content
                else -> rest += part
            }
        }
        if (own.isNotEmpty()) results += if (own == message.parts) message else Message(Role.TOOL, own)
        if (rest.isNotEmpty() || message.parts.isEmpty()) others += message.with(rest)
    }

    /** [result] with the id of its call; null if there is no call that waits for it. */
    private fun ofCall(result: Part.ToolResult): Part.ToolResult? {
        val call = open.firstOrNull { it.asked == result.id } ?: return null
        open -= call
        val name = Tool.validName(result.name)
        return if (call.id == result.id && name == result.name) result else result.copy(id = call.id, name = name)
    }
}

/** A call that waits for its result. @property asked its id in the history @property id its id in the request */
private class OpenResult(val asked: String, val id: String, val name: String)

/** This message with other parts. What is left of a message of results are texts, which only a user writes. */
private fun Message.with(parts: List<Part>): Message =
    if (parts == this.parts) this else Message(if (role == Role.TOOL) Role.USER else role, parts, name, model)

private const val NOT_RUN = "This call was not run."
