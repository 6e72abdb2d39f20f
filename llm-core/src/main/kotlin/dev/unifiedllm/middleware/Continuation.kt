package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.TokenEstimate
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usage
import kotlinx.coroutines.flow.FlowCollector
import java.util.UUID

/**
 * The rest of a response that was cut after [text]: the model gets that text as the beginning of its own message, and goes on.
 *
 * @param original the request of the first attempt
 * @property interruption what cut it
 */
internal class Continuation(original: ChatRequest, val text: String, val interruption: LlmException) {
    /** Models refuse a message of the assistant that ends with white space. */
    private val sent = text.trimEnd()

    /** Another request than the first one, so that it has an idempotency key of its own. */
    val request: ChatRequest = (if (sent.isEmpty()) original else original.with { assistant(sent) }).let { request ->
        request.withContext(request.context.with { idempotencyKey = UUID.randomUUID().toString() })
    }

    private val usedBefore = TokenEstimate.forModel(original.model.name).let { estimate ->
        Usage.build {
            inputTokens = estimate.of(original.messages) + estimate.ofTools(original.tools)
            outputTokens = estimate.of(text)
            estimated = true
        }
    }

    /** Collects the deltas of [request] so that [out] gets the rest of the text, and at its end the usage of all attempts; that of the cut ones is estimated. */
    fun joined(out: FlowCollector<Delta>): FlowCollector<Delta> {
        var blanks = text.substring(sent.length) // they have been delivered
        return FlowCollector { delta ->
            when {
                blanks.isNotEmpty() && delta is Delta.Text && delta.choice == 0 -> {
                    val rest = delta.text.removePrefix(delta.text.commonPrefixWith(blanks))
                    blanks = if (rest.isEmpty()) blanks.drop(delta.text.length) else ""
                    if (rest.isNotEmpty()) out.emit(Delta.Text(rest))
                }
                delta is Delta.Finish -> out.emit(delta.copy(usage = delta.usage?.plus(usedBefore), cost = withCut(delta.cost)))
                else -> out.emit(delta)
            }
        }
    }

    private fun withCut(cost: Cost): Cost = if (cost is Cost.Free) cost else Cost.Unknown("a part of the response was cut and continued")
}
