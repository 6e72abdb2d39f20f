package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Explained
import dev.unifiedllm.protocol.Skipped
import dev.unifiedllm.protocol.WireEquivalence
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.isAdded
import dev.unifiedllm.protocol.isLeftOut
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.openai.string
import dev.unifiedllm.protocol.target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.net.URLDecoder

internal val bedrockEquivalence = WireEquivalence(
    protocol = BedrockConverse,
    belongs = { bedrockWire(it.host, it.path, isError = false) == BedrockConverse.name },
    target = { recording, _ ->
        val model = URLDecoder.decode(recording.path.removePrefix("/model/").substringBeforeLast('/'), Charsets.UTF_8)
        target(recording.row(BedrockConverse, mapOf("bedrock-converse" to "bedrock", "errors" to "bedrock")), model, "https://${recording.host}")
    },
    delivery = { if (it.path.endsWith("-stream")) Delivery.STREAM else Delivery.WHOLE },
    convert = { readConverse(it) },
    options = setOf("guardrailConfig", "additionalModelRequestFields"),
    explained = listOf(
        Explained("a colon in a path may be encoded or not", "url") {
            (it.ours.string?.replace("%3A", ":") == it.recorded.string?.replace("%3A", ":"))
        },
        Explained("an empty object or list is the same as none", "*") {
            it.isLeftOut &&
                (it.recorded == JsonArray(emptyList()) || it.recorded == JsonObject(emptyMap()))
        },
        Explained("success is the default status of a result", "messages[].content[].toolResult.status") {
            it.isLeftOut && it.recorded == JsonPrimitive("success")
        },
        Explained(
            "the API requires alternating roles: two user messages are sent as one",
            "messages",
            { recording -> recording.body!!["messages"].items().zipWithNext().any { (one, next) -> one["role"] == next["role"] } },
        ) { difference ->
            difference.recorded!!.jsonArray.flatMap { it["content"].items() } == difference.ours!!.jsonArray.flatMap { it["content"].items() }
        },
        Explained(
            "maxTokens must exceed the reasoning budget; the recorded client sent none",
            "inferenceConfig.maxTokens",
            { "budget_tokens" in it.body!!["additionalModelRequestFields"].toString() },
        ) { it.isAdded },
    ),
    skipped = listOf(
        Skipped("a tool that the server runs (systemTool) has no Tool of ours: it is sent by providerOptions(toolConfig)") { recording ->
            recording.body!!["toolConfig"]["tools"].items().any { it["systemTool"] != null }
        },
        Skipped("text for a guardrail (guardContent) has no Part of ours: it is sent by providerOptions(messages)") { recording ->
            recording.body!!["messages"].items().any { message -> message["content"].items().any { it["guardContent"] != null } }
        },
        Skipped("the recorded tool result is an image; ours is a text") { recording ->
            recording.body!!["messages"].items().flatMap { it["content"].items() }.flatMap { it["toolResult"]["content"].items() }.any { it["image"] != null }
        },
    ),
)

private val JsonElement?.string: String? get() = (this as? JsonPrimitive)?.contentOrNull

private fun ChatRequestBuilder.readConverse(body: JsonObject): Set<String> {
    val system = body["system"].items().map { readPart(it.jsonObject) }
    if (system.isNotEmpty()) messages(listOf(Message(Role.SYSTEM, system)))
    messages(
        body.getValue("messages").jsonArray.map { message ->
            Message(Role.valueOf(message["role"].string!!.uppercase()), message["content"].items().map { readPart(it.jsonObject) })
        },
    )
    val inference = body["inferenceConfig"]
    maxTokens = inference["maxTokens"]?.jsonPrimitive?.int
    temperature = inference["temperature"]?.jsonPrimitive?.double
    topP = inference["topP"]?.jsonPrimitive?.double
    inference["stopSequences"].items().forEach { stop(it.string!!) }
    val config = body["toolConfig"]
    config["tools"].items().forEach { tool ->
        val spec = tool["toolSpec"]
        tool(Tool.of(spec["name"].string!!, spec["description"].string, spec["inputSchema"]["json"]!!.jsonObject))
    }
    toolChoice = if (config["toolChoice"]["auto"] != null) ToolChoice.Auto else null
    body["additionalModelRequestFields"]["thinking"]?.let { reasoningBudget = it["budget_tokens"]!!.jsonPrimitive.int }
    return setOf("system", "messages", "inferenceConfig", "toolConfig") +
        if (body["additionalModelRequestFields"]["thinking"] != null) setOf("additionalModelRequestFields") else emptySet()
}

private fun readPart(block: JsonObject): Part {
    val (kind, value) = block.entries.single()
    return when (kind) {
        "text" -> Part.Text(value.string!!)
        "image" -> Part.Image("data:image/${value["format"].string};base64,${value["source"]["bytes"].string}")
        "document" -> Part.File(value["source"]["s3Location"]["uri"].string!!, "application/${value["format"].string}", value["name"].string)
        "cachePoint" -> Part.CacheBreakpoint()
        "toolUse" -> Part.ToolCall(value["toolUseId"].string!!, value["name"].string!!, value["input"].toString())
        "toolResult" -> Part.ToolResult(value["toolUseId"].string!!, "get_file", value["content"].items().joinToString("") { it["text"].string!! })
        else -> error("a block of type $kind has no Part")
    }
}
