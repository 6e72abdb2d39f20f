package dev.unifiedllm.protocol.gemini

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
import dev.unifiedllm.protocol.Explained
import dev.unifiedllm.protocol.RecordedRequest
import dev.unifiedllm.protocol.WireEquivalence
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.isAdded
import dev.unifiedllm.protocol.isLeftOut
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

internal val geminiEquivalence = WireEquivalence(
    protocol = GeminiGenerate,
    belongs = { googleWire(it.host, it.path, isError = false) == GeminiGenerate.name && it.group != "errors" },
    target = { recording, _ -> geminiTarget(recording) },
    convert = { readGemini(it) },
    options = setOf("safetySettings"),
    explained = listOf(
        Explained("the server ignores the role of the system instruction; other clients leave it out as well", "systemInstruction.role") { it.isLeftOut },
        Explained("an empty object is the same as none", "generationConfig") { it.isLeftOut && it.recorded == JsonObject(emptyMap()) },
        Explained("protobuf's JSON accepts a field's original name and its lowerCamelCase name", "generationConfig.response_*") { it.isLeftOut },
        Explained(
            "the lowerCamelCase names of these fields",
            "generationConfig.response*",
            { recording -> (recording.body!!["generationConfig"] as? JsonObject)?.keys.orEmpty().any { it.startsWith("response_") } },
        ) { it.isAdded },
        Explained("a stream without alt=sse is a list, which is valid JSON only at its end", "url") { it.ours?.text == it.recorded?.text + "?alt=sse" },
    ),
    delivery = { deliveryOf(it) },
)

internal val vertexEquivalence = WireEquivalence(
    protocol = VertexGemini,
    belongs = { googleWire(it.host, it.path, isError = false) == VertexGemini.name && it.group != "errors" },
    target = { recording, _ -> geminiTarget(recording) },
    convert = { readGemini(it) },
    options = setOf("modelArmorConfig"),
    explained = listOf(
        Explained("the server ignores the role of the system instruction; other clients leave it out as well", "systemInstruction.role") { it.isLeftOut },
        Explained("an empty object is the same as none", "generationConfig") { it.isLeftOut && it.recorded == JsonObject(emptyMap()) },
        Explained(
            "a function without parameters has no schema: the Gemini API refuses an object without properties",
            "tools[].functionDeclarations[].parameters",
        ) {
            it.isLeftOut && (it.recorded["properties"] as? JsonObject)?.isEmpty() == true
        },
        Explained("the recording hides the location, which is global by its host", "url") {
            it.recorded?.text?.replace("<GOOGLE_CLOUD_LOCATION>", "global") == it.ours?.text
        },
    ),
    delivery = { deliveryOf(it) },
)

private fun deliveryOf(recording: RecordedRequest) = if (":stream" in recording.path) Delivery.STREAM else Delivery.WHOLE

/** The target of a recording, resolved from environment variables as a caller would set them. */
internal fun geminiTarget(recording: RecordedRequest): Target {
    val location = if (recording.host.startsWith("aiplatform")) "global" else recording.host.substringBefore("-aiplatform")
    val environment = mapOf("GEMINI_API_KEY" to "AIzaTest", "VERTEXAI_PROJECT" to "PROJECT", "VERTEXAI_LOCATION" to location, "VERTEX_ACCESS_TOKEN" to "ya29")
    val row = if (!recording.host.endsWith("aiplatform.googleapis.com")) {
        "gemini"
    } else if ("/v1beta1/" in recording.path) {
        "vertex_ai_beta"
    } else {
        "vertex_ai"
    }
    val model = recording.path.substringAfter("/models/").substringBefore(':')
    return TargetResolver(ProviderRegistry.packed, environment::get, emptyMap()).resolve(ModelId(row, model))
}

internal fun ChatRequestBuilder.readGemini(body: JsonObject): Set<String> {
    body["systemInstruction"]["parts"].items().forEach { system(it["text"].text!!) }
    messages(body["contents"].items().map(::readContent))
    for (list in body["tools"].items()) {
        for (function in list["functionDeclarations"].items()) {
            tool(
                Tool.of(function["name"].text!!, function["description"].text, function["parameters"] as JsonObject),
            )
        }
        if (list["functionDeclarations"] == null) providerOptions { put("tools", JsonArray(listOf(list))) }
    }
    if (body["toolConfig"]["functionCallingConfig"]["mode"].text == "AUTO") toolChoice = ToolChoice.Auto
    (body["generationConfig"] as? JsonObject)?.let { readSettings(it) }
    return setOf("systemInstruction", "contents", "tools", "toolConfig", "generationConfig")
}

private fun ChatRequestBuilder.readSettings(settings: JsonObject) {
    val read = mutableSetOf("maxOutputTokens", "temperature", "response_schema", "response_mime_type")
    settings["maxOutputTokens"]?.let { maxTokens = it.jsonPrimitive.int }
    settings["temperature"]?.let { temperature = it.jsonPrimitive.double }
    settings["response_schema"]?.let { responseFormat = ResponseFormat.JsonSchema("answer", it.jsonObject) }
    settings["thinkingConfig"]["thinkingLevel"].text?.let {
        reasoning = Effort.valueOf(it.uppercase())
        read += "thinkingConfig"
    }
    if (settings.keys.any { it !in read }) providerOptions { put("generationConfig", JsonObject(settings - read)) }
}

private fun readContent(content: JsonElement): Message {
    val parts = content["parts"].items().map(::readPart)
    return Message(
        if (content["role"].text == "model") {
            Role.ASSISTANT
        } else if (parts.first() is Part.ToolResult) {
            Role.TOOL
        } else {
            Role.USER
        },
        parts,
    )
}

private fun readPart(part: JsonElement): Part {
    val call = part["functionCall"]
    val result = part["functionResponse"]
    return when {
        call != null -> Part.ToolCall("call_0", call["name"].text!!, call["args"].toString(), part["thoughtSignature"].text)
        result != null -> Part.ToolResult("call_0", result["name"].text!!, result["response"].toString())
        else -> Part.Text(part["text"].text!!)
    }
}
