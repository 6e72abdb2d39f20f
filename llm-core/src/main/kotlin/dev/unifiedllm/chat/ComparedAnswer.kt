@file:OptIn(InternalLlmApi::class)

package dev.unifiedllm.chat

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.InternalLlmApi
import kotlin.time.Duration
import kotlin.time.DurationUnit
import kotlin.time.toJavaDuration

/**
 * What one model of a comparison answered: a response or a failure, never both.
 *
 * @property model the model that was asked for. `response.model` is the one that gave the response, which differs after a fallback
 * @property response null if the call failed
 * @property failure null if the call did not fail; LlmException.Cancelled if it alone was cancelled
 */
public class ComparedAnswer internal constructor(
    @get:JvmName("model") public val model: ModelId,
    @get:JvmName("response") public val response: ChatResponse?,
    @get:JvmName("failure") public val failure: Throwable?,
    private val partial: ChatResponse?,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** The text of the response; empty if the call failed. What had arrived before a failure is in its `partial`. */
    @get:JvmName("text")
    public val text: String get() = response?.text.orEmpty()

    /** The tokens of the response; null if the provider did not report them. Those of a response that was cut are estimated. */
    @get:JvmName("usage")
    public val usage: Usage? get() = (response ?: partial)?.usage

    /** The cost of the response; [Cost.Unknown] if the call failed: what a provider bills for a response that was cut is not known. */
    @get:JvmName("cost")
    public val cost: Cost get() = (response ?: partial)?.cost ?: Cost.Unknown("the call failed")

    /** From sending the call to its end; null if it failed before anything had arrived. */
    @get:JvmSynthetic
    public val latency: Duration? get() = (response ?: partial)?.latency

    /** From sending the call to its first content; null if there was none. */
    @get:JvmSynthetic
    public val timeToFirstToken: Duration? get() = (response ?: partial)?.timeToFirstToken

    public fun latency(): java.time.Duration? = latency?.toJavaDuration()

    public fun timeToFirstToken(): java.time.Duration? = timeToFirstToken?.toJavaDuration()

    /** True if it may be the cheapest or the fastest one: neither failed, nor refused, nor stopped by a filter or an error of the provider. */
    @InternalLlmApi
    @get:JvmSynthetic
    public val isComparable: Boolean get() = response != null && response.finishReason?.kind !in NO_ANSWER

    /** True if a demo model answered, whose cost is made up; it may have been a fallback. */
    @get:JvmSynthetic
    internal val isDemo: Boolean get() = (response?.model ?: model).provider == DEMO

    /** As in `groq/llama: $0.0003, 1.90s`, or `groq/llama failed: …`. */
    override fun toString(): String {
        if (response == null) return "$model failed: ${failure?.message ?: failure}"
        val price = if (cost == Cost.Free) "free" else cost.usd()?.toDisplayString() ?: "$ n/a"
        return "$model: $price, ${latency?.toString(DurationUnit.SECONDS, decimals = 2)}"
    }
}

private const val DEMO = "demo"

/** Ends of a response that is not the model's answer. */
private val NO_ANSWER = setOf(FinishReason.Kind.CONTENT_FILTER, FinishReason.Kind.REFUSAL, FinishReason.Kind.ERROR)

/**
 * What the models of a comparison answered: a list in the order in which they were named.
 *
 * Answers that failed, were refused or were stopped by a filter are in the list, but are neither the cheapest nor the fastest.
 */
public class ComparisonResult internal constructor(private val answers: List<ComparedAnswer>, @Suppress("UNUSED_PARAMETER") from: FromKotlin) :
    List<ComparedAnswer> by answers {
    /**
     * The one with the lowest cost of those whose cost is known, the first of several; null if no cost is known. The costs of demo models are made up: a demo
     * model is the cheapest only if no other cost is known.
     */
    @get:JvmName("cheapest")
    public val cheapest: ComparedAnswer? = answers.filter { it.isComparable && it.cost.usd() != null }
        .let { known -> known.filterNot { it.isDemo }.ifEmpty { known } }
        .minByOrNull { checkNotNull(it.cost.usd()) }

    /** The one with the shortest [ComparedAnswer.latency], its retries and waits included; null if there is no response. */
    @get:JvmName("fastest")
    public val fastest: ComparedAnswer? = answers.filter { it.isComparable }.minByOrNull { checkNotNull(it.latency) }

    /** A line for each answer with its cost and its time. */
    override fun toString(): String = answers.joinToString("\n") { answer ->
        val marks = listOfNotNull("cheapest".takeIf { answer === cheapest }, "fastest".takeIf { answer === fastest })
        "$answer${marks.joinToString("") { ", $it" }}"
    }
}
