package dev.unifiedllm.middleware

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.hasOptions
import dev.unifiedllm.pricing.InputBound
import dev.unifiedllm.pricing.WorstCase
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.longOrNull
import java.math.BigDecimal

/** The most tokens that a model takes and writes; null: not known. */
internal class TokenLimits(val input: Long?, val output: Long?)

/**
 * The most that an attempt can cost.
 *
 * @property input for the input, or for all of it if there is no output in tokens
 * @property perOutputToken for one token of each choice @property maxTokens the most tokens of each choice
 */
internal class HighestCost(val input: BigDecimal, private val perOutputToken: BigDecimal, val maxTokens: Long) {
    val total: BigDecimal get() = of(maxTokens)

    fun of(maxTokens: Long): BigDecimal = input + perOutputToken.multiply(BigDecimal.valueOf(maxTokens))

    /** How many output tokens [amount] pays. */
    fun affordable(amount: BigDecimal): Long =
        if (perOutputToken.signum() == 0) maxTokens else ((amount - input).divideToIntegralValue(perOutputToken)).toLong().coerceAtMost(maxTokens)

    companion object {
        private val NOTHING = HighestCost(BigDecimal.ZERO, BigDecimal.ZERO, 0)

        /** Null if no price, or no bound of the tokens is known. */
        fun of(request: Request, target: AttemptTarget, limits: TokenLimits): HighestCost? = when {
            target.isFree -> NOTHING
            request is ChatRequest -> chat(request, target, limits)
            request is EmbeddingRequest ->
                worst(request.inputs.sumOf { bytes(it) + PER_MESSAGE }, request, target)?.let { HighestCost(it.input, BigDecimal.ZERO, 0) }
            else -> images(request as ImageRequest, target, limits)
        }

        private fun chat(request: ChatRequest, target: AttemptTarget, limits: TokenLimits): HighestCost? {
            val bytes = ofInput(request)
            val input = if (bytes == null) limits.input else minOf(bytes, limits.input ?: bytes)
            val worst = worst(input ?: return null, request, target)
            val rate = worst?.perOutputToken ?: return null
            val output = largest(request.providerOptions, OUTPUT_OPTIONS, request.maxTokens?.toLong()) ?: limits.output ?: return null
            val choices = largest(request.providerOptions, COUNT_OPTIONS, request.n?.toLong()) ?: 1
            return HighestCost(worst.input, rate.multiply(BigDecimal.valueOf(choices)), output)
        }

        private fun images(request: ImageRequest, target: AttemptTarget, limits: TokenLimits): HighestCost? {
            val price = target.price(null)
            val perImage = price?.perImage?.amount ?: target.imagePrices()?.dearest ?: return null
            val tokens = bytes(request.prompt) + PER_MESSAGE
            val all = if (request.sources.isEmpty() && request.mask == null) tokens else limits.input ?: (tokens + (request.sources.size + 1) * PER_IMAGE)
            val input = price?.takeIf { it.isOfTokens }?.let { worst(all, request, target)?.input } ?: BigDecimal.ZERO
            return HighestCost(
                input + perImage.multiply(BigDecimal.valueOf(largest(request.providerOptions, COUNT_OPTIONS, request.n?.toLong()) ?: 1)),
                BigDecimal.ZERO,
                0,
            )
        }

        /** The largest of [set] and the options of a provider's own called [names], which replace it; null if there is none. */
        private fun largest(options: JsonObject, names: Set<String>, set: Long?): Long? {
            val own = options.entries.flatMap { (name, value) ->
                when {
                    name in names -> listOfNotNull((value as? JsonPrimitive)?.longOrNull)
                    value is JsonObject -> listOfNotNull(largest(value, names, null))
                    else -> emptyList()
                }
            }
            return (own + listOfNotNull(set)).maxOrNull()
        }

        private fun worst(tokens: Long, request: Request, target: AttemptTarget): WorstCase? {
            val chat = request as? ChatRequest
            val writes = chat?.messages.orEmpty().any { message -> message.parts.any { it is Part.CacheBreakpoint && it.ttl == CacheTtl.ONE_HOUR } }
            return target.price(null)?.worstCase(InputBound(tokens, chat?.serviceTier, request.hasOptions, writes))
        }

        /** At least as many tokens as the input has, since each has a byte or more; null if a medium has no known bound. */
        private fun ofInput(request: ChatRequest): Long? {
            val parts = request.messages.map { message -> sum(message.parts)?.let { it + PER_MESSAGE + bytes(message.name.orEmpty()) } ?: return null }
            val tools = request.tools.sumOf { bytes(it.name) + bytes(it.description.orEmpty()) + bytes(it.parameters.toString()) + PER_MESSAGE }
            val other = bytes(request.responseFormat.toString()) + bytes(request.providerOptions.toString()) + if (request.tools.isEmpty()) 0 else OF_TOOLS
            return parts.sum() + tools + other
        }

        private fun sum(parts: List<Part>): Long? = parts.sumOf { of(it) ?: return null }

        private fun of(part: Part): Long? = when (part) {
            is Part.Text -> bytes(part.text)
            is Part.Reasoning -> bytes(part.text) + bytes(part.signature.orEmpty())
            is Part.ToolCall -> bytes(part.id) + bytes(part.name) + bytes(part.arguments) + bytes(part.signature.orEmpty()) + PER_MESSAGE
            is Part.ToolResult -> sum(part.content)?.let { it + bytes(part.id) + bytes(part.name) + PER_MESSAGE }
            is Part.Raw -> bytes(part.json)
            is Part.CacheBreakpoint -> 0
            is Part.Image -> if (part.url.startsWith(DATA)) PER_IMAGE else null
            is Part.File -> ofFile(part)
        }

        private fun ofFile(file: Part.File): Long? = when {
            !file.url.startsWith(DATA) -> null
            file.mediaType.startsWith("image/") -> PER_IMAGE
            listOf("text/", "audio/", "video/").any(file.mediaType::startsWith) -> file.url.length.toLong()
            else -> null // the pages of a document are compressed
        }

        private fun bytes(text: String): Long = text.encodeToByteArray().size.toLong()

        private val OUTPUT_OPTIONS = setOf(
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "maxOutputTokens",
            "maxTokens",
            "max_new_tokens",
            "max_gen_len",
            "num_predict",
        )
        private val COUNT_OPTIONS = setOf("n", "candidateCount", "num_images", "num_outputs", "sampleCount", "numberOfImages")
        private const val DATA = "data:"

        /** The role, and what marks the limits of a message. */
        private const val PER_MESSAGE = 32L

        /** What a provider tells the model about tools. */
        private const val OF_TOOLS = 1_000L

        /** More than any provider counts for one image. */
        private const val PER_IMAGE = 20_000L
    }
}
