package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonArray

/** The word for a role on every wire that has these four. */
internal val Role.wireName: String get() = name.lowercase()

/** [messages] behind the target's own. */
internal fun Target.withSystem(messages: List<Message>): List<Message> = listOfNotNull(systemMessage?.let(Message::system)) + messages

/** What [messages] say to the system, wherever it stands, behind the target's own. */
internal fun Target.systemOf(messages: List<Message>): List<Message> = withSystem(messages).filter { it.role == Role.SYSTEM }

/**
 * [messages] behind the target's own, as a list on a wire where each tool result is a message of its own: [result] writes one, before what else
 * stands in its message, which [rest] writes.
 */
internal fun Target.messageList(messages: List<Message>, result: (Part.ToolResult) -> JsonObject, rest: (Message) -> JsonObject): JsonArray =
    buildJsonArray {
        for (message in withSystem(messages)) {
            val results = message.parts.filterIsInstance<Part.ToolResult>()
            results.forEach { add(result(it)) }
            if (results.isEmpty() || message.parts.any { it !is Part.ToolResult && it !is Part.CacheBreakpoint }) add(rest(message))
        }
    }

/** Says once that names of participants were left out, where [messages] have some. */
internal fun withoutNames(messages: List<Message>, warnings: MutableList<String>) {
    if (messages.any { it.name != null }) warnings += "names of participants are not taken here and were left out"
}
