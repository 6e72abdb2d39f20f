package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.ClaudeThinking
import dev.unifiedllm.protocol.ClaudeVersion
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.anthropicWord
import dev.unifiedllm.protocol.claudeFamily
import dev.unifiedllm.protocol.effort
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.objectSchema
import dev.unifiedllm.protocol.sampling
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutNames
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

/** `POST …/v1/messages`, as Anthropic documents it (docs.anthropic.com/en/api/messages, version 2023-06-01). */
internal object AnthropicMessages : Protocol {
    override val name: String = "anthropic-messages"

    override val customServerAuth: Provider.Auth get() = Provider.Auth.X_API_KEY

    override fun signatureFamily(model: String): String? = claudeFamily(model)

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = anthropicBody(request, target, warnings) { put("model", target.name) }
        return TransportRequest(withQuery(messagesUrl(target.baseUrl), request), headers(target, request, more = VERSION), body)
    }

    override fun decoder(target: Target): Decoder = AnthropicMessagesDecoder(target)

    private val VERSION = mapOf("anthropic-version" to "2023-06-01")
}

/** The same at Google: the model stands in the path, the version in the body. */
internal object AnthropicVertex : Protocol {
    override val name: String = "anthropic-vertex"

    override val customServerAuth: Provider.Auth get() = Provider.Auth.GOOGLE

    override fun signatureFamily(model: String): String? = claudeFamily(model)

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = anthropicBody(request, target, warnings) { put("anthropic_version", "vertex-2023-10-16") }
        val call = if (request.delivery == Delivery.STREAM) "streamRawPredict" else "rawPredict"
        val url = target.baseUrl.substringBefore("/publishers/") + "/publishers/anthropic/models/${encode(target.name).replace("%40", "@")}:$call"
        return TransportRequest(withQuery(url, request), headers(target, request), body)
    }

    override fun decoder(target: Target): Decoder = AnthropicMessagesDecoder(target)
}

/** The call's address behind [base], which may end before, with or after the version. */
internal fun messagesUrl(base: String): String {
    val before = base.removeSuffix("/messages")
    return if (VERSIONED.containsMatchIn(before)) "$before/messages" else "$before/v1/messages"
}

private val VERSIONED = Regex("/v\\d+[a-z0-9]*$")
private const val DEFAULT_MAX_TOKENS = 4096

/** Objects of which providerOptions may add a field, such as `thinking.display`. */
private val MERGED = setOf("thinking", "output_config", "metadata")

private fun anthropicBody(request: ChatRequest, target: Target, warnings: MutableList<String>, head: JsonObjectBuilder.() -> Unit): ByteArray {
    val claude = ClaudeVersion.of(target.name)
    val thinking = ClaudeThinking.of(request, target, claude, warnings)
    val content = AnthropicContent(target, warnings)
    val body = buildJsonObject {
        head()
        put("max_tokens", request.maxTokens ?: (DEFAULT_MAX_TOKENS + (thinking.budget ?: 0)))
        content.system(request.messages)?.let { put("system", it) }
        withoutNames(request.messages, warnings)
        put("messages", content.messages(request.messages))
        settings(request, thinking, claude, warnings)
        tools(request)
        thinking.setting?.let { put("thinking", it) }
        outputConfig(request, thinking, warnings)?.let { put("output_config", it) }
        if (request.delivery == Delivery.STREAM) put("stream", true)
    }
    return withOptions(body, request.providerOptions, MERGED).toString().encodeToByteArray()
}

private fun JsonObjectBuilder.settings(request: ChatRequest, thinking: ClaudeThinking, claude: ClaudeVersion?, warnings: MutableList<String>) {
    sampling(request, thinking, claude, warnings)
    val stop = request.stop.filter { it.isNotBlank() }
    if (stop.size < request.stop.size) warnings += "a stop text of white space alone is refused by this wire and was left out"
    if (stop.isNotEmpty()) putJsonArray("stop_sequences") { stop.forEach { add(it) } }
    request.serviceTier?.let { put("service_tier", it) }
    (request.endUser ?: request.metadata[USER])?.let { putJsonObject("metadata") { put(USER, it) } }
    val labels = request.metadata.keys - USER
    if (labels.isNotEmpty()) {
        warnings +=
            "this wire's metadata holds nothing but user_id: ${labels.joinToString()} ${if (labels.size == 1) "was" else "were"} left out"
    }
    fun lacking(name: String, value: Any?) {
        if (value != null) warnings += "$name is not part of this wire and was left out"
    }
    lacking("seed", request.seed)
    lacking("presencePenalty", request.presencePenalty)
    lacking("frequencyPenalty", request.frequencyPenalty)
    lacking("n", request.n?.takeIf { it > 1 })
    lacking("logprobs", request.logprobs?.takeIf { it })
    lacking("topLogprobs", request.topLogprobs)
}

private fun JsonObjectBuilder.tools(request: ChatRequest) {
    if (request.tools.isEmpty()) return
    putJsonArray("tools") { request.tools.forEach { add(anthropicTool(it)) } }
    val oneAtMost = request.parallelToolCalls == false
    val choice = request.toolChoice ?: if (oneAtMost) ToolChoice.Auto else return
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
        if (oneAtMost && choice != ToolChoice.None) put("disable_parallel_tool_use", true)
    }
}

private fun anthropicTool(tool: Tool) = buildJsonObject {
    put("name", tool.name)
    tool.description?.let { put("description", it) }
    put("input_schema", objectSchema(tool))
}

private fun outputConfig(request: ChatRequest, thinking: ClaudeThinking, warnings: MutableList<String>): JsonObject? {
    val format = request.responseFormat
    if (format == ResponseFormat.Json) {
        warnings += "JSON without a schema is not part of this wire and was not asked for: give a schema, or ask for JSON in the prompt"
    }
    if (thinking.effort == null && format !is ResponseFormat.JsonSchema) return null
    return buildJsonObject {
        thinking.effort?.let { put("effort", it.anthropicWord) }
        if (format is ResponseFormat.JsonSchema) {
            putJsonObject("format") {
                put("type", "json_schema")
                put("schema", format.schema)
            }
        }
    }
}

private const val USER = "user_id"
