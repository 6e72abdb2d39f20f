package dev.unifiedllm.chat

import kotlinx.coroutines.flow.Flow
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/**
 * A whole response: the fold of its deltas.
 *
 * As `partial` of a failure it holds what had arrived: [finishReason] is null then, and the last tool call may be cut.
 */
public class ChatResponse private constructor(fold: ResponseFold, now: Long) {
    /** Text, reasoning and tool calls of the last step, in the order in which they arrived. */
    @get:JvmName("parts")
    public val parts: List<Part> = fold.parts(0)

    /** The text of the last step. */
    @get:JvmName("text")
    public val text: String = parts.text()

    /** The reasoning of the last step; empty if the model did not reason, or does not show it. */
    @get:JvmName("reasoning")
    public val reasoning: String = parts.filterIsInstance<Part.Reasoning>().joinToString("") { it.text }

    /** The tool calls of the last step. */
    @get:JvmName("toolCalls")
    public val toolCalls: List<Part.ToolCall> = parts.filterIsInstance<Part.ToolCall>()

    /** The other choices, where `n` asked for more than one. */
    @get:JvmName("alternatives")
    public val alternatives: List<List<Part>> = (1 until fold.choiceCount).map(fold::parts)

    /** The images and sounds of the response. They are not among [parts] and [messages]. */
    @get:JvmName("media")
    public val media: List<Delta.Media> = fold.media.toList()

    @get:JvmSynthetic
    internal val embeddings: List<Delta.Embedding> = fold.embeddings.toList()

    @get:JvmName("sources")
    public val sources: List<Delta.Source> = fold.sources.toList()

    /** Null while the response is incomplete. */
    @get:JvmName("finishReason")
    public val finishReason: FinishReason? = fold.finish?.reason

    /** Null if the provider did not report it. That of a response that was cut is estimated; null while it is incomplete. */
    @get:JvmName("usage")
    public val usage: Usage? = if (fold.finish != null) fold.finish?.usage else fold.cutUsage

    @get:JvmName("cost")
    public val cost: Cost = fold.finish?.cost ?: Cost.Unknown("the response is incomplete")

    /** The model that gave the response; null before one has. */
    @get:JvmName("model")
    public val model: ModelId? = fold.start?.model

    @get:JvmName("provider")
    public val provider: String? get() = model?.provider

    /** The provider's id of the response; null if it gave none. */
    @get:JvmName("responseId")
    public val responseId: String? = fold.start?.responseId

    /** The provider's id of the HTTP request, to name in a support request; null if it gave none. */
    @get:JvmName("requestId")
    public val requestId: String? = fold.start?.head?.requestId

    /** The rate limits that the provider reported with the response; null if it reported none. */
    @get:JvmName("rateLimits")
    public val rateLimits: RateLimits? = fold.start?.head?.rateLimits

    /** The body of a response that was not streamed, as the provider sent it; null for streams and for bodies above 1 MiB. */
    @get:JvmName("raw")
    public val raw: String? = fold.start?.head?.raw

    /** The model as the provider names it, perhaps with a date. */
    @get:JvmName("reportedModel")
    public val reportedModel: String? = fold.start?.reportedModel

    /** True if the response comes from the cache of the client, in all of its steps: no request was sent. [cost] is zero, [usage] that of the original. */
    @get:JvmName("cached")
    public val cached: Boolean = fold.starts.isNotEmpty() && fold.starts.all { it.isCached }

    /** What the steps that came from the cache cost when they were stored; null if none came from it. */
    @get:JvmName("savedCost")
    public val savedCost: Cost? = fold.starts.saved()

    /** From sending the call to its end, which may be a failure; until now while it runs. */
    @get:JvmSynthetic
    public val latency: Duration = fold.latency(now)

    /** From sending the call to its first content; null if there was none. */
    @get:JvmSynthetic
    public val timeToFirstToken: Duration? = fold.firstContentAt?.let(fold::since)

    /** All attempts, in order. The last one gave the response; the others have their error. */
    @get:JvmName("attempts")
    public val attempts: List<Delta.Attempt> = fold.attempts + listOfNotNull(fold.start?.let { Delta.Attempt(it.model, null) })

    /** True if another model than the first gave the response. */
    @get:JvmName("fallbackUsed")
    public val fallbackUsed: Boolean get() = attempts.map { it.model }.distinct().size > 1

    /** The steps of a tool loop before the last one. */
    @get:JvmName("steps")
    public val steps: List<Delta.StepFinish> = fold.steps.toList()

    private val message = Message(Role.ASSISTANT, parts, model = model)

    /**
     * All messages of the response: those of the steps of a tool loop with the tool results between them, then the last one. They do not contain [media]:
     * many APIs refuse an image in a message of the model. To send an image back, add it to a user message. Without the last one if nothing of it had arrived
     * when the response failed or was cancelled: many APIs refuse an empty message.
     */
    @get:JvmName("messages")
    public val messages: List<Message> = fold.earlier + listOf(message).filter { finishReason != null || it.parts.isNotEmpty() }

    @get:JvmName("warnings")
    public val warnings: List<String> = fold.warnings.toList()

    public fun latency(): java.time.Duration = latency.toJavaDuration()

    public fun timeToFirstToken(): java.time.Duration? = timeToFirstToken?.toJavaDuration()

    /** The message of the last step. */
    public fun toMessage(): Message = message

    override fun toString(): String = "ChatResponse($model, ${text.length} characters, finishReason=${finishReason?.raw ?: finishReason?.kind})"

    public companion object {
        /**
         * The response that [deltas] make, as a cache or a test needs it. Times are those of this call.
         *
         * Incomplete deltas give an incomplete response, whose [finishReason] is null.
         */
        @JvmStatic
        public fun of(deltas: Iterable<Delta>): ChatResponse = ResponseFold().also { fold -> deltas.forEach(fold::add) }.response()

        @JvmSynthetic
        internal fun folded(fold: ResponseFold, now: Long): ChatResponse = ChatResponse(fold, now)
    }
}

/**
 * Collects this flow into the response that its deltas make.
 *
 * A flow that ends without a [Delta.Finish] gives an incomplete response, whose `finishReason` is null.
 */
@JvmSynthetic
public suspend fun Flow<Delta>.toResponse(): ChatResponse {
    val fold = ResponseFold()
    collect(fold::add)
    return fold.response()
}
