package dev.unifiedllm.chat

import dev.unifiedllm.LlmException
import java.time.Duration

/**
 * One piece of a streamed response.
 *
 * Every stream, from a provider, a decorator or a fake, follows this grammar:
 *
 *     notes   = (Attempt | Waiting | Warning)*
 *     opening = notes  Start  (Text | Reasoning | ToolCallDelta | Raw | Source | Media | Embedding | Warning)*
 *     body    = opening (Reset opening | Attempt opening)*            upstream response = body Finish
 *     reply   = (body StepFinish ToolResult*)* body Finish
 *
 * A stream that does not end with [Finish] ends with a thrown [LlmException]: a cut response is never reported as a complete one.
 */
public sealed class Delta {
    /** True for content; false for an empty text. The first content delta commits the attempt: from then on no other model is tried. */
    public open val isContent: Boolean get() = false

    /** The response has begun. @property responseId the provider's id of the response; null if it gives none */
    public data class Start @JvmOverloads constructor(
        @get:JvmName("responseId") public val responseId: String?,
        @get:JvmName("model") public val model: ModelId,
        /** The model as the provider names it in its response, perhaps with a date; null if it does not say. */
        @get:JvmName("reportedModel") public val reportedModel: String? = null,
    ) : Delta() {
        /** The head of the HTTP response; null if there was none, or if the delta was copied. Does not count in equality. */
        @get:JvmSynthetic
        internal var head: ResponseHead? = null
            private set

        /** True if the response comes from a cache: no request was sent. False for a copy. Does not count in equality. */
        @get:JvmName("isCached")
        public val isCached: Boolean get() = head?.isCached == true

        @JvmSynthetic
        internal fun withHead(head: ResponseHead): Start = copy().also { it.head = head }
    }

    /** @property choice the number of the choice (see `n`), from 0 */
    public data class Text @JvmOverloads constructor(
        @get:JvmName("text") public val text: String,
        @get:JvmName("choice") public val choice: Int = 0,
    ) : Delta() {
        override val isContent: Boolean get() = text.isNotEmpty()
    }

    /** @property signature the provider's signature of this block, which the next turn must send back; null if it gave none */
    public data class Reasoning @JvmOverloads constructor(
        @get:JvmName("text") public val text: String,
        @get:JvmName("signature") public val signature: String? = null,
        @get:JvmName("choice") public val choice: Int = 0,
        /** True for reasoning that the provider encrypts: [text] is empty and [signature] holds the encrypted text. */
        @get:JvmName("isRedacted") public val isRedacted: Boolean = false,
    ) : Delta() {
        override val isContent: Boolean get() = text.isNotEmpty() || signature != null || isRedacted
    }

    /** A fragment of tool call number [index]; [id] and [name] stand in its first fragment only. */
    public data class ToolCallDelta @JvmOverloads constructor(
        @get:JvmName("index") public val index: Int,
        @get:JvmName("id") public val id: String?,
        @get:JvmName("name") public val name: String?,
        @get:JvmName("argumentsFragment") public val argumentsFragment: String,
        @get:JvmName("choice") public val choice: Int = 0,
        /** The provider's signature of the call, which the next turn must send back; null if it gave none. */
        @get:JvmName("signature") public val signature: String? = null,
    ) : Delta() {
        override val isContent: Boolean get() = true
    }

    /**
     * A complete block that only the wire of its provider reads: a call of a built-in tool, such as a web search, or its result. The next turn must send it
     * back.
     *
     * @property type the provider's name of the block, such as `server_tool_use`, `web_search_call` or `executableCode`
     * @property json the block as the provider sent it: a JSON object as text
     * @property protocol the wire that reads it: `anthropic-messages`, `gemini-generate`, `openai-responses` or `bedrock-converse`
     */
    public data class Raw @JvmOverloads constructor(
        @get:JvmName("type") public val type: String,
        @get:JvmName("json") public val json: String,
        @get:JvmName("protocol") public val protocol: String,
        @get:JvmName("choice") public val choice: Int = 0,
    ) : Delta() {
        override val isContent: Boolean get() = true

        /** Without the content. */
        override fun toString(): String = shownRaw(type, json)
    }

    /**
     * A source that the response cites.
     *
     * @property url its id instead, if the provider cites a document or a file that has no URL
     * @property title or the name of a file; null if the provider gives none
     */
    public data class Source @JvmOverloads constructor(
        @get:JvmName("url") public val url: String,
        @get:JvmName("title") public val title: String? = null,
    ) : Delta() {
        override val isContent: Boolean get() = true
    }

    /** An image or a sound. @property mediaType with a star after the slash if the format is not known @property url an http(s) or data: URL */
    public data class Media @JvmOverloads constructor(
        @get:JvmName("mediaType") public val mediaType: String,
        @get:JvmName("url") public val url: String,
        /** True for a preview of an image that follows later in the stream. A response keeps no previews. */
        @get:JvmName("isPartial") public val isPartial: Boolean = false,
        /** The prompt from which the image was made, if the provider changed it; null if it did not, or does not say. */
        @get:JvmName("revisedPrompt") public val revisedPrompt: String? = null,
    ) : Delta() {
        override val isContent: Boolean get() = true

        /** Without the content. */
        override fun toString(): String = "Media($mediaType, ${shownUrl(url)}${if (isPartial) ", partial" else ""})"
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

    /** An option was left out or changed, or the response was unusual. The stream goes on. */
    public data class Warning(@get:JvmName("message") public val message: String) : Delta()

    /**
     * An attempt at one model.
     *
     * In a stream it has failed with [error], and the next attempt follows; the last one of a call that failed on all models is followed by the
     * exception. In [ChatResponse.attempts] the last one gave the response; its error is null.
     *
     * After content it follows a [Reset], unless the next attempt continues the text where this one was cut (`OnInterrupted.CONTINUE`).
     *
     * @property delay the wait before the next attempt at the same model; null: there is none, or the next attempt is at another model
     */
    public data class Attempt @JvmOverloads constructor(
        @get:JvmName("model") public val model: ModelId,
        @get:JvmName("error") public val error: LlmException?,
        @get:JvmName("delay") public val delay: Duration? = null,
    ) : Delta()

    /**
     * The call waits before it sends its next attempt, because of a limit of requests, tokens or running calls.
     *
     * @property delay how long, as far as it is known; null if it is not
     * @property reason what it waits for, as a sentence without a full stop
     */
    public data class Waiting @JvmOverloads constructor(
        @get:JvmName("model") public val model: ModelId,
        @get:JvmName("reason") public val reason: String,
        @get:JvmName("delay") public val delay: Duration? = null,
    ) : Delta()

    /** Discards what was delivered since the last step: the response starts again (`OnInterrupted.RESTART`). */
    public data object Reset : Delta()

    /** A step of a tool loop has ended; the results of its tool calls follow. */
    public data class StepFinish(
        @get:JvmName("index") public val index: Int,
        @get:JvmName("reason") public val reason: FinishReason,
        @get:JvmName("usage") public val usage: Usage?,
        @get:JvmName("cost") public val cost: Cost,
    ) : Delta()

    /** The result of a tool call. @property error what the tool threw; null if it returned */
    public data class ToolResult @JvmOverloads constructor(
        @get:JvmName("id") public val id: String,
        @get:JvmName("name") public val name: String,
        @get:JvmName("content") public val content: List<Part>,
        @get:JvmName("duration") public val duration: Duration,
        @get:JvmName("error") public val error: Throwable? = null,
    ) : Delta() {
        /** The texts of [content], joined. */
        @get:JvmName("text")
        public val text: String get() = content.text()
    }

    /** The response is complete. @property usage null if the provider did not report it */
    public data class Finish @JvmOverloads constructor(
        @get:JvmName("reason") public val reason: FinishReason,
        @get:JvmName("usage") public val usage: Usage?,
        @get:JvmName("cost") public val cost: Cost = Cost.Unknown("not priced"),
    ) : Delta()
}
