package dev.unifiedllm.chat

/** The sums of several responses that make one. */
internal class StepTotals {
    private var usage: Usage? = null
    private var cost: Cost? = null
    private var isReported = true

    fun add(end: Delta.Finish) {
        val added = end.usage
        if (added == null) isReported = false else usage = usage?.plus(added) ?: added
        cost = cost?.plus(end.cost) ?: end.cost
    }

    /** A finish with the sums. Tokens that one response did not report are not known for the whole. */
    fun finish(reason: FinishReason): Delta.Finish = Delta.Finish(reason, usage.takeIf { isReported }, cost ?: Cost.Free)
}

/** Both costs: unknown if one is, estimated if one is. */
internal operator fun Cost.plus(other: Cost): Cost = when {
    this is Cost.Unknown -> this
    other is Cost.Unknown -> other
    this is Cost.Known && other is Cost.Known -> {
        val sources = listOf(source, other.source).distinct().joinToString(" + ")
        Cost.Known(amount + other.amount, sources, asOf?.let { listOfNotNull(it, other.asOf).min() } ?: other.asOf, estimated || other.estimated)
    }
    this is Cost.Free -> other
    else -> this
}
