package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.ClaudeReasoning
import dev.unifiedllm.protocol.ClaudeVersion
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.MediaKind
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.TokenCounter
import dev.unifiedllm.protocol.anthropicWord
import dev.unifiedllm.protocol.claudeFamily
import dev.unifiedllm.protocol.claudeSampling
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.nonBlankStops
import dev.unifiedllm.protocol.objectSchema
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.warnDetail
import dev.unifiedllm.protocol.warnJsonWithoutSchema
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.JsonMode
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** Anthropic's Messages API: `POST …/v1/messages` ([docs.anthropic.com](https://docs.anthropic.com/en/api/messages), version 2023-06-01). */
internal object AnthropicMessages : Protocol {
    override val name: String = "anthropic-messages"

    override val continuesText: Boolean get() = true

    override val jsonModes: List<JsonMode> get() = JsonMode.entries - JsonMode.OBJECT

    override val rawProtocol: String get() = name

    override val customServerAuth: Provider.Auth get() = Provider.Auth.X_API_KEY

    override fun signatureFamily(model: String): String? = claudeFamily(model)

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = anthropicBody(request, target, warnings) { put("model", target.name) }
        return TransportRequest(withQuery(messagesUrl(target.baseUrl), request), headers(target, request, more = VERSION), body)
    }

    override fun decoder(target: Target): Decoder = AnthropicMessagesDecoder(target)

    /** Images and PDF are taken at URLs, texts by content. */
    override fun needsContent(media: Media, target: Target): Boolean = media.kind == MediaKind.DOCUMENT && media.mediaType?.startsWith("text/") == true

    override fun tokenCounter(target: Target): TokenCounter = anthropicCounter(this)

    override val modelList: ModelList get() = anthropicModels(VERSION)

    private val VERSION = mapOf("anthropic-version" to "2023-06-01")
}

/** Anthropic's Messages API at Google Vertex AI: the model is part of the path, and the version a field of the body. */
internal object AnthropicVertex : Protocol {
    override val name: String = "anthropic-vertex"

    override val continuesText: Boolean get() = true

    override val jsonModes: List<JsonMode> get() = AnthropicMessages.jsonModes

    override val rawProtocol: String get() = AnthropicMessages.name

    override val customServerAuth: Provider.Auth get() = Provider.Auth.GOOGLE

    override fun signatureFamily(model: String): String? = claudeFamily(model)

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = anthropicBody(request, target, warnings) { put("anthropic_version", "vertex-2023-10-16") }
        val call = if (request.delivery == Delivery.STREAM) "streamRawPredict" else "rawPredict"
        val url = target.baseUrl.substringBefore("/publishers/") + "/publishers/anthropic/models/${encode(target.name).replace("%40", "@")}:$call"
        return TransportRequest(withQuery(url, request), headers(target, request), body)
    }

    override fun decoder(target: Target): Decoder = AnthropicMessagesDecoder(target)

    /** Vertex AI refuses URLs ([platform.claude.com](https://platform.claude.com/docs/en/build-with-claude/vision), read 2026-11-26). */
    override fun needsContent(media: Media, target: Target): Boolean = media.kind == MediaKind.IMAGE || media.kind == MediaKind.DOCUMENT

    override fun tokenCounter(target: Target): TokenCounter = anthropicVertexCounter(this)
}

/** The URL of the Messages API at [base], which may end with `/v1/messages`, with the version or without both. */
internal fun messagesUrl(base: String): String {
    val before = base.removeSuffix("/messages")
    return if (VERSIONED.containsMatchIn(before)) "$before/messages" else "$before/v1/messages"
}

private val VERSIONED = Regex("/v\\d+[a-z0-9]*$")
private const val DEFAULT_MAX_TOKENS = 4096

/** The name of the API in warnings. */
internal const val ANTHROPIC_API: String = "the Anthropic Messages API"

/** Objects to which providerOptions can add fields, such as `thinking.display`. */
private val MERGED = setOf("thinking", "output_config", "metadata")

private fun anthropicBody(request: ChatRequest, target: Target, warnings: MutableList<String>, head: JsonObjectBuilder.() -> Unit): ByteArray {
    val claude = ClaudeVersion.of(target.name)
    val reasoning = ClaudeReasoning.of(request, target, claude, warnings)
    val content = AnthropicContent(target, warnings)
    val body = buildJsonObject {
        head()
        put("max_tokens", request.maxTokens ?: (DEFAULT_MAX_TOKENS + (reasoning.budget ?: 0)))
        content.system(request.messages)?.let { put("system", it) }
        withoutNames(request.messages, warnings)
        put("messages", content.messages(request.messages))
        settings(request, reasoning, claude, warnings)
        tools(request)
        reasoning.thinking?.let { put("thinking", it) }
        outputConfig(request, reasoning, warnings)?.let { put("output_config", it) }
        if (request.delivery == Delivery.STREAM) put("stream", true)
    }
    return withOptions(body, request.providerOptions, MERGED).toUtf8()
}

private fun JsonObjectBuilder.settings(request: ChatRequest, reasoning: ClaudeReasoning, claude: ClaudeVersion?, warnings: MutableList<String>) {
    claudeSampling(request, reasoning, claude, ANTHROPIC_API, warnings)
    warnDetail(request, ANTHROPIC_API, warnings)
    val stops = nonBlankStops(request, ANTHROPIC_API, warnings)
    if (stops.isNotEmpty()) putJsonArray("stop_sequences") { stops.forEach { add(it) } }
    request.serviceTier?.let { put("service_tier", it) }
    (request.endUser ?: request.metadata[USER])?.let { putJsonObject("metadata") { put(USER, it) } }
    val labels = request.metadata.keys - USER
    if (labels.isNotEmpty()) warnings += "metadata ${labels.joinToString()} was left out: $ANTHROPIC_API accepts only user_id"
    warnUnsupported(
        ANTHROPIC_API,
        warnings,
        "seed" to (request.seed != null),
        "presencePenalty" to (request.presencePenalty != null),
        "frequencyPenalty" to (request.frequencyPenalty != null),
        "n" to ((request.n ?: 1) > 1),
        "logprobs" to (request.logprobs == true),
        "topLogprobs" to (request.topLogprobs != null),
    )
}

private fun JsonObjectBuilder.tools(request: ChatRequest) {
    if (request.tools.isEmpty()) return
    putJsonArray("tools") { request.tools.forEach { add(anthropicTool(it)) } }
    val atMostOne = request.parallelToolCalls == false
    val choice = request.toolChoice ?: if (atMostOne) ToolChoice.Auto else return
    putJsonObject("tool_choice") {
        when (choice) {
            ToolChoice.Auto -> put("type", "auto")
            ToolChoice.None -> put("type", "none")
            ToolChoice.Required -> put("type", "any")
            is ToolChoice.Named -> {
                put("type", "tool")
                put("name", choice.name)
            }
        }
        if (atMostOne && choice != ToolChoice.None) put("disable_parallel_tool_use", true)
    }
}

private fun anthropicTool(tool: Tool) = buildJsonObject {
    put("name", tool.name)
    tool.description?.let { put("description", it) }
    put("input_schema", objectSchema(tool))
}

private fun outputConfig(request: ChatRequest, reasoning: ClaudeReasoning, warnings: MutableList<String>): JsonObject? {
    val format = request.responseFormat
    if (format == ResponseFormat.Json) warnJsonWithoutSchema(ANTHROPIC_API, warnings)
    if (reasoning.effort == null && format !is ResponseFormat.JsonSchema) return null
    return buildJsonObject {
        reasoning.effort?.let { put("effort", it.anthropicWord) }
        if (format is ResponseFormat.JsonSchema) {
            putJsonObject("format") {
                put("type", "json_schema")
                put("schema", format.schema)
            }
        }
    }
}

private const val USER = "user_id"
