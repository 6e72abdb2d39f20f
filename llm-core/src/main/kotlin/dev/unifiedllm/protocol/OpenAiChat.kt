package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.provider.Quirks
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.WireRequest
import kotlinx.serialization.json.JsonArrayBuilder
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** `POST …/chat/completions`, as OpenAI documents it (platform.openai.com/docs/api-reference/chat) and most providers speak it. */
internal object OpenAiChat : Protocol {
    override val name: String = "openai-chat"

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): WireRequest {
        val streamed = request.delivery == Delivery.STREAM
        val body = buildJsonObject {
            put("model", target.name)
            put("messages", messages(request, target))
            settings(request, target.provider.quirks, warnings)
            if (request.tools.isNotEmpty()) tools(request, target.provider.quirks, warnings)
            if (streamed) {
                put("stream", true)
                if (target.provider.quirks.streamUsage) putJsonObject("stream_options") { put("include_usage", true) }
            }
            for ((option, value) in request.providerOptions) put(option, value)
        }
        return WireRequest(withQuery(target.baseUrl + "/chat/completions", request), headers(target, request), body.toString().encodeToByteArray())
    }

    override fun decoder(target: Target): Decoder = OpenAiChatDecoder(target)

    private fun JsonObjectBuilder.settings(request: ChatRequest, quirks: Quirks, warnings: MutableList<String>) {
        request.temperature?.let {
            val most = quirks.temperatureMax ?: Double.MAX_VALUE
            if (it > most) warnings += "temperature $it was lowered to $most, the provider's maximum"
            put("temperature", minOf(it, most))
        }
        request.topP?.let { put("top_p", it) }
        request.topK?.let { warnings += "topK is not part of this wire and was left out; where the server takes it: providerOptions { put(\"top_k\", $it) }" }
        request.maxTokens?.let { put(quirks.maxTokensField, it) }
        if (request.stop.isNotEmpty()) putJsonArray("stop") { request.stop.forEach { add(it) } }
        request.seed?.let { put("seed", it) }
        request.presencePenalty?.let { put("presence_penalty", it) }
        request.frequencyPenalty?.let { put("frequency_penalty", it) }
        request.n?.let { put("n", it) }
        request.endUser?.let { put("user", it) }
        request.reasoning?.let {
            if (it == Effort.MAX) warnings += "reasoning MAX was sent as \"high\", the most that this wire knows"
            put("reasoning_effort", if (it == Effort.MAX) "high" else it.name.lowercase())
        }
        when (val format = request.responseFormat) {
            null, ResponseFormat.Text -> Unit
            ResponseFormat.Json -> putJsonObject("response_format") { put("type", "json_object") }
            is ResponseFormat.JsonSchema -> putJsonObject("response_format") {
                put("type", "json_schema")
                putJsonObject("json_schema") {
                    put("name", format.name)
                    put("schema", format.schema)
                    put("strict", true)
                }
            }
        }
    }

    private fun JsonObjectBuilder.tools(request: ChatRequest, quirks: Quirks, warnings: MutableList<String>) {
        putJsonArray("tools") { request.tools.forEach { add(functionTool(it)) } }
        val choice: JsonElement = when (val wanted = request.toolChoice) {
            null -> return
            ToolChoice.Auto -> JsonPrimitive("auto")
            ToolChoice.None -> JsonPrimitive("none")
            ToolChoice.Required -> {
                if (quirks.toolChoiceRequired == "unsupported") {
                    warnings += "the provider cannot be made to call a tool: toolChoice Required was left out"
                    return
                }
                JsonPrimitive(quirks.toolChoiceRequired ?: "required")
            }
            is ToolChoice.Named -> buildJsonObject {
                put("type", "function")
                putJsonObject("function") { put("name", wanted.name) }
            }
        }
        put("tool_choice", choice)
    }

    private fun messages(request: ChatRequest, target: Target) = buildJsonArray {
        target.systemMessage?.let { encode(Message.system(it), target.provider.quirks) }
        for (message in request.messages) encode(message, target.provider.quirks)
    }

    private fun JsonArrayBuilder.encode(message: Message, quirks: Quirks) {
        val results = message.parts.filterIsInstance<Part.ToolResult>()
        for (result in results) {
            addJsonObject {
                put("role", "tool")
                put("tool_call_id", toolCallId(result.id, quirks))
                put("content", result.content)
            }
        }
        if (results.size == message.parts.size && results.isNotEmpty()) return
        addJsonObject {
            put("role", message.role.wireName)
            message.name?.takeUnless { quirks.noName }?.let { put("name", it) }
            val calls = message.parts.filterIsInstance<Part.ToolCall>()
            put("content", content(message, quirks, hasCalls = calls.isNotEmpty()))
            if (calls.isNotEmpty()) putJsonArray("tool_calls") { calls.forEach { add(toolCall(it, quirks)) } }
        }
    }

    private fun content(message: Message, quirks: Quirks, hasCalls: Boolean): JsonElement {
        val parts = message.parts.filter { it is Part.Text || it is Part.Image }
        if (parts.isEmpty()) return if (hasCalls) JsonNull else JsonPrimitive("")
        val onlyText = parts.all { it is Part.Text }
        if (onlyText && (parts.size == 1 || quirks.contentAsString || message.role != Role.USER)) return JsonPrimitive(message.text)
        return buildJsonArray {
            for (part in parts) {
                addJsonObject {
                    if (part is Part.Image) {
                        put("type", "image_url")
                        putJsonObject("image_url") { put("url", part.url) }
                    } else {
                        put("type", "text")
                        put("text", (part as Part.Text).text)
                    }
                }
            }
        }
    }

    private fun toolCall(call: Part.ToolCall, quirks: Quirks) = buildJsonObject {
        put("id", toolCallId(call.id, quirks))
        put("type", "function")
        putJsonObject("function") {
            put("name", call.name)
            put("arguments", call.arguments.ifBlank { "{}" }) // some servers parse what they wrote themselves
        }
    }
}

/** A tool as OpenAI's wire, and those that follow it, describe one. */
internal fun functionTool(tool: Tool) = buildJsonObject {
    put("type", "function")
    putJsonObject("function") {
        put("name", tool.name)
        tool.description?.let { put("description", it) }
        put("parameters", tool.parameters)
    }
}

internal val Role.wireName: String get() = name.lowercase()

/** [id], made to fit where a provider takes only ids of one length: the same id always becomes the same. */
internal fun toolCallId(id: String, quirks: Quirks): String {
    val length = quirks.toolIdLength ?: return id
    if (id.length == length && id.all { it.isLetterOrDigit() }) return id
    var hash = id.fold(FNV_OFFSET) { hash, char -> (hash xor char.code.toLong()) * FNV_PRIME }
    return buildString {
        repeat(length) {
            append(ALPHANUMERIC[(hash ushr 1).mod(ALPHANUMERIC.length)])
            hash = (hash xor (hash ushr HASH_SHIFT)) * FNV_PRIME
        }
    }
}

private const val FNV_OFFSET = -3750763034362895579L
private const val FNV_PRIME = 1099511628211L
private const val HASH_SHIFT = 29
private const val ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
