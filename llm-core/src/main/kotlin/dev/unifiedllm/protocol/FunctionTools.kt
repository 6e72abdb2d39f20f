package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Tool
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** A tool as OpenAI's chat wire, and those that follow it, describe one. */
internal fun functionTool(tool: Tool): JsonObject = buildJsonObject {
    put("type", "function")
    putJsonObject("function") {
        put("name", tool.name)
        tool.description?.let { put("description", it) }
        put("parameters", tool.parameters)
    }
}

/** A call of one on the same wires, under [id]. */
internal fun functionCall(id: String, call: Part.ToolCall): JsonObject = buildJsonObject {
    put("id", id)
    put("type", "function")
    putJsonObject("function") {
        put("name", call.name)
        put("arguments", argumentsText(call))
    }
}

/** Never empty: some servers parse what they wrote themselves. */
internal fun argumentsText(call: Part.ToolCall): String = call.arguments.ifBlank { "{}" }

/** The arguments as the object that some wires want; what is no object becomes an empty one. */
internal fun argumentsObject(call: Part.ToolCall): JsonObject = try {
    Json.parseToJsonElement(argumentsText(call)) as? JsonObject ?: JsonObject(emptyMap())
} catch (_: SerializationException) {
    JsonObject(emptyMap())
}

/** What [tool] takes, as the schema of an object: some wires refuse one that does not say so. */
internal fun objectSchema(tool: Tool): JsonObject = if ("type" in tool.parameters) tool.parameters else JsonObject(ANY_OBJECT + tool.parameters)

/** The schema that says no more. */
internal val ANY_OBJECT: JsonObject = JsonObject(mapOf("type" to JsonPrimitive("object")))

/** [id] with nothing in it but what the wire takes: letters, digits, `_` and `-`. The same id always becomes the same. */
internal fun toolUseId(id: String): String = if (id.isEmpty()) "_" else NOT_OF_AN_ID.replace(id, "_")

private val NOT_OF_AN_ID = Regex("[^a-zA-Z0-9_-]")
