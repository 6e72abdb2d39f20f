package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Difference
import dev.unifiedllm.protocol.Explained
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.RecordedRequest
import dev.unifiedllm.protocol.SameForm
import dev.unifiedllm.protocol.WireEquivalence
import dev.unifiedllm.protocol.each
import dev.unifiedllm.protocol.isAdded
import dev.unifiedllm.protocol.isLeftOut
import dev.unifiedllm.protocol.isNullForNothing
import dev.unifiedllm.protocol.target
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long

private val folders = mapOf("openai-chat" to "openai", "together" to "together_ai", "openai-compat-other" to "-", "ollama-openai" to "-")

internal val openAiChatEquivalence = WireEquivalence(
    protocol = OpenAiChat,
    belongs = { it.path.endsWith("/chat/completions") },
    target = { recording, body ->
        recordedTarget(recording, body, OpenAiChat, folders, "/chat/completions")
    },
    convert = { readOpenAiChat(it) },
    options = setOf("moderation", "web_search_options", "thinking", "usage", "reasoning", "safe_prompt", "enable_thinking", "random_seed") +
        setOf("functions", "function_call"),
    sameForms = listOf(
        SameForm("developer is the newer name of the role system") { body ->
            body.each("messages") { if (it.string("role") == "developer") JsonObject(it + ("role" to JsonPrimitive("system"))) else it }
        },
        SameForm("max_completion_tokens is the newer name of max_tokens") { body ->
            body["max_tokens"]?.let { JsonObject(body - "max_tokens" + ("max_completion_tokens" to it)) } ?: body
        },
    ),
    explained = listOf(
        Explained("null is the default", "*") { it.isNullForNothing },
        Explained("content that is left out is null", "messages[].content") { it.isAdded && it.ours is JsonNull },
        Explained("usage is requested for streams; the recorded client did not request it", "stream_options") { it.isAdded },
        Explained("stream is false by default", "stream") { it.isLeftOut && it.recorded == JsonPrimitive(false) },
        Explained("an empty list of tools is the default", "tools") { it.isLeftOut && it.recorded == JsonArray(emptyList()) },
        Explained("function is the default type of a tool", "tools[].type") { it.isAdded && it.ours == JsonPrimitive("function") },
        Explained("function is the default type of a tool choice", "tool_choice.type") { it.isAdded && it.ours == JsonPrimitive("function") },
        Explained("auto is the default", "tool_choice") { it.isLeftOut && it.recorded == JsonPrimitive("auto") },
        Explained("strict is false by default", "tools[].function.strict") { it.isLeftOut && it.recorded == JsonPrimitive(false) },
        Explained("tools have no strict mode here: the schema is the same", "tools[].function.strict") { it.isLeftOut && it.recorded == JsonPrimitive(true) },
        Explained("the index of a tool call is a field of responses", "messages[].tool_calls[].index") { it.isLeftOut },
        Explained("reasoning is on by default here; an effort switches it on all the same", "thinking") {
            it.isAdded && it.ours == JsonObject(mapOf("type" to JsonPrimitive("enabled")))
        },
        Explained("it is not known whether a server without a row takes reasoning back", "messages[].reasoning*", { it.isWithoutRow(OpenAiChat, folders) }) {
            it.isLeftOut
        },
        Explained("two host names of one service", "url") { it.at("api.together.ai", "api.together.xyz") },
        Explained("the router chooses the provider; the recorded URL names it", "url") {
            it.ours.toString().contains("//router.huggingface.co/v1/") ||
                it.at("router.huggingface.co", "router.huggingface.co")
        },
        Explained("/beta is for prefix completion, which is not used", "url") { it.at("api.deepseek.com/beta/", "api.deepseek.com/") },
        Explained("the recorded base URL had a slash at its end", "url") { it.at("azure.com//openai/", "azure.com/openai/") },
    ),
)

private fun Difference.at(recorded: String, ours: String): Boolean =
    (this.recorded as JsonPrimitive).content.contains(recorded) && (this.ours as JsonPrimitive).content.contains(ours)

internal fun withPlainText(message: JsonObject): JsonObject {
    val parts = message["content"] as? JsonArray ?: return message
    val only = parts.singleOrNull()?.jsonObject?.takeIf { it.keys == setOf("type", "text") && it.string("type")!!.endsWith("text") } ?: return message
    return JsonObject(message + ("content" to only.getValue("text")))
}

/**
 * The target that a user of the recorded provider gets: by its row; at the recorded address where the user names that, as on Azure and on servers
 * of their own.
 */
internal fun recordedTarget(recording: RecordedRequest, body: JsonObject, protocol: Protocol, folders: Map<String, String>, end: String): Target {
    val model = body.getValue("model").jsonPrimitive.content
    val row = recording.row(protocol, folders)
    if (row.azure == null && row.baseUrl != null && '{' !in row.baseUrl) return target(row, model, row.baseUrl)
    val url = "https://${recording.host}${recording.pathAndQuery.replace("//", "/")}"
    if (row.azure == null) return target(row, model, url.substringBefore('?').removeSuffix(end))
    val settings = mapOf(row.id to ProviderSettings(apiKey = ApiKey.of("sk-test"), baseUrl = url))
    return TargetResolver(ProviderRegistry.packed, { null }, settings).resolve(ModelId(row.id, model))
}

internal fun JsonObject.string(name: String): String? = (this[name] as? JsonPrimitive)?.contentOrNull

private fun ChatRequestBuilder.readOpenAiChat(body: JsonObject): Set<String> {
    fun number(name: String) = (body[name] as? JsonPrimitive)?.takeUnless { it is JsonNull }
    messages(body.getValue("messages").jsonArray.map { readMessage(it.jsonObject) })
    body["tools"]?.jsonArray?.mapNotNull { readTool(it.jsonObject) }?.forEach { tool(it) }
    toolChoice = readToolChoice(body["tool_choice"])
    delivery = if ((body["stream"] as? JsonPrimitive)?.booleanOrNull == true) Delivery.STREAM else Delivery.WHOLE
    temperature = number("temperature")?.double
    topP = number("top_p")?.double
    maxTokens = (number("max_tokens") ?: number("max_completion_tokens"))?.int
    seed = number("seed")?.long
    n = number("n")?.int
    logprobs = number("logprobs")?.booleanOrNull
    topLogprobs = number("top_logprobs")?.int
    endUser = body.string("user")
    reasoning = body.string("reasoning_effort")?.let { Effort.valueOf(it.uppercase()) }
    responseFormat = (body["response_format"] as? JsonObject)?.let(::readFormat)
    body["tools"]?.jsonArray?.filter { "function" !in it.jsonObject }?.let { others ->
        if (others.isNotEmpty()) providerOptions { put("tools", JsonArray(others)) }
    }
    return setOf(
        "model", "messages", "tools", "tool_choice", "stream", "stream_options", "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "n",
        "logprobs", "top_logprobs", "user", "reasoning_effort", "response_format",
    )
}

private fun readFormat(format: JsonObject): ResponseFormat = when (format.string("type")) {
    "json_schema" -> format.getValue("json_schema").jsonObject.let { ResponseFormat.JsonSchema(it.string("name")!!, it.getValue("schema").jsonObject) }
    "json_object" -> ResponseFormat.Json
    else -> ResponseFormat.Text
}

private fun readTool(tool: JsonObject): Tool? = (tool["function"] as? JsonObject)?.let { function ->
    Tool.of(function.string("name")!!, function.string("description"), function["parameters"] as? JsonObject ?: JsonObject(emptyMap()))
}

internal fun readToolChoice(choice: JsonElement?): ToolChoice? = when (choice) {
    is JsonObject -> ToolChoice.Named((choice["function"]?.jsonObject ?: choice).string("name")!!)
    is JsonPrimitive -> when (choice.contentOrNull) {
        "auto" -> ToolChoice.Auto
        "none" -> ToolChoice.None
        "required", "any" -> ToolChoice.Required
        else -> null
    }
    else -> null
}

private fun readMessage(message: JsonObject): Message {
    val role = Role.valueOf(message.string("role")!!.uppercase().replace("DEVELOPER", "SYSTEM"))
    if (role == Role.TOOL) return Message.tool(Part.ToolResult(message.string("tool_call_id")!!, "", message.string("content")!!))
    val parts = buildList {
        (message.string("reasoning_content") ?: message.string("reasoning"))?.let { add(Part.Reasoning(it)) }
        when (val content = message["content"]) {
            is JsonPrimitive -> content.contentOrNull?.let { add(Part.Text(it)) }
            is JsonArray -> content.mapTo(this) { Part.Text(it.jsonObject.string("text")!!) }
            else -> Unit
        }
        (message["tool_calls"] as? JsonArray)?.mapTo(this) { call ->
            val function = call.jsonObject.getValue("function").jsonObject
            Part.ToolCall(call.jsonObject.string("id")!!, function.string("name")!!, function.string("arguments")!!)
        }
    }
    return Message(role, parts, message.string("name"))
}
