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

/** Adds [text], unless it is empty. */
internal fun MutableList<Delta>.addText(text: String?) {
    if (!text.isNullOrEmpty()) this += Delta.Text(text)
}

/** Adds reasoning, unless it has neither text nor signature. */
internal fun MutableList<Delta>.addReasoning(text: String?, signature: String? = null) {
    if (!text.isNullOrEmpty() || signature != null) this += Delta.Reasoning(text.orEmpty(), signature)
}

/** Adds the finish, and a warning if [usage] is null. */
internal fun MutableList<Delta>.addFinish(reason: FinishReason, usage: Usage?, cost: Cost = Cost.Unknown("not priced")) {
    if (usage == null) this += Delta.Warning("the provider did not report the tokens used")
    this += Delta.Finish(reason, usage, cost)
}

/** The usage of a wire that counts input and output only; null if the provider reported neither. */
internal fun plainUsage(input: Long?, output: Long?): Usage? = if (input == null && output == null) {
    null
} else {
    Usage.build {
        inputTokens = input
        outputTokens = output
    }
}

/** The warning for an error that came after the response was complete. */
internal fun lateError(error: ProviderError, target: Target): Delta.Warning =
    Delta.Warning("the provider reported an error after its answer: ${quote(error.message.orEmpty(), target.key?.reveal())}")

/** The failure for a response of [target] that does not follow its wire. */
internal fun malformed(target: Target, problem: String, cause: Throwable? = null): LlmException =
    LlmException.MalformedResponse("The response of ${target.id} cannot be read: $problem", cause, LlmException.Details(target.id))
