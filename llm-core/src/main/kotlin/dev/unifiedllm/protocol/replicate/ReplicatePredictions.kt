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
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withSystem
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/**
 * `POST …/predictions`, Replicate's wire (replicate.com/docs/reference/http): a prediction is created, then its stream is read, or its state
 * asked for until it has ended. The inputs are the model's own; those sent here are what its language models share.
 */
internal object ReplicatePredictions : Protocol {
    override val name: String = "replicate-predictions"

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
        lacks(request, warnings)
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

    private fun lacks(request: ChatRequest, warnings: MutableList<String>) {
        val missing = listOfNotNull(
            "tools".takeIf { request.tools.isNotEmpty() },
            "responseFormat".takeIf { request.responseFormat != null && request.responseFormat != ResponseFormat.Text },
            "n".takeIf { (request.n ?: 1) > 1 },
            "reasoning".takeIf { request.reasoning != null || request.reasoningBudget != null },
            "logprobs".takeIf { request.logprobs == true || request.topLogprobs != null },
            "endUser".takeIf { request.endUser != null },
            "serviceTier".takeIf { request.serviceTier != null },
            "parallelToolCalls".takeIf { request.parallelToolCalls != null },
            "metadata".takeIf { request.metadata.isNotEmpty() },
        )
        missing.mapTo(warnings) { "predictions have no common input for $it: it was left out; where the model takes it: providerOptions { put(…) }" }
    }
}

/** The 64 hexadecimal digits that name a version: alone, or behind `owner/name:`. */
internal fun versionOf(name: String): String? = name.substringAfterLast(':').takeIf { VERSION.matches(it) }

/** Where predictions of the model called [name] are created. */
internal fun predictionsPath(name: String): String = when {
    versionOf(name) != null -> "/predictions"
    name.startsWith("deployments/") -> "/${segments(name)}/predictions"
    else -> "/models/${segments(name)}/predictions"
}

private fun segments(name: String): String = name.split('/').joinToString("/", transform = ::encode)

/** A conversation as one text: what the user says as it is if that is all, else turn by turn, with the model's turn open at the end. */
internal fun transcript(messages: List<Message>, warnings: MutableList<String>): String {
    if (messages.any { message -> message.parts.any { it is Part.Image || it is Part.File } }) {
        warnings +=
            "predictions have no common input for images and documents: they were left out; where the model takes one: providerOptions { put(\"image\", url) }"
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
