package dev.unifiedllm.chat

import kotlin.time.Duration
import kotlin.time.toJavaDuration

/**
 * A whole answer: the fold of its deltas, in order, by [ResponseFold].
 *
 * As `partial` of a failure it holds what had arrived: [finishReason] is null then and the last tool call may be cut.
 */
public class ChatResponse internal constructor(fold: ResponseFold, now: Long) {
    /** Text, reasoning and tool calls in the order in which they came: what a next turn sends back. */
    @get:JvmName("parts")
    public val parts: List<Part> = fold.parts(0)

    @get:JvmName("text")
    public val text: String = parts.filterIsInstance<Part.Text>().joinToString("") { it.text }

    /** What the model thought aloud; empty if it did not, or hides it. */
    @get:JvmName("reasoning")
    public val reasoning: String = parts.filterIsInstance<Part.Reasoning>().joinToString("") { it.text }

    @get:JvmName("toolCalls")
    public val toolCalls: List<Part.ToolCall> = parts.filterIsInstance<Part.ToolCall>()

    /** Further answers, where `n` asked for more than one; without the first. */
    @get:JvmName("alternatives")
    public val alternatives: List<List<Part>> = (1 until fold.choices).map(fold::parts)

    @get:JvmName("media")
    public val media: List<Delta.Media> = fold.media.toList()

    @get:JvmName("sources")
    public val sources: List<Delta.Source> = fold.sources.toList()

    /** Null while the answer is incomplete. */
    @get:JvmName("finishReason")
    public val finishReason: FinishReason? = fold.finish?.reason

    /** Null if the provider did not report it. */
    @get:JvmName("usage")
    public val usage: Usage? = fold.finish?.usage

    @get:JvmName("cost")
    public val cost: Cost = fold.finish?.cost ?: Cost.Unknown("the answer is incomplete")

    /** The model that answered; null before any has. */
    @get:JvmName("model")
    public val model: ModelId? = fold.start?.model

    @get:JvmName("provider")
    public val provider: String? get() = model?.provider

    /** The provider's id of the answer. */
    @get:JvmName("responseId")
    public val responseId: String? = fold.start?.responseId

    /** The model as the provider names it, perhaps with a date. */
    @get:JvmName("reportedModel")
    public val reportedModel: String? = fold.start?.reportedModel

    /** From the start of the call to its end, which may be a failure; until now while it runs. */
    @get:JvmSynthetic
    public val latency: Duration = fold.since(fold.finishedAt ?: now)

    /** From the start of the call to its first content; null if none came. */
    @get:JvmSynthetic
    public val timeToFirstToken: Duration? = fold.firstContentAt?.let(fold::since)

    /** Every try, in order; the last one answered, the others have their error. */
    @get:JvmName("attempts")
    public val attempts: List<Delta.Attempt> = fold.attempts + listOfNotNull(fold.start?.let { Delta.Attempt(it.model, null) })

    /** True when another model than the first answered. */
    @get:JvmName("fallbackUsed")
    public val fallbackUsed: Boolean get() = attempts.map { it.model }.distinct().size > 1

    /** The inner steps that called tools. */
    @get:JvmName("steps")
    public val steps: List<Delta.StepFinish> = fold.steps.toList()

    @get:JvmName("warnings")
    public val warnings: List<String> = fold.warnings.toList()

    public fun latency(): java.time.Duration = latency.toJavaDuration()

    public fun timeToFirstToken(): java.time.Duration? = timeToFirstToken?.toJavaDuration()

    /** The answer as a turn of a conversation. */
    public fun toMessage(): Message = Message(Role.ASSISTANT, parts, model = model)

    override fun toString(): String = "ChatResponse($model, ${text.length} characters, finishReason=${finishReason?.raw ?: finishReason?.kind})"
}
