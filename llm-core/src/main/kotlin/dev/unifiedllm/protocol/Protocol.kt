package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Request
import dev.unifiedllm.protocol.json.JsonSyntaxException
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.framing.Frame

/** A wire: how a request is written for it, and how its answers are read. Pure: it opens no socket and keeps no state of its own. */
internal interface Protocol : Codec<ChatRequest> {
    /** The name that provider rows call it by. */
    val name: String

    /** How vectors are asked for; null: this wire carries none. */
    val embeddings: Codec<EmbeddingRequest>? get() = null

    /** How images are asked for; null: this wire makes none. */
    val images: Codec<ImageRequest>? get() = null
}

/** How one kind of request is written, and how its answers are read. */
internal interface Codec<in R : Request> {
    /** What is sent, and what could not be: a text for each option that the wire or the provider lacks. */
    fun encode(request: R, target: Target, warnings: MutableList<String>): TransportRequest

    /** Reads one answer. */
    fun decoder(target: Target): Decoder
}

/** Reads the frames of one answer; a whole body is one frame. Not thread-safe. */
internal interface Decoder {
    /** How far the answer is. */
    enum class Progress {
        /** More must come: ending here is a cut. */
        OPEN,

        /** The answer is complete; figures may still follow. */
        COMPLETE,

        /** Nothing follows. */
        DONE,
    }

    val progress: Progress

    /**
     * Adds to [out] what [frame] says.
     *
     * @throws JsonSyntaxException if it is not JSON
     * @throws dev.unifiedllm.LlmException if it is an error of the provider's
     */
    fun decode(frame: Frame, out: MutableList<Delta>)

    /** Adds what is only known at the end, and the finish. Called once, when [progress] is not OPEN. */
    fun finish(out: MutableList<Delta>)

    /** What was said instead of an answer; null if one has begun, or nothing was said. Called at the end of a body after which [progress] is OPEN. */
    fun errorInBody(): LlmException? = null

    /** What is to be asked next for the answer to go on, or for its figures where it is complete. Called once at the end of each response. */
    fun followUp(): FollowUp? = null

    /** What tells the provider, in the middle of an answer, that nobody waits for the rest; null where leaving says it. */
    fun cancelUpstream(): FollowUp? = null
}
