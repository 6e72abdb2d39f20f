package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThanOrEqual
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import java.io.File

/** In what recorded requests differ from ours and mean the same: what stands there, and what we write for it. */
private val equivalent: List<Pair<String, (JsonObject) -> JsonObject>> = listOf(
    "one block of text is written as the text" to { message ->
        val only = message["content"].items().singleOrNull()
        if (only["type"].text == "text") JsonObject(message + ("content" to only["text"]!!)) else message
    },
    "no text beside tool calls is no content" to { message ->
        val isEmpty = message["content"].let { it == JsonNull || it == JsonPrimitive("") }
        if ("tool_calls" in message && isEmpty) JsonObject(message - "content") else message
    },
)

private fun JsonObject.inOurWords(): JsonObject {
    val messages = this["messages"].items().map { message -> equivalent.fold(message.jsonObject) { it, (_, rule) -> rule(it) } }
    return JsonObject(this + ("messages" to JsonArray(messages)))
}

private fun ChatRequestBuilder.recorded(body: JsonObject) {
    for (tool in body["tools"].items()) {
        val function = tool["function"]
        tool(Tool(function["name"].text!!, function["description"].text, function["parameters"]!!.jsonObject))
    }
    val documents = body["documents"].items().map { document ->
        val text = document["data"]["text"].text!!.encodeToByteArray()
        Part.File("data:text/plain;base64," + java.util.Base64.getEncoder().encodeToString(text), "text/plain", document["data"]["title"].text)
    }
    for (message in body["messages"].items()) message(message(message, documents))
    if (body["thinking"]["type"].text == "enabled") reasoning = Effort.HIGH
    delivery = if (body["stream"] == JsonPrimitive(true)) Delivery.STREAM else Delivery.WHOLE
}

private fun message(json: JsonElement, documents: List<Part>): Message {
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

class CohereRequestSpec : FunSpec({
    val corpus = File(CohereRequestSpec::class.java.getResource("/corpus")!!.toURI())
    val bodies = corpus.walkTopDown().filter { it.name == "request.json" }
        .map { it.parentFile.name to Json.parseToJsonElement(it.readText()) }
        .filter { (_, request) -> request["path"].text == "/v2/chat" && request["body"] is JsonObject }
        .associate { (name, request) -> name to request["body"]!!.jsonObject }

    context("the recorded conversation, encoded, is the recorded request") {
        bodies.size shouldBeGreaterThanOrEqual 12
        withData<String>({ it }, bodies.keys.sorted()) { name ->
            val body = bodies.getValue(name)
            val id = ModelId("cohere", body["model"].text!!)
            val target = Target(id, ProviderRegistry.packed.find("cohere")!!, "https://api.cohere.com/v2", ApiKey.of("sk-test"))
            val warnings = mutableListOf<String>()
            val sent = CohereChat.encode(ChatRequest.build(id) { recorded(body) }, target, warnings)
            warnings.shouldBeEmpty()
            sent.url shouldBe "https://api.cohere.com/v2/chat"
            Json.parseToJsonElement(sent.body.decodeToString()) shouldBe body.inOurWords()
        }
    }
})
