package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Difference
import dev.unifiedllm.protocol.Explained
import dev.unifiedllm.protocol.Skipped
import dev.unifiedllm.protocol.WireEquivalence
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.isAdded
import dev.unifiedllm.protocol.isLeftOut
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

private val explained = listOf(
    Explained("a string is the same as a single text block", "messages[].content") { it.isOneText },
    Explained("a string is the same as a single text block", "system") { it.isOneText },
)

internal val anthropicEquivalence = WireEquivalence(
    protocol = AnthropicMessages,
    belongs = { it.path.endsWith("/v1/messages") && it.host == "api.anthropic.com" },
    target = { recording, body ->
        target(
            recording.row(AnthropicMessages, mapOf("anthropic-messages" to "anthropic")),
            body.getValue("model").jsonPrimitive.content,
            "https://${recording.host}/v1",
        )
    },
    convert = { readAnthropic(it) },
    options = setOf("mcp_servers", "tools", "output_config"),
    explained = explained + listOf(
        Explained("no streaming is the default", "stream") { it.isLeftOut && it.recorded == JsonPrimitive(false) },
        Explained("Anthropic's Python client adds ?beta=true for its beta namespace; the call is the same", "url") {
            it.recorded == JsonPrimitive("${it.ours?.jsonPrimitive?.content}?beta=true")
        },
        Explained("five minutes is the default", "messages[].content[].cache_control.ttl") { it.isLeftOut && it.recorded == JsonPrimitive("5m") },
        Explained("high effort is the default of an adaptive model; the recorded client sent none", "output_config") {
            it.isAdded && it.ours == JsonObject(mapOf("effort" to JsonPrimitive("high")))
        },
    ),
    skipped = listOf(
        Skipped("a message is a string without a role, which the server refuses") { recording ->
            recording.body!!["messages"].items().any { it !is JsonObject }
        },
    ),
)

internal val anthropicVertexEquivalence = WireEquivalence(
    protocol = AnthropicVertex,
    belongs = { it.group == "anthropic-vertex" },
    target = { recording, _ ->
        val (base, model) = recording.path.split("/publishers/anthropic/models/")
        target(recording.row(AnthropicVertex), model.substringBefore(':'), "https://${recording.host}$base")
    },
    convert = { readAnthropic(it) },
    options = emptySet(),
    explained = explained + listOf(
        Explained("several calls are allowed unless that is disabled", "tool_choice.disable_parallel_tool_use") {
            it.isLeftOut &&
                it.recorded == JsonPrimitive(false)
        },
    ),
)

private val Difference.isOneText: Boolean
    get() {
        val block = (recorded as? JsonArray)?.singleOrNull() as? JsonObject
        return block?.keys == setOf("type", "text") && block["text"] == ours
    }

private fun ChatRequestBuilder.readAnthropic(body: JsonObject): Set<String> {
    val read = mutableSetOf("model", "max_tokens", "messages", "system", "stream", "temperature", "thinking", "tool_choice")
    blocks(body["system"]).takeIf { it.isNotEmpty() }?.let { message(Message(Role.SYSTEM, it)) }
    for (turn in body["messages"].items()) {
        message(Message(if (turn["role"].text == "assistant") Role.ASSISTANT else Role.USER, blocks(turn["content"])))
    }
    // Tools that the server runs have no Tool of ours: a list with one of them is sent by providerOptions.
    val tools = body["tools"].items()
    if (tools.none { "type" in it.jsonObject }) {
        read += "tools"
        for (tool in tools) tool(Tool.of(tool["name"].text!!, tool["description"].text, tool["input_schema"]!!.jsonObject))
    }
    toolChoice = when (body["tool_choice"]["type"].text) {
        null -> null
        "auto" -> ToolChoice.Auto
        "any" -> ToolChoice.Required
        "none" -> ToolChoice.None
        else -> ToolChoice.Named(body["tool_choice"]["name"].text!!)
    }
    delivery = if (body["stream"].text == "true") Delivery.STREAM else Delivery.WHOLE
    maxTokens = body.getValue("max_tokens").jsonPrimitive.int
    temperature = body["temperature"]?.jsonPrimitive?.double
    reasoningBudget = body["thinking"]["budget_tokens"]?.jsonPrimitive?.int
    if (body["thinking"]["type"].text == "adaptive") reasoning = Effort.HIGH
    return read
}

private fun blocks(content: JsonElement?): List<Part> =
    if (content is JsonPrimitive) listOf(Part.Text(content.content)) else content.items().flatMap { block -> listOfNotNull(part(block), mark(block)) }

private fun mark(block: JsonElement): Part? =
    block["cache_control"]?.let { Part.CacheBreakpoint(if (it["ttl"].text == "1h") CacheTtl.ONE_HOUR else CacheTtl.FIVE_MINUTES) }

private fun part(block: JsonElement): Part? = when (val type = block["type"].text) {
    "text" -> Part.Text(block["text"].text.orEmpty())
    "thinking" -> Part.Reasoning(block["thinking"].text.orEmpty(), block["signature"].text)
    "redacted_thinking" -> Part.Reasoning("", block["data"].text, isRedacted = true)
    "tool_use" -> Part.ToolCall(block["id"].text!!, block["name"].text!!, block["input"].toString())
    "tool_result" -> Part.ToolResult(
        block["tool_use_id"].text!!,
        "",
        (block["content"] as? JsonPrimitive)?.contentOrNull.orEmpty(),
        block["is_error"].text == "true",
    )
    else -> error("a block of type $type has no Part")
}
