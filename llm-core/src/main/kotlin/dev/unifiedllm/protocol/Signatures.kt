package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target

/**
 * True when what [message] says in its provider's own terms (seals over thoughts and calls, ids of calls, plans) may go back to [target]: when
 * nobody is known to have written it, or when a model of the target's provider did, by whichever of that provider's rows.
 *
 * The seals of a [SharedFamily] follow its models instead: they go to every provider that serves them, and to no other model of their own
 * provider. So Vertex AI shows Claude what Claude sealed at Bedrock, and not what Gemini sealed at Vertex AI.
 */
internal fun mayReturnSignatures(message: Message, target: Target): Boolean {
    val author = message.model ?: return true
    val row = if (author.provider == target.id.provider) target.provider else ProviderRegistry.packed.find(author.provider)
    val family = SharedFamily.of(author, row)
    if (family != SharedFamily.of(target.id, target.provider)) return false
    return family != null || (row?.id ?: author.provider).substringBefore('/') == target.provider.id.substringBefore('/')
}

/** True when the provider sealed it: only then a next turn can send it back. */
internal val Part.Reasoning.isSigned: Boolean get() = !signature.isNullOrEmpty()

/**
 * Models whose seals hold wherever they run.
 *
 * @property wires those on which the seals are the maker's own, and not packed into something else by a gateway
 * @property mark tells such a model by its name, where these wires carry others too; null: all on them are
 */
private enum class SharedFamily(val wires: Set<String>, val mark: ((String) -> Boolean)? = null) {
    /** At Anthropic, Bedrock and Vertex AI. What other companies serve on these wires seals for itself. */
    CLAUDE(setOf(WireNames.ANTHROPIC_MESSAGES, WireNames.ANTHROPIC_VERTEX, WireNames.BEDROCK_CONVERSE), { ClaudeVersion.of(it) != null }),

    /** At AI Studio and Vertex AI. */
    GEMINI(setOf(WireNames.GEMINI_GENERATE, WireNames.VERTEX_GEMINI)),

    /** Under both of Cohere's rows. It seals nothing: its plans are open, and no other wire has a place for them. */
    COHERE(setOf(WireNames.COHERE_CHAT)),
    ;

    companion object {
        /** Null for a model of its provider's own. @param row null: not known here, so that only the name tells */
        fun of(model: ModelId, row: Provider?): SharedFamily? {
            val wire = row?.protocol(model.name)
            return entries.firstOrNull { if (wire == null) it.mark?.invoke(model.name) == true else wire in it.wires && it.mark?.invoke(model.name) != false }
        }
    }
}
