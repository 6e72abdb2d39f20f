package dev.unifiedllm.middleware

import dev.unifiedllm.TokenEstimate
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usage
import kotlinx.coroutines.flow.FlowCollector

/**
 * The rest of a response that was cut after [text]: the model gets that text as the beginning of its own message, and goes on.
 *
 * @param original the request of the first attempt
 */
internal class Continuation(original: ChatRequest, val text: String) {
    /** Models refuse a message of the assistant that ends with white space. */
    private val sent = text.trimEnd()

    val request: ChatRequest = if (sent.isEmpty()) original else original.with { assistant(sent) }

    private val usedBefore = TokenEstimate.forModel(original.model.name).let { estimate ->
        Usage.build {
            inputTokens = estimate.of(original.messages) + estimate.ofTools(original.tools)
            outputTokens = estimate.of(text)
            estimated = true
        }
    }

    /** Collects the deltas of [request] so that [out] gets the rest of the text, and at its end the usage of all attempts; that of the cut ones is estimated. */
    fun joined(out: FlowCollector<Delta>): FlowCollector<Delta> {
        var isInBlanks = sent.length < text.length // they have been delivered
        return FlowCollector { delta ->
            when {
                isInBlanks && delta is Delta.Text && delta.choice == 0 -> {
                    val rest = delta.text.trimStart()
                    isInBlanks = rest.isEmpty()
                    if (rest.isNotEmpty()) out.emit(Delta.Text(rest))
                }
                delta is Delta.Finish -> out.emit(delta.copy(usage = delta.usage?.plus(usedBefore), cost = withCut(delta.cost)))
                else -> out.emit(delta)
            }
        }
    }

    private fun withCut(cost: Cost): Cost = if (cost is Cost.Free) cost else Cost.Unknown("a part of the response was cut and continued")
}
