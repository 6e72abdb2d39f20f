package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonObject

/** The block of this part as the provider sent it; null if its text is not that of a JSON object. */
internal fun Part.Raw.blockJson(): JsonObject? = jsonElementOrNull(json) as? JsonObject

/**
 * This request without the raw parts that [target] does not read: those of other wires, and those of other providers, by the rule of
 * [mayReturnSignatures]. Adds a warning for each author of one to [leftOut].
 */
internal fun ChatRequest.withReadableRawParts(target: Target, leftOut: MutableList<String>): ChatRequest {
    if (messages.none { message -> message.parts.any { it is Part.Raw } }) return this
    val warnings = linkedSetOf<String>()
    val readable = messages.mapNotNull { message ->
        val parts = message.parts.filter { it !is Part.Raw || isRead(it, message, target) }
        if (parts.size == message.parts.size) return@mapNotNull message
        warnings += "the calls of built-in tools${message.model?.let { " by $it" }.orEmpty()} and their results were left out: ${target.id} does not read them"
        if (parts.isEmpty()) null else Message(message.role, parts, message.name, message.model)
    }
    leftOut += warnings
    return if (warnings.isEmpty()) this else withMessages(readable)
}

private fun isRead(part: Part.Raw, message: Message, target: Target): Boolean =
    part.protocol == target.wire.rawProtocol && mayReturnSignatures(message, target) && part.blockJson() != null
