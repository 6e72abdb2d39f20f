package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.protocol.SameForm
import dev.unifiedllm.protocol.WireEquivalence
import dev.unifiedllm.protocol.each
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.openai.withPlainText
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import java.util.Base64

internal val cohereEquivalence = WireEquivalence(
    protocol = CohereChat,
    belongs = { it.path == "/v2/chat" },
    target = { recording, body -> target(recording.row(CohereChat, mapOf("cohere-v2" to "cohere")), body["model"].text!!, "https://api.cohere.com/v2") },
    convert = { readCohere(it) },
    options = emptySet(),
    sameForms = listOf(
        SameForm("a single text block is the same as a string") { body -> body.each("messages", ::withPlainText) },
        SameForm("empty content beside tool calls is the same as none") { body ->
            body.each("messages") { message ->
                val isEmpty = message["content"].let { it == JsonNull || it == JsonPrimitive("") }
                if ("tool_calls" in message && isEmpty) JsonObject(message - "content") else message
            }
        },
    ),
    explained = emptyList(),
)

private fun ChatRequestBuilder.readCohere(body: JsonObject): Set<String> {
    for (tool in body["tools"].items()) {
        val function = tool["function"]
        tool(Tool.of(function["name"].text!!, function["description"].text, function["parameters"]!!.jsonObject))
    }
    val documents = body["documents"].items().map { document ->
        val text = document["data"]["text"].text!!.encodeToByteArray()
        Part.File("data:text/plain;base64," + Base64.getEncoder().encodeToString(text), "text/plain", document["data"]["title"].text)
    }
    messages(body["messages"].items().map { readMessage(it, documents) })
    if (body["thinking"]["type"].text == "enabled") reasoning = Effort.HIGH
    delivery = if (body["stream"] == JsonPrimitive(true)) Delivery.STREAM else Delivery.WHOLE
    return setOf("model", "messages", "tools", "documents", "thinking", "stream")
}

private fun readMessage(json: JsonElement, documents: List<Part>): Message {
    val texts = if (json["content"] is JsonArray) json["content"].items().map { it["text"].text!! } else listOfNotNull(json["content"].text)
    val parts = texts.map { Part.Text(it) }
    val calls = json["tool_calls"].items().map { Part.ToolCall(it["id"].text!!, it["function"]["name"].text!!, it["function"]["arguments"].text!!) }
    return when (json["role"].text) {
        "tool" -> Message.tool(Part.ToolResult(json["tool_call_id"].text!!, "", texts.single()))
        "system" -> Message(Role.SYSTEM, parts)
        "assistant" -> Message(Role.ASSISTANT, parts + calls)
        else -> Message(Role.USER, parts + documents)
    }
}
