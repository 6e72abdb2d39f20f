package dev.unifiedllm.jupyter

import dev.unifiedllm.CostEstimate
import dev.unifiedllm.pricing.Price

internal fun estimateCard(estimate: CostEstimate): Rendered {
    val tokens = listOfNotNull(
        "~${count(estimate.inputTokens.count)} tokens in",
        estimate.maxOutputTokens?.let { "at most ${count(it)} out" } ?: "no limit of the output is known: set maxTokens".takeUnless { estimate.isFree },
    )
    val lines = listOfNotNull(
        tokens.joinToString(" · "),
        estimate.price?.let(::priceText),
        estimate.whyUnknown,
        "Counted by ${estimate.inputTokens.source}. Nothing was sent. Retries, fallbacks and the steps of tools are not in it.",
    )
    val title = "${estimate.costText} for one request to ${estimate.model}"
    return tableOutput(
        "<div><b>${escape(estimate.costText)}</b>${escape(title.removePrefix(estimate.costText))}</div>",
        lines.joinToString("") { note(it) },
        text = (listOf(title) + lines).joinToString("\n"),
    )
}

private fun priceText(price: Price): String? {
    val input = price.inputPerMillion ?: return null
    val output = price.outputPerMillion ?: return null
    return "${input.toDisplayString()} in, ${output.toDisplayString()} out per million tokens (${listOfNotNull(price.source, price.asOf).joinToString()})"
}
