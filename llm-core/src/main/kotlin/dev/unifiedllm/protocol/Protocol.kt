package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.Frame
import dev.unifiedllm.transport.WireRequest

/** A wire: how a request is written for it, and how its answers are read. Pure: it opens no socket and keeps no state of its own. */
internal interface Protocol {
    /** The name that provider rows call it by. */
    val name: String

    /** What is sent, and what could not be: a text for each option that the wire or the provider lacks. */
    fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): WireRequest

    /** Reads one answer. */
    fun decoder(target: Target): Decoder

    companion object {
        private val all = listOf(
            OpenAiChat,
            OpenAiResponses,
            OllamaChat,
            AnthropicMessages,
            AnthropicVertex,
            GeminiGenerate,
            VertexGemini,
            BedrockConverse,
        ).associateBy { it.name }

        fun named(name: String): Protocol = checkNotNull(all[name]) { "no wire is called $name" }
    }
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
}
