package dev.unifiedllm.protocol.replicate

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.isMedia
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withSystem
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.JsonMode
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/**
 * Replicate's predictions API: `POST …/predictions` ([replicate.com](https://replicate.com/docs/reference/http)). The request creates a
 * prediction; then its stream is read, or its state is requested until it has ended. Each model defines its own inputs: those sent here are
 * common to the language models.
 */
internal object ReplicatePredictions : Protocol {
    override val name: String = "replicate-predictions"
    override val jsonModes: List<JsonMode> get() = listOf(JsonMode.PROMPT)

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val version = versionOf(target.name)
        val body = buildJsonObject {
            version?.let { put("version", it) }
            putJsonObject("input") {
                input(request, target, warnings)
                for ((option, value) in request.providerOptions) put(option, value)
            }
            if (request.delivery == Delivery.STREAM) put("stream", true)
        }
        withoutNames(request.messages, warnings)
        unsupported(request, warnings)
        val headers = headers(target, request, streamType = "application/json")
        return TransportRequest(withQuery(target.baseUrl + predictionsPath(target.name), request), headers, body.toString().encodeToByteArray())
    }

    override fun decoder(target: Target): Decoder = ReplicateDecoder(target)

    private fun JsonObjectBuilder.input(request: ChatRequest, target: Target, warnings: MutableList<String>) {
        val messages = target.withSystem(request.messages)
        put("prompt", transcript(messages, warnings))
        val system = messages.filter { it.role == Role.SYSTEM }.joinToString("\n\n") { it.text }
        if (system.isNotEmpty()) put("system_prompt", system)
        request.maxTokens?.let { put(target.provider.quirks.maxTokensField, it) }
        request.temperature?.let { put("temperature", it) }
        request.topP?.let { put("top_p", it) }
        request.topK?.let { put("top_k", it) }
        request.seed?.let { put("seed", it) }
        request.presencePenalty?.let { put("presence_penalty", it) }
        request.frequencyPenalty?.let { put("frequency_penalty", it) }
        if (request.stop.isNotEmpty()) put("stop_sequences", request.stop.joinToString(","))
    }

    private fun unsupported(request: ChatRequest, warnings: MutableList<String>) {
        warnUnsupported(
            API,
            warnings,
            "tools" to request.tools.isNotEmpty(),
            "responseFormat" to (request.responseFormat != null && request.responseFormat != ResponseFormat.Text),
            "n" to ((request.n ?: 1) > 1),
            "reasoning" to (request.reasoning != null || request.reasoningBudget != null),
            "logprobs" to (request.logprobs == true || request.topLogprobs != null),
            "endUser" to (request.endUser != null),
            "serviceTier" to (request.serviceTier != null),
            "parallelToolCalls" to (request.parallelToolCalls != null),
            "metadata" to request.metadata.isNotEmpty(),
            hint = "if the model has one, set it by providerOptions { put(…) }",
        )
    }
}

private const val API = "the common input of Replicate's models"

/** The version in a model's name: 64 hexadecimal digits, alone or after `owner/name:`. Null if there is none. */
internal fun versionOf(name: String): String? = name.substringAfterLast(':').takeIf { VERSION.matches(it) }

/** The path at which predictions of the model [name] are created. */
internal fun predictionsPath(name: String): String = when {
    versionOf(name) != null -> "/predictions"
    name.startsWith("deployments/") -> "/${segments(name)}/predictions"
    else -> "/models/${segments(name)}/predictions"
}

private fun segments(name: String): String = name.split('/').joinToString("/", transform = ::encode)

/**
 * Encodes a conversation as one text. A single user message is sent as it is; several messages become lines with the name of the role, and
 * `Assistant:` at the end, which the model completes.
 */
internal fun transcript(messages: List<Message>, warnings: MutableList<String>): String {
    if (messages.any { message -> message.parts.any { it.isMedia || (it is Part.ToolResult && it.content.any(Part::isMedia)) } }) {
        warnings += "images and documents were left out: $API has no field for them (if the model has one, set it by providerOptions { put(\"image\", url) })"
    }
    val turns = messages.filter { it.role != Role.SYSTEM }
    turns.singleOrNull()?.takeIf { it.role == Role.USER }?.let { return it.text }
    return turns.joinToString("\n\n", postfix = "\n\nAssistant:") { turn ->
        when (turn.role) {
            Role.ASSISTANT -> "Assistant: ${turn.text}"
            Role.TOOL -> "Tool: ${turn.parts.filterIsInstance<Part.ToolResult>().joinToString("\n") { it.text }}"
            else -> "User: ${turn.text}"
        }
    }
}

private val VERSION = Regex("[0-9a-f]{64}")
