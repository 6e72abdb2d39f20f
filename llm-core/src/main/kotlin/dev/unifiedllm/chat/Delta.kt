package dev.unifiedllm.chat

import dev.unifiedllm.LlmException
import java.time.Duration

/**
 * A step of an answer as it arrives.
 *
 * The grammar of every stream, whoever makes it:
 *
 *     opening = (Attempt | Warning)*  Start  (Text | Reasoning | ToolCallDelta | Source | Media | Embedding | Warning)*
 *     body    = opening (Reset opening)*            upstream answer = body Finish
 *     reply   = (body StepFinish ToolResult*)* body Finish
 *
 * A stream that does not end with [Finish] ends with a thrown `LlmException`: a cut answer is never a short one.
 */
public sealed class Delta {
    /** True for what reaches the user: the first such delta commits the attempt. */
    internal open val isContent: Boolean get() = false

    /** The provider has begun to answer. @property responseId the provider's id of it; null if it gives none */
    public data class Start @JvmOverloads constructor(
        @get:JvmName("responseId") public val responseId: String?,
        @get:JvmName("model") public val model: ModelId,
        /** The model as the provider names it in its answer, perhaps with a date; null if it does not say. */
        @get:JvmName("reportedModel") public val reportedModel: String? = null,
    ) : Delta()

    /** @property choice which of several answers asked for (`n`), from 0 */
    public data class Text @JvmOverloads constructor(
        @get:JvmName("text") public val text: String,
        @get:JvmName("choice") public val choice: Int = 0,
    ) : Delta() {
        override val isContent: Boolean get() = true
    }

    /** @property signature the provider's seal over this block, which a next turn must send back; null if it gave none */
    public data class Reasoning @JvmOverloads constructor(
        @get:JvmName("text") public val text: String,
        @get:JvmName("signature") public val signature: String? = null,
        @get:JvmName("choice") public val choice: Int = 0,
        /** True for a thought that the provider hides: [text] is empty and [signature] holds it, unreadable. */
        @get:JvmName("isRedacted") public val isRedacted: Boolean = false,
    ) : Delta() {
        override val isContent: Boolean get() = true
    }

    /** A fragment of tool call number [index]; [id] and [name] stand in its first fragment only. */
    public data class ToolCallDelta @JvmOverloads constructor(
        @get:JvmName("index") public val index: Int,
        @get:JvmName("id") public val id: String?,
        @get:JvmName("name") public val name: String?,
        @get:JvmName("argumentsFragment") public val argumentsFragment: String,
        @get:JvmName("choice") public val choice: Int = 0,
        /** The provider's seal over the call, which a next turn must send back; null if it gave none. */
        @get:JvmName("signature") public val signature: String? = null,
    ) : Delta() {
        override val isContent: Boolean get() = true
    }

    /** Something the answer rests on. */
    public data class Source @JvmOverloads constructor(
        @get:JvmName("url") public val url: String,
        @get:JvmName("title") public val title: String? = null,
    ) : Delta() {
        override val isContent: Boolean get() = true
    }

    /** An image or a sound: [url] (also a data: URL) of type [mediaType]. */
    public data class Media(
        @get:JvmName("mediaType") public val mediaType: String,
        @get:JvmName("url") public val url: String,
    ) : Delta() {
        override val isContent: Boolean get() = true
    }

    /** The vector of input number [index]. */
    public class Embedding(
        @get:JvmName("index") public val index: Int,
        @get:JvmName("vector") public val vector: FloatArray,
    ) : Delta() {
        override val isContent: Boolean get() = true

        override fun equals(other: Any?): Boolean = other is Embedding && index == other.index && vector.contentEquals(other.vector)

        override fun hashCode(): Int = index * 31 + vector.contentHashCode()

        override fun toString(): String = "Embedding(index=$index, ${vector.size} numbers)"
    }

    /** Something was left out, changed or odd; the answer goes on. */
    public data class Warning(@get:JvmName("message") public val message: String) : Delta()

    /**
     * One try at one model. In a stream: it has failed with [error] and another follows, after [delay] if there is one. In
     * [ChatResponse.attempts] the last one is the one that answered; its error is null.
     */
    public data class Attempt @JvmOverloads constructor(
        @get:JvmName("model") public val model: ModelId,
        @get:JvmName("error") public val error: LlmException?,
        @get:JvmName("delay") public val delay: Duration? = null,
    ) : Delta()

    /** What came before is void: the answer starts again. Only where the caller asked for it. */
    public data object Reset : Delta()

    /** An inner step has ended; its tools are called next. */
    public data class StepFinish(
        @get:JvmName("index") public val index: Int,
        @get:JvmName("reason") public val reason: FinishReason,
        @get:JvmName("usage") public val usage: Usage?,
        @get:JvmName("cost") public val cost: Cost,
    ) : Delta()

    /** What a tool returned, or the [error] that it ended with. */
    public data class ToolResult @JvmOverloads constructor(
        @get:JvmName("id") public val id: String,
        @get:JvmName("name") public val name: String,
        @get:JvmName("content") public val content: String,
        @get:JvmName("duration") public val duration: Duration,
        @get:JvmName("error") public val error: Throwable? = null,
    ) : Delta()

    /** The answer is complete. @property usage null: the provider did not report it */
    public data class Finish @JvmOverloads constructor(
        @get:JvmName("reason") public val reason: FinishReason,
        @get:JvmName("usage") public val usage: Usage?,
        @get:JvmName("cost") public val cost: Cost = Cost.Unknown("not priced"),
    ) : Delta()
}
