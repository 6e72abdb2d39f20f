package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.error.quote

/** Adds [text], if there is any. */
internal fun MutableList<Delta>.addText(text: String?) {
    if (!text.isNullOrEmpty()) this += Delta.Text(text)
}

/** Adds a thought, if it says something or is sealed. */
internal fun MutableList<Delta>.addReasoning(text: String?, seal: String? = null) {
    if (!text.isNullOrEmpty() || seal != null) this += Delta.Reasoning(text.orEmpty(), seal)
}

/** Adds the end of the answer, and that nobody counted its tokens where [usage] is null. */
internal fun MutableList<Delta>.addFinish(reason: FinishReason, usage: Usage?, cost: Cost = Cost.Unknown("not priced")) {
    if (usage == null) this += Delta.Warning("the provider did not report the tokens used")
    this += Delta.Finish(reason, usage, cost)
}

/** The usage of a wire that counts no more than this; null: not reported. */
internal fun plainUsage(input: Long?, output: Long?): Usage? = if (input == null && output == null) {
    null
} else {
    Usage.build {
        inputTokens = input
        outputTokens = output
    }
}

/** An error that came when the answer was complete: it is told, and ends nothing. */
internal fun lateError(error: ProviderError, target: Target): Delta.Warning =
    Delta.Warning("the provider reported an error after its answer: ${quote(error.message.orEmpty(), target.key?.reveal())}")

/** The answer of [target] is not what its wire says. */
internal fun malformed(target: Target, what: String, cause: Throwable? = null): LlmException =
    LlmException.MalformedResponse("The answer of ${target.id} cannot be read: $what", cause, LlmException.Details(target.id))
