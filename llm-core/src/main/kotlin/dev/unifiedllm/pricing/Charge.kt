package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import java.math.BigDecimal

/**
 * The sum for one response, or what is missing for it. Tokens that have no rate of their own are billed at that of the counter that includes them.
 *
 * @param priceOf the price of another model of the same provider, by its name; null if none is known
 */
internal class Charge(private val standard: RateTable, private val terms: Terms, private val priceOf: (String) -> Price?) {
    private var total = BigDecimal.ZERO
    private var missing: String? = null

    /** @return the amount, or the first thing for which no price is known */
    fun of(usage: Usage, input: Long, output: Long): Pair<BigDecimal, String?> {
        val billing = usage.billing
        val steps = billing.steps.ifEmpty { listOf(Billing.Step(null, usage)) }
        for (step in steps) if (step.model == null) request(step.usage, billing.serviceTier, step.usage.inputTokens ?: input, step.usage.outputTokens ?: output)
        if (!terms.isUniform) for (condition in billing.conditions) multiply(condition)
        for (step in steps) step.model?.let { other(it, step.usage) }
        search(billing)
        return total to missing
    }

    private fun miss(what: String) {
        missing = missing ?: what
    }

    /** The tokens of one request: its length decides its rates. */
    private fun request(usage: Usage, serviceTier: String?, input: Long, output: Long) {
        val tier = serviceTier?.takeUnless { terms.isUniform }
        val table = if (tier == null) standard else terms.services[tier]
        when {
            table == null -> miss("the service tier \"$tier\"")
            standard.isLong(input) && !table.isLong(input) -> miss("requests with $input input tokens in the service tier \"$tier\"")
            else -> tokens(usage, input, output, table.rates(input), standard.base)
        }
    }

    private fun other(model: String, usage: Usage) {
        when (val cost = priceOf(model)?.cost(usage)) {
            null -> miss("the model \"$model\", which worked on the response")
            is Cost.Known -> total += cost.amount.amount
            is Cost.Unknown -> miss("the model \"$model\", which worked on the response (${cost.why.substringBefore(';')})")
            is Cost.Free -> Unit
        }
    }

    private fun tokens(usage: Usage, input: Long, output: Long, rates: Rates, usual: Rates) {
        if (usage.billedInputTokens != null && usage.billedOutputTokens != null) {
            add(usage.billedInputTokens, rates.input, INPUT)
            add(usage.billedOutputTokens, rates.output, OUTPUT)
            return
        }
        val reasoning = usage.reasoningTokens ?: 0
        val audioOut = usage.audioOutputTokens ?: 0
        val image = (usage.imageTokens ?: 0).coerceAtMost(output)
        input(usage, input, rates, usual)
        add((output - reasoning - audioOut - image).coerceAtLeast(0), rates.output, OUTPUT)
        part(reasoning, rates.reasoning, rates.output, usual.reasoning, usual.output, "reasoning tokens")
        val ofMedia = rates.output.takeIf { terms.isUniform } // providers bill media above text: a row without their rate does not know it
        part(audioOut, rates.audioOut, ofMedia, usual.audioOut, usual.output, "audio in the output")
        part(image, rates.imageOut, ofMedia, usual.imageOut, usual.output, "images in the output tokens")
    }

    private fun input(usage: Usage, input: Long, rates: Rates, usual: Rates) {
        val billing = usage.billing
        val cacheRead = usage.cacheReadTokens ?: 0
        val cacheWrite1h = usage.cacheWrite1hTokens ?: 0
        val cacheWrite = (usage.cacheWriteTokens ?: 0) - cacheWrite1h
        val audio = if (isPriced(usual.audioIn, usual) || isPriced(rates.audioIn, rates)) usage.audioInputTokens ?: 0 else 0
        val image = billing.imageInputTokens ?: 0
        val cachedAudio = (billing.cachedAudioTokens ?: 0).coerceAtMost(cacheRead)
        val cachedImage = (billing.cachedImageTokens ?: 0).coerceAtMost(cacheRead - cachedAudio)
        add((input - cacheRead - cacheWrite - cacheWrite1h - audio - image).coerceAtLeast(0), rates.input, INPUT)
        part(cacheRead - cachedAudio - cachedImage, rates.cacheRead, rates.input, usual.cacheRead, usual.input, CACHED)
        part(cacheWrite, rates.cacheWrite, rates.input, usual.cacheWrite, usual.input, "tokens written to the cache")
        val write = rates.cacheWrite ?: rates.input.takeUnless { isPriced(usual.cacheWrite, usual) }
        part(cacheWrite1h, rates.cacheWrite1h, write, usual.cacheWrite1h, usual.cacheWrite ?: usual.input, "tokens written to the cache for an hour")
        part(audio, rates.audioIn, rates.input, usual.audioIn, usual.input, "audio in the input")
        part(image, rates.imageIn, rates.input, usual.imageIn, usual.input, "images in the input")
        val uncached = rates.cacheRead == null && usual.cacheRead == null // cached tokens are then billed as those that are not
        val ofAudio = if (uncached) rates.audioIn ?: rates.input.takeIf { usual.audioIn == null } else rates.cacheRead
        val ofImage = if (uncached) rates.imageIn ?: rates.input.takeIf { usual.imageIn == null } else rates.cacheRead
        part(cachedAudio, rates.cacheReadAudio, ofAudio, usual.cacheReadAudio, usual.cacheRead, "audio read from the cache")
        part(cachedImage, rates.cacheReadImage, ofImage, usual.cacheReadImage, usual.cacheRead, "images read from the cache")
        if (audio > 0 && cacheRead > 0 && billing.cachedAudioTokens == null) miss("audio in the input, of which some tokens may have been read from the cache")
        if (image > 0 && cacheRead > 0 && billing.cachedImageTokens == null) miss("images in the input, of which some tokens may have been read from the cache")
    }

    /** True if [rate] is another one than that of input tokens. */
    private fun isPriced(rate: BigDecimal?, rates: Rates) = rate != null && (rates.input == null || rate.compareTo(rates.input) != 0)

    /**
     * Adds tokens that have a rate of their [own], or are billed at that of the [whole]. Where the usual rates differ between the two, those of a service
     * tier and of a long request do, too: then the own rate cannot be replaced.
     */
    private fun part(tokens: Long, own: BigDecimal?, whole: BigDecimal?, usualOwn: BigDecimal?, usualWhole: BigDecimal?, what: String) {
        val isAlike = usualOwn == null || (usualWhole != null && usualOwn.compareTo(usualWhole) == 0)
        add(tokens, own ?: whole.takeIf { isAlike }, what)
    }

    private fun add(tokens: Long, rate: BigDecimal?, what: String) {
        if (tokens == 0L) return
        if (rate == null) miss(what) else total += rate.multiply(BigDecimal.valueOf(tokens)).movePointLeft(MILLION_DIGITS)
    }

    private fun multiply(condition: String) {
        val factor = terms.factors[condition]
        if (factor == null) miss("the condition \"$condition\"") else total = total.multiply(factor)
    }

    private fun search(billing: Billing) {
        val searches = billing.webSearches ?: 0
        val fee = terms.search
        if (fee == null) {
            if (searches > 0) miss(WEB_SEARCHES)
            return
        }
        val amount = fee.of(billing)
        if (amount == null) miss("$WEB_SEARCHES of a size that was not reported") else total += amount
    }

    private companion object {
        const val MILLION_DIGITS = 6
        const val INPUT = "input tokens"
        const val OUTPUT = "output tokens"
        const val CACHED = "tokens read from the cache"
    }
}

/** [usage] by [standard] and [terms] as a cost. @param priceOf as in [Charge] */
internal fun cost(usage: Usage?, standard: RateTable, terms: Terms, priceOf: (String) -> Price?, known: (Usd) -> Cost.Known): Cost {
    val input = usage?.inputTokens ?: return Cost.Unknown("the provider did not report the input tokens")
    val output = usage.outputTokens ?: return Cost.Unknown("the provider did not report the output tokens")
    usage.billing.unpriced?.let { return Cost.Unknown(it) }
    val (amount, missing) = Charge(standard, terms, priceOf).of(usage, input, output)
    if (missing == null) return known(Usd.of(amount))
    val rate = "perWebSearch".takeIf { missing.startsWith(WEB_SEARCHES) }
    return Cost.Unknown("no price is known for $missing; ${setPrice(rate = rate)}")
}

/**
 * How to set the price of [model], as the end of a sentence. A price that is set in code is that of all service tiers and conditions.
 *
 * @param rate what the price must state beside those of input and output tokens; null for nothing
 */
internal fun setPrice(model: String = "provider/model", rate: String? = null): String {
    val inKotlin = if (rate == null) "…" else "…; $rate = …"
    val inJava = if (rate == null) "p -> …" else "p -> p….$rate(…)"
    return "set one in the settings of the client: price(\"$model\") { $inKotlin } (Kotlin), price(\"$model\", $inJava) (Java)"
}

private const val WEB_SEARCHES = "web searches"
