package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
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

/**
 * What is left out of the history of [request], because its signatures are not valid at [target]: a warning for each author. Reasoning may be left out with
 * its signature: a wire with signatures takes no other reasoning back.
 */
internal fun leftOutSignatures(request: ChatRequest, target: Target): List<String> {
    val signed = request.messages.filter { message ->
        message.model != null && message.parts.any { (it is Part.Reasoning && it.isSigned) || (it is Part.ToolCall && !it.signature.isNullOrEmpty()) }
    }
    return signed.filterNot { mayReturnSignatures(it, target) }.mapNotNull { it.model }.distinct()
        .map { "the signatures of $it were left out, and reasoning that needs them: ${target.id} does not accept them" }
}

/** True if the provider signed this reasoning. Only signed reasoning can be sent back to it. */
internal val Part.Reasoning.isSigned: Boolean get() = !signature.isNullOrEmpty()
