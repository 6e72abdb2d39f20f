package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Role
import kotlinx.serialization.json.JsonObject

/** The content blocks of messages that follow each other in the same role. Tool results belong to the user's turn. */
internal class Turn(val isAssistant: Boolean, val blocks: MutableList<JsonObject>)

/**
 * Joins messages that follow each other in the same role into turns. System messages and messages without blocks are left out.
 *
 * @param blocks encodes the parts of one message as content blocks
 */
internal inline fun turnsOf(messages: List<Message>, blocks: (Message) -> List<JsonObject>): List<Turn> {
    val turns = mutableListOf<Turn>()
    for (message in messages) {
        if (message.role == Role.SYSTEM) continue
        val encoded = blocks(message)
        if (encoded.isEmpty()) continue
        val isAssistant = message.role == Role.ASSISTANT
        val last = turns.lastOrNull()
        if (last?.isAssistant == isAssistant) last.blocks += encoded else turns += Turn(isAssistant, encoded.toMutableList())
    }
    return turns
}
