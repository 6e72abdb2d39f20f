package dev.unifiedllm.e2e

import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.text
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** This value and all values in it, in their order. */
private fun JsonElement.all(): Sequence<JsonElement> = sequence {
    yield(this@all)
    when (this@all) {
        is JsonObject -> values.forEach { yieldAll(it.all()) }
        is JsonArray -> forEach { yieldAll(it.all()) }
        is JsonPrimitive -> Unit
    }
}

private fun JsonElement.objects() = all().filterIsInstance<JsonObject>()

/** All texts of a request. */
internal fun JsonElement.strings(): List<String> = all().filterIsInstance<JsonPrimitive>().filter { it.isString }.map { it.content }.toList()

/** The arguments of the calls of [tool] in the messages of a request, whatever its wire. */
internal fun JsonElement.toolCalls(tool: String): List<Map<String, String?>> = objects()
    .filter { it["name"]?.text == tool }
    .mapNotNull { it["arguments"] ?: it["input"] ?: it["args"] }
    .map { arguments -> (if (arguments is JsonPrimitive) Json.parseToJsonElement(arguments.content) else arguments) as JsonObject }
    .map { arguments -> arguments.mapValues { it.value.text } }
    .toList()

/** The ids of the tool results in the messages of a request, whatever its wire. */
internal fun JsonElement.resultIds(): List<String> = objects().mapNotNull { json ->
    when {
        json["type"]?.text == "function_call_output" -> json["call_id"]
        else -> json["tool_call_id"] ?: json["tool_use_id"] ?: (json["toolResult"] as? JsonObject)?.get("toolUseId")
    }?.text
}.toList()

/** The schema of a typed answer, where [wire] has a place for it; null if there is none. */
internal fun JsonElement.schemaOfAnswer(wire: String): JsonElement? = when (wire) {
    "openai-chat" -> this["response_format"]["json_schema"]["schema"]
    "openai-responses" -> this["text"]["format"]["schema"]
    "anthropic-messages" -> this["output_config"]["format"]["schema"]
    "gemini-generate", "vertex-gemini" -> this["generationConfig"].let { it["responseJsonSchema"] ?: it["responseSchema"] }
    "bedrock-converse" -> this["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]?.text?.let(Json::parseToJsonElement)
        ?: this["toolConfig"]["tools"].items().singleOrNull()["toolSpec"]["inputSchema"]["json"]
    "cohere-chat" -> this["response_format"]["json_schema"]
    "ollama-chat" -> this["format"]
    else -> error("the wire $wire is not known here")
}

internal fun JsonElement.required(): List<String?> = this["required"].items().map { it.text }
