package dev.unifiedllm

import com.knuddels.jtokkit.Encodings
import com.knuddels.jtokkit.api.EncodingRegistry
import com.knuddels.jtokkit.api.EncodingType
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.Usage

/**
 * Counts tokens without a provider: by JTokkit if it is on the class path (`com.knuddels:jtokkit`), with the tokenizer of OpenAI's models, else one token for
 * four bytes of UTF-8. Models of other makers count the same text differently, by up to a third.
 */
internal class TokenEstimate private constructor(val source: String, private val tokens: (String) -> Long) {
    fun of(messages: List<Message>): Long = messages.sumOf { message -> PER_MESSAGE + message.parts.sumOf(::of) }

    fun of(text: String): Long = tokens(text)

    fun ofTools(tools: List<Tool>): Long = tools.sumOf { PER_MESSAGE + tokens(it.name) + tokens(it.description.orEmpty()) + tokens(it.parameters.toString()) }

    private fun of(part: Part): Long = when (part) {
        is Part.Text -> tokens(part.text)
        is Part.Reasoning -> tokens(part.text)
        is Part.ToolCall -> PER_MESSAGE + tokens(part.name) + tokens(part.arguments)
        is Part.ToolResult -> PER_MESSAGE + part.content.sumOf(::of)
        is Part.Raw -> quarter(part.json)
        is Part.CacheBreakpoint -> 0
        is Part.Image, is Part.File -> PER_MEDIUM
    }

    companion object {
        /** What a provider adds to each message: its role and its limits. */
        private const val PER_MESSAGE = 4L

        /** An image at its usual size, or a page or two of a document. */
        private const val PER_MEDIUM = 1_000L

        private const val BYTES_PER_TOKEN = 4

        private val hasJtokkit: Boolean by lazy {
            try {
                Jtokkit.registry.let { true }
            } catch (_: NoClassDefFoundError) { // the dependency is optional
                false
            }
        }

        /** @param model the model's name, of which the tokenizer depends */
        fun forModel(model: String, useJtokkit: Boolean = hasJtokkit): TokenEstimate =
            if (useJtokkit) Jtokkit.estimate(model) else TokenEstimate("UTF-8 bytes / $BYTES_PER_TOKEN", ::quarter)

        /**
         * The usage of a response to [request] that was cut. Estimated without a tokenizer: loading one takes longer than cancelling a call may.
         *
         * @param characters how many of the response had arrived: see [length]
         * @param earlier the messages of the call that [request] does not have: those of its earlier steps
         * @return null if the request is not counted in tokens of text
         */
        fun ofCut(request: Request, characters: Long, earlier: List<Message> = emptyList()): Usage? {
            val bytes = forModel(request.model.name, useJtokkit = false)
            val sent = when (request) {
                is ChatRequest -> bytes.of(request.messages + earlier) + bytes.ofTools(request.tools)
                is EmbeddingRequest -> request.inputs.sumOf(bytes::of)
                is ImageRequest -> return null
            }
            return Usage.build {
                inputTokens = sent
                outputTokens = ((characters + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN).takeIf { request is ChatRequest }
                estimated = true
            }
        }

        /** How many characters of [delta] the model has written. */
        fun length(delta: Delta): Int = when (delta) {
            is Delta.Text -> delta.text.length
            is Delta.Reasoning -> delta.text.length
            is Delta.ToolCallDelta -> (delta.name?.length ?: 0) + delta.argumentsFragment.length
            else -> 0
        }

        /** Of the images and files in [messages], and in their tool results. */
        fun ofMedia(messages: List<Message>): Long = messages.flatMap { it.parts }
            .sumOf { part ->
                if (part is Part.ToolResult) {
                    part.content.count(::isMedium)
                } else if (isMedium(part)) {
                    1
                } else {
                    0
                }
            } * PER_MEDIUM

        private fun isMedium(part: Part) = part is Part.Image || part is Part.File

        private fun quarter(text: String): Long = (text.encodeToByteArray().size + BYTES_PER_TOKEN - 1L) / BYTES_PER_TOKEN
    }

    /** The only code that names the optional dependency. */
    private object Jtokkit {
        val registry: EncodingRegistry = Encodings.newLazyEncodingRegistry()

        /** The models before GPT-4o. */
        private val OLDER = Regex("^gpt-(3\\.?5|4(-|$))")

        fun estimate(model: String): TokenEstimate {
            val type = if (OLDER.containsMatchIn(model.substringAfterLast('/'))) EncodingType.CL100K_BASE else EncodingType.O200K_BASE
            val encoding = registry.getEncoding(type)
            return TokenEstimate("jtokkit ${encoding.name}") { encoding.countTokensOrdinary(it).toLong() }
        }
    }
}
