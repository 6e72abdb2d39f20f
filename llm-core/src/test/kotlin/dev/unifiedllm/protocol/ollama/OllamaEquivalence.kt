package dev.unifiedllm.protocol.ollama

import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.protocol.Explained
import dev.unifiedllm.protocol.Skipped
import dev.unifiedllm.protocol.WireEquivalence
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.isAdded
import dev.unifiedllm.protocol.isLeftOut
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.openai.string
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.double
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long

internal val ollamaEquivalence = WireEquivalence(
    protocol = OllamaChat,
    belongs = { it.path.endsWith("/api/chat") || it.path.endsWith("/api/generate") },
    target = { recording, body -> target(recording.row(OllamaChat, mapOf("ollama-chat" to "ollama")), body["model"].text!!, "http://${recording.host}") },
    convert = { readOllama(it) },
    options = setOf("keep_alive"),
    explained = listOf(
        Explained("an empty list of tools is the same as none", "tools") { it.isLeftOut && it.recorded == JsonArray(emptyList()) },
        Explained("an empty object is the same as none", "options") { it.isLeftOut && it.recorded == JsonObject(emptyMap()) },
        Explained("an empty format is the same as none", "format") { it.isLeftOut && it.recorded == JsonPrimitive("") },
        Explained("the recorded client is older than the field for the name of the tool", "messages[].tool_name") { it.isAdded },
    ),
    skipped = listOf(Skipped("/api/generate takes a prompt instead of messages") { it.path.endsWith("/api/generate") }),
)

private fun ChatRequestBuilder.readOllama(body: JsonObject): Set<String> {
    messages(body["messages"].items().map { readMessage(it.jsonObject) })
    for (tool in body["tools"].items()) {
        val function = tool["function"]
        tool(Tool.of(function["name"].text!!, function["description"].text, function["parameters"]!!.jsonObject))
    }
    delivery = if (body["stream"] == JsonPrimitive(true)) Delivery.STREAM else Delivery.WHOLE
    temperature = body["options"]["temperature"]?.jsonPrimitive?.double
    seed = body["options"]["seed"]?.jsonPrimitive?.long
    return setOf("model", "messages", "tools", "stream", "options", "format")
}

private fun readMessage(message: JsonObject): Message {
    val text = message.string("content").orEmpty()
    if (message.string("role") == "tool") return Message.tool(Part.ToolResult("call_0", "get_current_weather", text))
    val calls = message["tool_calls"].items().map { call ->
        Part.ToolCall("call_0", call["function"]["name"].text!!, call["function"]["arguments"].toString())
    }
    return Message(Role.valueOf(message.string("role")!!.uppercase()), listOf(Part.Text(text)) + calls)
}
