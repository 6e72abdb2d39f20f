package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.protocol.Explained
import dev.unifiedllm.protocol.SameForm
import dev.unifiedllm.protocol.Skipped
import dev.unifiedllm.protocol.WireEquivalence
import dev.unifiedllm.protocol.each
import dev.unifiedllm.protocol.isAdded
import dev.unifiedllm.protocol.isLeftOut
import dev.unifiedllm.protocol.isNullForNothing
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject

private val folders = mapOf("openai-responses" to "openai", "bedrock-mantle" to "bedrock_mantle", "openai-compat-other" to "-")

private val ENCRYPTED = JsonArray(listOf(JsonPrimitive("reasoning.encrypted_content")))

internal val openAiResponsesEquivalence = WireEquivalence(
    protocol = OpenAiResponses,
    belongs = { it.path.endsWith("/responses") },
    target = { recording, body -> recordedTarget(recording, body, OpenAiResponses, folders, "/responses") },
    convert = { readResponses(it) },
    options = setOf("reasoning", "tools"),
    skipped = listOf(
        Skipped("the builder refuses a negative temperature before anything is sent") {
            ((it.body!!["temperature"] as? JsonPrimitive)?.doubleOrNull ?: 0.0) < 0
        },
    ),
    sameForms = listOf(
        SameForm("a single text is one user message") { body ->
            val text = body["input"] as? JsonPrimitive ?: return@SameForm body
            JsonObject(body + ("input" to JsonArray(listOf(JsonObject(mapOf("role" to JsonPrimitive("user"), "content" to text))))))
        },
        SameForm("a list with one text part is that text") { body -> body.each("input", ::withPlainText) },
        SameForm("a developer message at the beginning is an instruction") { body ->
            val first = (body["input"] as? JsonArray)?.firstOrNull() as? JsonObject
            if (first?.string("role") != "developer" || "instructions" in body) return@SameForm body
            JsonObject(body + ("instructions" to first.getValue("content")) + ("input" to JsonArray((body["input"] as JsonArray).drop(1))))
        },
    ),
    explained = listOf(
        Explained("null is the default", "*") { it.isNullForNothing },
        Explained("stream is false by default", "stream") { it.isLeftOut && it.recorded == JsonPrimitive(false) },
        Explained("the server stores nothing, since each request has the whole conversation", "store") { it.isAdded && it.ours == JsonPrimitive(false) },
        Explained("encrypted reasoning is requested from reasoning models, to be sent back with the next turn", "include") {
            it.isAdded && it.ours == ENCRYPTED
        },
        Explained("an empty list is the default", "include") { it.isLeftOut && it.recorded == JsonArray(emptyList()) },
        Explained("an assistant message names its type: llama.cpp refuses it without", "input[].type") { it.isAdded && it.ours == JsonPrimitive("message") },
        Explained("auto is the default", "tool_choice") { it.isLeftOut && it.recorded == JsonPrimitive("auto") },
        Explained("tools have no strict mode here: the schema is the same", "tools[].strict") {
            it.ours == JsonPrimitive(false) &&
                it.recorded == JsonPrimitive(true)
        },
    ),
)

private fun ChatRequestBuilder.readResponses(body: JsonObject): Set<String> {
    fun number(name: String) = (body[name] as? JsonPrimitive)?.takeUnless { it is JsonNull }
    body.string("instructions")?.let { system(it) }
    when (val input = body["input"]) {
        is JsonPrimitive -> user(input.content)
        is JsonArray -> messages(input.map { readItem(it.jsonObject) })
        else -> error("an input that is neither a text nor a list")
    }
    val tools = body["tools"]?.jsonArray?.map { it.jsonObject }.orEmpty()
    for (tool in tools.filter { it.string("type") == "function" && "defer_loading" !in it }) {
        tool(Tool.of(tool.string("name")!!, tool.string("description"), tool.getValue("parameters").jsonObject))
    }
    val others = tools.filterNot { it.string("type") == "function" && "defer_loading" !in it }
    toolChoice = readToolChoice(body["tool_choice"])
    delivery = if ((body["stream"] as? JsonPrimitive)?.booleanOrNull == true) Delivery.STREAM else Delivery.WHOLE
    temperature = number("temperature")?.double
    maxTokens = number("max_output_tokens")?.int
    endUser = body.string("user")
    serviceTier = body.string("service_tier")
    val thinking = body["reasoning"] as? JsonObject
    reasoning = thinking?.string("effort")?.let { Effort.valueOf(it.uppercase()) }
    providerOptions {
        // These cannot be set: tools of the server, the summary of the reasoning.
        if (others.isNotEmpty()) put("tools", JsonArray(others))
        (thinking?.minus("effort"))?.takeIf { it.isNotEmpty() }?.let { put("reasoning", JsonObject(it)) }
    }
    return setOf("model", "instructions", "input", "tools", "tool_choice", "stream", "temperature", "max_output_tokens") +
        setOf("user", "service_tier", "reasoning", "include", "store")
}

private fun readItem(item: JsonObject): Message = when (item.string("type")) {
    "function_call" -> Message(Role.ASSISTANT, listOf(Part.ToolCall(item.string("call_id")!!, item.string("name")!!, item.string("arguments")!!)))
    "function_call_output" -> Message.tool(Part.ToolResult(item.string("call_id")!!, "", item.string("output")!!))
    "reasoning" -> Message(Role.ASSISTANT, listOf(Part.Reasoning("", item.toString())))
    else -> {
        val role = Role.valueOf(item.string("role")!!.uppercase().replace("DEVELOPER", "SYSTEM"))
        val content = item.getValue("content")
        val parts = if (content is JsonArray) {
            content.map {
                Part.Text(it.jsonObject.string("text")!!)
            }
        } else {
            listOf(Part.Text((content as JsonPrimitive).contentOrNull!!))
        }
        Message(role, parts)
    }
}
