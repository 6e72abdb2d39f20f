package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Request
import dev.unifiedllm.protocol.json.JsonSyntaxException
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.WireFacts
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.framing.Frame

/** A wire: encodes requests and decodes responses, and states the facts about itself. It opens no socket and keeps no state. */
internal interface Protocol : Codec<ChatRequest>, WireFacts {
    /** True if [media] at an http(s) URL must be sent by content. Then the library fetches it, because the provider does not. */
    fun needsContent(media: Media, target: Target): Boolean = false

    /** The codec for embeddings; null if the wire has none. */
    val embeddings: Codec<EmbeddingRequest>? get() = null

    /** The codec for images; null if the wire has none. */
    val images: Codec<ImageRequest>? get() = null

    /** True if the provider fetches images to change from http(s) URLs itself; else the library does. */
    fun fetchesSources(target: Target): Boolean = false

    /** How it counts the tokens of a request; null if the wire, or the provider of [target], cannot. */
    fun tokenCounter(target: Target): TokenCounter? = null

    /** How it lists models; null if it cannot. */
    val modelList: ModelList? get() = null
}

/** Encodes one kind of request and decodes the responses to it. */
internal interface Codec<in R : Request> {
    /** Encodes [request]. Adds to [warnings] a text for each setting that the wire or the provider does not have. */
    fun encode(request: R, target: Target, warnings: MutableList<String>): TransportRequest

    /** A new decoder, for one response. */
    fun decoder(target: Target): Decoder

    /** A new decoder, for the response to [request]. */
    fun decoder(request: R, target: Target): Decoder = decoder(target)
}

/** Decodes the frames of one response to deltas. A body that is not streamed is one frame. Not thread-safe. */
internal interface Decoder {
    /** How much of the response has been decoded. */
    enum class Progress {
        /** The response is not complete: if the body ends here, it was cut. */
        OPEN,

        /** The response is complete; usage may still follow. */
        COMPLETE,

        /** Nothing follows. */
        DONE,
    }

    val progress: Progress

    /** True if nothing more is read of this body: the response is complete, or goes on in another body. */
    val hasReadBody: Boolean get() = progress == Progress.DONE

    /**
     * Adds the deltas of [frame] to [out].
     *
     * @throws JsonSyntaxException if it is not JSON
     * @throws dev.unifiedllm.LlmException if it is an error of the provider
     */
    fun decode(frame: Frame, out: MutableList<Delta>)

    /**
     * What the last frame was like, if it had one delta of text or reasoning, and an equal frame would add the same delta and change nothing else; null if it
     * was not so. Then frames that match it are given to [repeat], in place of [decode].
     */
    val repeats: TextTemplate? get() = null

    /** The delta of a frame that equals the last one but for its [text]. */
    fun repeat(text: String): Delta = error("no frame repeats")

    /** False if its frames are text, not JSON. */
    val readsJson: Boolean get() = true

    /** True if [progress] is COMPLETE and content may still follow: then the rest of the stream is worth a long wait. */
    val mayContinue: Boolean get() = false

    /** True if the response is complete, and nothing has said why it ended: what looked like an error before the end is then one. */
    val endsWithoutReason: Boolean get() = false

    /** Decodes `[DONE]`, which ends the streams of OpenAI's wire, and of gateways on other wires. */
    fun done(out: MutableList<Delta>): Unit = Unit

    /** True if [progress] is OPEN and a body that ends properly is complete all the same. */
    fun isCompleteAtEnd(): Boolean = false

    /** Adds the deltas that are known only at the end, and the finish. Called once, when [progress] is not OPEN. */
    fun finish(out: MutableList<Delta>)

    /** The error that a body with status 200 holds in place of an answer; null if there is none. Called if [progress] is OPEN at the end of the body. */
    fun errorInBody(): LlmException? = null

    /** The request that continues the response, or that brings its usage; null if none is needed. Called once at the end of each body. */
    fun followUp(): FollowUp? = null

    /** The request that tells the provider to stop a response that was cancelled; null if closing the connection does. */
    fun cancelUpstream(): FollowUp? = null
}
