package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonArray

/** The name of the role, on the wires that have all four. */
internal val Role.wireName: String get() = name.lowercase()

/** The target's system message, if it has one, and [messages]. */
internal fun Target.withSystem(messages: List<Message>): List<Message> = listOfNotNull(systemMessage?.let(Message::system)) + messages

/** The system messages: the target's, then those in [messages]. */
internal fun Target.systemOf(messages: List<Message>): List<Message> = withSystem(messages).filter { it.role == Role.SYSTEM }

/**
 * The messages of a wire on which each tool result is a separate message, with the target's system message first. [result] writes a tool result; [rest]
 * then writes the other parts of its message.
 */
internal fun Target.messageList(messages: List<Message>, result: (Part.ToolResult) -> JsonObject, rest: (Message) -> JsonObject): JsonArray =
    buildJsonArray {
        for (message in withSystem(messages)) {
            val results = message.parts.filterIsInstance<Part.ToolResult>()
            results.forEach { add(result(it)) }
            if (results.isEmpty() || message.parts.any { it !is Part.ToolResult && it !is Part.CacheBreakpoint }) add(rest(message))
        }
    }

/** Adds one warning if [messages] have names of participants. */
internal fun withoutNames(messages: List<Message>, warnings: MutableList<String>) {
    if (messages.any { it.name != null }) warnings += "this provider takes no names of participants: they were left out"
}
