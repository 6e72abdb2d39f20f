package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/** A message of a chat widget: what the user wrote, or a whole answer with its usage, cost and times. */
public class ChatMessage private constructor(
    /** Unique within the widget. */
    @get:JvmName("id") public val id: String,
    @get:JvmName("role") public val role: Role,
    @get:JvmName("state") public val state: State,
    /**
     * What later requests send of it: for an answer with tools all its steps and the tool results between them. Empty for an answer of which nothing had
     * arrived.
     */
    @get:JvmName("messages") public val messages: List<Message>,
    /** The answer as far as it has arrived; null for messages that no model wrote. */
    @get:JvmName("response") public val response: ChatResponse?,
    /** Why the answer failed; null if it did not. */
    @get:JvmName("failure") public val failure: Throwable?,
    /** What a function as a model returned, if that was neither a text nor a stream of texts; otherwise null. */
    @get:JvmName("result") public val result: Any?,
    private val estimate: Cost?,
) {
    public enum class State {
        DONE,

        /** It is growing. */
        STREAMING,

        /** The user stopped it: it is not complete. */
        STOPPED,
        FAILED,
    }

    /** The visible text. That of an answer with tools is the text of its last step. */
    @get:JvmName("text")
    public val text: String get() = response?.text ?: messages.joinToString("") { it.text }

    /** Images and files of a user's message. */
    @get:JvmName("attachments")
    public val attachments: List<Part> get() =
        if (role == Role.USER) messages.flatMap { it.parts }.filter { it is Part.Image || it is Part.File } else emptyList()

    /** Null for messages that no model wrote, and for answers without a count of tokens. */
    @get:JvmName("usage")
    public val usage: Usage? get() = response?.usage

    /** Null for messages that no model wrote. That of an answer which is not complete is an estimate, if its price is known. */
    @get:JvmName("cost")
    public val cost: Cost? get() = estimate ?: response?.cost

    /** The model that wrote it; null if none did. */
    @get:JvmName("model")
    public val model: ModelId? get() = response?.model

    /** From sending the request to the end of the answer; null for messages that no model wrote. */
    @get:JvmSynthetic
    public val latency: Duration? get() = response?.latency

    public fun latency(): java.time.Duration? = latency?.toJavaDuration()

    override fun toString(): String = "ChatMessage($role, $state, ${text.length} characters)"

    internal companion object {
        @JvmSynthetic
        fun of(
            id: String,
            role: Role,
            state: State,
            messages: List<Message>,
            response: ChatResponse? = null,
            failure: Throwable? = null,
            result: Any? = null,
            estimate: Cost? = null,
        ): ChatMessage = ChatMessage(id, role, state, messages, response, failure, result, estimate)
    }
}
