package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target

/**
 * True if what only the author of [message] understands may be sent to [target]: signatures of reasoning and tool calls, ids of calls, plans.
 *
 * That is so if the author is unknown, or is a model of the target's provider, on any of its wires. Signatures of a family
 * ([dev.unifiedllm.provider.WireFacts.signatureFamily]) are sent to the models of the family, at every provider, and to no other model. For example,
 * Claude's signatures from Bedrock are sent to Claude at Vertex AI, and Gemini's from Vertex AI are not.
 */
internal fun mayReturnSignatures(message: Message, target: Target): Boolean {
    val author = message.model ?: return true
    val row = if (author.provider == target.id.provider) target.provider else ProviderRegistry.packed.find(author.provider)
    // Without a row the wire is unknown, and only a Claude model is known by its name.
    val family = if (row == null) claudeFamily(author.name) else target.wires.named(row.protocol(author.name)).signatureFamily(author.name)
    if (family != target.wire.signatureFamily(target.name)) return false
    return family != null || (row?.id ?: author.provider).substringBefore('/') == target.provider.id.substringBefore('/')
}

/** True if the provider signed this reasoning. Only signed reasoning can be sent back to it. */
internal val Part.Reasoning.isSigned: Boolean get() = !signature.isNullOrEmpty()
