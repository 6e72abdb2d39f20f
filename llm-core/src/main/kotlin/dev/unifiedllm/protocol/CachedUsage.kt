package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Usage

/** The usage of a wire whose input tokens exclude those read from a cache or written to it. Counters are cumulative: the last values count. */
internal class CachedUsage {
    var input: Long? = null
    var output: Long? = null
    var read: Long? = null
    var written: Long? = null
    var written5m: Long? = null
    var written1h: Long? = null
    var reasoning: Long? = null
    var webSearches: Long? = null

    /** As the provider names it; null if it does not. */
    var serviceTier: String? = null

    /** See [Billing.conditions]. */
    val conditions: MutableSet<String> = linkedSetOf()

    /** See [Billing.unpriced]. */
    var unpriced: String? = null

    /** The requests of which the response is made, by their types and models; the last list of them counts. */
    var steps: List<Step> = emptyList()

    /** One request of a response. @property type as the provider names it @property model null for that of the response */
    class Step(val type: String?, val model: String?, val usage: Usage?) {
        /** True if the totals leave it out. */
        val isServersOwn: Boolean get() = type != null && type != ANSWER
    }

    /** The usage with cached tokens in the input; null if the provider reported none. */
    fun usage(): Usage? {
        if (input == null && output == null) return null
        val parts = listOfNotNull(written5m, written1h).takeIf { it.isNotEmpty() }?.sum()
        val allWritten = listOfNotNull(written, parts).maxOrNull() // some gateways report the sum as zero beside its parts
        val billed = billedSteps((input ?: 0) + (read ?: 0) + (allWritten ?: 0))
        val own = steps.firstOrNull { it.isServersOwn }?.type
        val reason = unpriced ?: if (billed == null) "the totals leave out a step of the server (\"$own\"), whose counters do not fit to them" else null
        return Usage.build {
            inputTokens = input?.let { it + (read ?: 0) + (allWritten ?: 0) }
            outputTokens = output
            cacheReadTokens = read
            cacheWriteTokens = allWritten
            cacheWrite5mTokens = written5m
            cacheWrite1hTokens = written1h
            reasoningTokens = reasoning
            billing = Billing(Billing.serviceTier(serviceTier), conditions.toSet(), webSearches, steps = billed.orEmpty(), unpriced = reason)
        }
    }

    /**
     * The steps as they are billed, one by one; none if the totals are those of one request. The totals leave out the steps of the server's own, such as a
     * compaction. Their output is the sum of the other steps; their input is that sum, too, or the input of one of them. Null if the counters do not fit.
     *
     * @param whole the input of the totals
     */
    private fun billedSteps(whole: Long): List<Billing.Step>? {
        val others = steps.filter { it.isServersOwn }
        if (others.isEmpty() && steps.size < 2) return emptyList()
        val answers = (steps - others.toSet()).map { it.usage?.inputTokens to it.usage?.outputTokens }
        val fits = answers.sumOf { it.second ?: 0 } == (output ?: 0) && (answers.sumOf { it.first ?: 0 } == whole || answers.any { it.first == whole })
        if (!fits || steps.any { it.usage == null }) return if (others.isEmpty()) emptyList() else null
        return steps.map { Billing.Step(it.model, it.usage!!) }
    }

    private companion object {
        /** The type of a request whose tokens are in the totals. */
        const val ANSWER = "message"
    }
}
