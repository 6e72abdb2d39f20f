package dev.unifiedllm.telemetry

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFormat
import io.opentelemetry.api.common.AttributeKey
import io.opentelemetry.api.trace.Span
import io.opentelemetry.api.trace.SpanBuilder
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.TimeoutCancellationException
import java.net.URI
import java.net.URISyntaxException

/** The attributes of spans and metrics: those of the conventions, and our own. */
internal object Attributes {
    val OPERATION: AttributeKey<String> = text("gen_ai.operation.name")
    val PROVIDER: AttributeKey<String> = text("gen_ai.provider.name")
    val REQUEST_MODEL: AttributeKey<String> = text("gen_ai.request.model")
    val RESPONSE_MODEL: AttributeKey<String> = text("gen_ai.response.model")
    val RESPONSE_ID: AttributeKey<String> = text("gen_ai.response.id")
    val FINISH_REASONS: AttributeKey<List<String>> = texts("gen_ai.response.finish_reasons")
    val TIME_TO_FIRST_CHUNK: AttributeKey<Double> = AttributeKey.doubleKey("gen_ai.response.time_to_first_chunk")
    val OUTPUT_TYPE: AttributeKey<String> = text("gen_ai.output.type")
    val STREAM: AttributeKey<Boolean> = AttributeKey.booleanKey("gen_ai.request.stream")
    val CHOICES: AttributeKey<Long> = number("gen_ai.request.choice.count")
    val SEED: AttributeKey<Long> = number("gen_ai.request.seed")
    val MAX_TOKENS: AttributeKey<Long> = number("gen_ai.request.max_tokens")
    val TEMPERATURE: AttributeKey<Double> = AttributeKey.doubleKey("gen_ai.request.temperature")
    val TOP_P: AttributeKey<Double> = AttributeKey.doubleKey("gen_ai.request.top_p")
    val TOP_K: AttributeKey<Double> = AttributeKey.doubleKey("gen_ai.request.top_k")
    val FREQUENCY_PENALTY: AttributeKey<Double> = AttributeKey.doubleKey("gen_ai.request.frequency_penalty")
    val PRESENCE_PENALTY: AttributeKey<Double> = AttributeKey.doubleKey("gen_ai.request.presence_penalty")
    val STOP: AttributeKey<List<String>> = texts("gen_ai.request.stop_sequences")
    val ENCODINGS: AttributeKey<List<String>> = texts("gen_ai.request.encoding_formats")
    val DIMENSIONS: AttributeKey<Long> = number("gen_ai.embeddings.dimension.count")
    val INPUT_TOKENS: AttributeKey<Long> = number("gen_ai.usage.input_tokens")
    val OUTPUT_TOKENS: AttributeKey<Long> = number("gen_ai.usage.output_tokens")
    val CACHE_READ: AttributeKey<Long> = number("gen_ai.usage.cache_read.input_tokens")
    val CACHE_WRITE: AttributeKey<Long> = number("gen_ai.usage.cache_creation.input_tokens")
    val REASONING: AttributeKey<Long> = number("gen_ai.usage.reasoning.output_tokens")
    val TOKEN_TYPE: AttributeKey<String> = text("gen_ai.token.type")
    val INPUT_MESSAGES: AttributeKey<String> = text("gen_ai.input.messages")
    val OUTPUT_MESSAGES: AttributeKey<String> = text("gen_ai.output.messages")
    val TOOL_DEFINITIONS: AttributeKey<String> = text("gen_ai.tool.definitions")
    val TOOL_NAME: AttributeKey<String> = text("gen_ai.tool.name")
    val TOOL_TYPE: AttributeKey<String> = text("gen_ai.tool.type")
    val TOOL_CALL_ID: AttributeKey<String> = text("gen_ai.tool.call.id")
    val TOOL_DESCRIPTION: AttributeKey<String> = text("gen_ai.tool.description")
    val TOOL_ARGUMENTS: AttributeKey<String> = text("gen_ai.tool.call.arguments")
    val TOOL_RESULT: AttributeKey<String> = text("gen_ai.tool.call.result")
    val ERROR_TYPE: AttributeKey<String> = text("error.type")
    val HTTP_STATUS: AttributeKey<Long> = number("http.response.status_code")
    val ADDRESS: AttributeKey<String> = text("server.address")
    val PORT: AttributeKey<Long> = number("server.port")
    val CALL_ID: AttributeKey<String> = text("unified_llm.call.id")
    val TASK: AttributeKey<String> = text("unified_llm.task")
    val TAGS: AttributeKey<List<String>> = texts("unified_llm.tags")
    val COST: AttributeKey<String> = text("unified_llm.cost")
    val CACHED: AttributeKey<Boolean> = AttributeKey.booleanKey("unified_llm.cached")
    val ATTEMPTS: AttributeKey<Long> = number("unified_llm.attempts")
    val ATTEMPT_NUMBER: AttributeKey<Long> = number("unified_llm.attempt.number")

    private fun text(name: String): AttributeKey<String> = AttributeKey.stringKey(name)

    private fun texts(name: String): AttributeKey<List<String>> = AttributeKey.stringArrayKey(name)

    private fun number(name: String): AttributeKey<Long> = AttributeKey.longKey(name)
}

/** Where a provider is reached. */
internal class Server(val host: String, val port: Long) {
    fun describe(span: Span) {
        span.setAttribute(Attributes.ADDRESS, host)
        span.setAttribute(Attributes.PORT, port)
    }

    fun describe(span: SpanBuilder) {
        span.setAttribute(Attributes.ADDRESS, host)
        span.setAttribute(Attributes.PORT, port)
    }

    companion object {
        private const val HTTP = 80L
        private const val HTTPS = 443L

        /** Null if [baseUrl] is null, or has no host. */
        fun of(baseUrl: String?): Server? {
            val url = try {
                URI(baseUrl ?: return null)
            } catch (_: URISyntaxException) {
                return null
            }
            val standard = if (url.scheme.equals("http", ignoreCase = true)) HTTP else HTTPS
            return Server(url.host?.removeSurrounding("[", "]") ?: return null, if (url.port < 0) standard else url.port.toLong())
        }
    }
}

/** The conventions' name of the provider of [model]; its own id if they have none. */
internal fun providerName(model: ModelId): String = model.provider.substringBefore('/').let { id -> WELL_KNOWN[id] ?: id.ifEmpty { "_OTHER" } }

private val WELL_KNOWN = mapOf(
    "azure" to "azure.ai.openai",
    "azure_ai" to "azure.ai.inference",
    "bedrock" to "aws.bedrock",
    "bedrock_mantle" to "aws.bedrock",
    "codestral" to "mistral_ai",
    "cohere_chat" to "cohere",
    "gemini" to "gcp.gemini",
    "mistral" to "mistral_ai",
    "vertex_ai" to "gcp.vertex_ai",
    "vertex_ai_beta" to "gcp.vertex_ai",
    "watsonx" to "ibm.watsonx.ai",
    "xai" to "x_ai",
)

/** The class of [failure], of which there are few. */
internal fun errorType(failure: Throwable): String = when (failure) {
    is TimeoutCancellationException -> LlmException.Timeout::class.java.canonicalName
    is CancellationException -> LlmException.Cancelled::class.java.canonicalName
    else -> failure.javaClass.canonicalName ?: failure.javaClass.name
}

internal fun statusOf(failure: Throwable): Long? = (failure as? LlmException)?.status?.toLong()

/** Adds the settings of [request]. */
internal fun describe(request: Request, span: SpanBuilder) {
    fun <T : Any> set(key: AttributeKey<T>, value: T?) {
        if (value != null) span.setAttribute(key, value)
    }
    set(Attributes.CALL_ID, request.context.callId)
    set(Attributes.TASK, request.context.task)
    set(Attributes.TAGS, request.context.tags.ifEmpty { null })
    when (request) {
        is ChatRequest -> {
            val isJson = request.context.answerType != null || (request.responseFormat != null && request.responseFormat != ResponseFormat.Text)
            set(Attributes.OUTPUT_TYPE, "json".takeIf { isJson })
            set(Attributes.STREAM, true.takeIf { request.delivery == Delivery.STREAM })
            set(Attributes.CHOICES, request.n?.takeIf { it != 1 }?.toLong())
            set(Attributes.SEED, request.seed)
            set(Attributes.MAX_TOKENS, request.maxTokens?.toLong())
            set(Attributes.TEMPERATURE, request.temperature)
            set(Attributes.TOP_P, request.topP)
            set(Attributes.TOP_K, request.topK?.toDouble())
            set(Attributes.FREQUENCY_PENALTY, request.frequencyPenalty)
            set(Attributes.PRESENCE_PENALTY, request.presencePenalty)
            set(Attributes.STOP, request.stop.ifEmpty { null })
        }
        is EmbeddingRequest -> {
            set(Attributes.DIMENSIONS, request.dimensions?.toLong())
            set(Attributes.ENCODINGS, request.encoding?.let { listOf(it.name.lowercase()) })
        }
        is ImageRequest -> {
            set(Attributes.OUTPUT_TYPE, "image")
            set(Attributes.CHOICES, request.n?.takeIf { it != 1 }?.toLong())
            set(Attributes.SEED, request.seed)
        }
    }
}

/** Adds how a response ended, and what it took. @param isCached true for one of a cache of the library, which took no tokens */
internal fun describe(finish: Delta.Finish, span: Span, isCached: Boolean) {
    fun set(key: AttributeKey<Long>, value: Long?) {
        if (value != null) span.setAttribute(key, value)
    }
    span.setAttribute(Attributes.FINISH_REASONS, listOf(finishReason(finish.reason)))
    finish.cost.usd()?.let { span.setAttribute(Attributes.COST, it.amount.toPlainString()) }
    if (isCached) return
    set(Attributes.INPUT_TOKENS, finish.usage?.inputTokens)
    set(Attributes.OUTPUT_TOKENS, finish.usage?.outputTokens)
    set(Attributes.CACHE_READ, finish.usage?.cacheReadTokens)
    set(Attributes.CACHE_WRITE, finish.usage?.cacheWriteTokens)
    set(Attributes.REASONING, finish.usage?.reasoningTokens)
}
