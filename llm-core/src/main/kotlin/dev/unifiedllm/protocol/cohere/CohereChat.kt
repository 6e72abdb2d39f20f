package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.MediaKind
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.functionCall
import dev.unifiedllm.protocol.functionTool
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.imagePart
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.messageList
import dev.unifiedllm.protocol.textPart
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.wireName
import dev.unifiedllm.protocol.withMediaAfterResults
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** Cohere's Chat API: `POST /v2/chat` ([docs.cohere.com](https://docs.cohere.com/v2/reference/chat)). */
internal object CohereChat : Protocol {
    override val name: String = "cohere-chat"

    /** Nothing is signed here. Plans for tool calls go back to every Cohere model, and to no other. */
    override fun signatureFamily(model: String): String = "cohere"

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val messages = withMediaAfterResults(request.messages, mayFollow = true, warnings)
        val body = buildJsonObject {
            put("model", target.name)
            withoutNames(request.messages, warnings)
            put("messages", target.messageList(messages, ::result) { message(it, target, warnings) })
            put("stream", request.delivery == Delivery.STREAM)
            settings(request, warnings)
            thinking(request)
            tools(request)
            val documents = messages.flatMap { it.parts }.filterIsInstance<Part.File>().mapNotNull { document(it, warnings) }
            if (documents.isNotEmpty()) put("documents", numbered(documents))
        }
        val whole = withOptions(body, request.providerOptions, emptySet())
        return TransportRequest(withQuery(chatUrl(target.baseUrl), request), headers(target, request), whole.toUtf8())
    }

    override fun decoder(target: Target): Decoder = CohereChatDecoder(target)

    override val embeddings: Codec<EmbeddingRequest> get() = CohereEmbed

    override fun embeddingLimits(model: String): EmbeddingLimits = CohereEmbed.LIMITS

    /** Images are taken at URLs, documents as texts. */
    override fun needsContent(media: Media, target: Target): Boolean = media.kind == MediaKind.DOCUMENT && isText(media.mediaType.orEmpty())

    override val modelList: ModelList get() = cohereModels

    private fun JsonObjectBuilder.settings(request: ChatRequest, warnings: MutableList<String>) {
        request.temperature?.let { put("temperature", it) }
        request.topP?.let { put("p", it) }
        request.topK?.let { put("k", it) }
        request.maxTokens?.let { put("max_tokens", it) }
        if (request.stop.isNotEmpty()) putJsonArray("stop_sequences") { request.stop.forEach { add(it) } }
        request.seed?.let { put("seed", it) }
        request.presencePenalty?.let { put("presence_penalty", it) }
        request.frequencyPenalty?.let { put("frequency_penalty", it) }
        request.logprobs?.let { put("logprobs", it) }
        when (val format = request.responseFormat) {
            null, ResponseFormat.Text -> Unit
            ResponseFormat.Json -> putJsonObject("response_format") { put("type", "json_object") }
            is ResponseFormat.JsonSchema -> putJsonObject("response_format") {
                put("type", "json_object")
                put("json_schema", format.schema)
            }
        }
        warnUnsupported(
            "the Cohere Chat API",
            warnings,
            "n" to ((request.n ?: 1) > 1),
            "topLogprobs" to (request.topLogprobs != null),
            "endUser" to (request.endUser != null),
            "serviceTier" to (request.serviceTier != null),
            "parallelToolCalls = false" to (request.parallelToolCalls == false),
            "metadata" to request.metadata.isNotEmpty(),
        )
    }

    /** Reasoning is on or off, with an optional budget. The API has no levels: every effort but NONE turns it on. */
    private fun JsonObjectBuilder.thinking(request: ChatRequest) {
        val budget = request.reasoningBudget
        if (request.reasoning == null && budget == null) return
        putJsonObject("thinking") {
            put("type", if (request.reasoning == Effort.NONE || budget == 0) "disabled" else "enabled")
            if (budget != null && budget > 0) put("token_budget", budget)
        }
    }

    /** The API cannot require a tool by name. Then only that tool is sent, and a call is required. */
    private fun JsonObjectBuilder.tools(request: ChatRequest) {
        val choice = request.toolChoice
        val tools = if (choice is ToolChoice.Named) request.tools.filter { it.name == choice.name } else request.tools
        if (tools.isEmpty()) return
        putJsonArray("tools") { tools.forEach { add(functionTool(it)) } }
        when (choice) {
            null, ToolChoice.Auto -> Unit
            ToolChoice.None -> put("tool_choice", "NONE")
            ToolChoice.Required, is ToolChoice.Named -> put("tool_choice", "REQUIRED")
        }
    }

    private fun result(result: Part.ToolResult) = buildJsonObject {
        put("role", "tool")
        put("tool_call_id", result.id)
        put("content", result.text)
    }

    private fun message(message: Message, target: Target, warnings: MutableList<String>) = buildJsonObject {
        put("role", message.role.wireName)
        if (message.role == Role.ASSISTANT) assistant(message, target) else put("content", content(message, warnings))
    }

    /** Reasoning in a message with tool calls is sent as its `tool_plan`, other reasoning as a block before the text. */
    private fun JsonObjectBuilder.assistant(message: Message, target: Target) {
        val calls = message.parts.filterIsInstance<Part.ToolCall>()
        val reasoningParts = message.parts.filterIsInstance<Part.Reasoning>().filterNot { it.isRedacted }
        val reasoning = if (mayReturnSignatures(message, target)) reasoningParts.joinToString("") { it.text } else ""
        val text = message.text
        if (calls.isNotEmpty()) {
            if (reasoning.isNotEmpty()) put("tool_plan", reasoning)
            putJsonArray("tool_calls") { calls.forEach { add(functionCall(it.id, it)) } }
            if (text.isNotEmpty()) put("content", text)
        } else if (reasoning.isEmpty()) {
            put("content", text)
        } else {
            putJsonArray("content") {
                addJsonObject {
                    put("type", "thinking")
                    put("thinking", reasoning)
                }
                if (text.isNotEmpty()) add(textPart(text))
            }
        }
    }

    private fun content(message: Message, warnings: MutableList<String>): JsonElement {
        val parts = message.parts.filter { it is Part.Text || (it is Part.Image && takesImages(message, warnings)) }
        val only = parts.singleOrNull()
        if (parts.isEmpty() || only is Part.Text) return JsonPrimitive(message.text)
        return JsonArray(parts.map { if (it is Part.Image) imagePart(it) else textPart((it as Part.Text).text) })
    }

    private fun takesImages(message: Message, warnings: MutableList<String>): Boolean {
        if (message.role == Role.USER) return true
        warnings += "an image was left out: Cohere takes images in user messages only"
        return false
    }
}

/** The URL of the Chat API at [baseUrl], which may end with `/v2/chat`, `/v2`, `/v1/chat`, `/v1` or without a path. */
internal fun chatUrl(baseUrl: String): String {
    val base = baseUrl.removeSuffix("/chat").removeSuffix("/v1").removeSuffix("/v2")
    return "$base/v2/chat"
}
