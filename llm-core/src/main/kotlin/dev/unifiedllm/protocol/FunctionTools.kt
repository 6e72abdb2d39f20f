package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.protocol.json.jsonElementOrNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** A tool in the form of OpenAI's chat wire and those that follow it. @param hasStrict true if the wire has a field for guaranteed arguments */
internal fun functionTool(tool: Tool, hasStrict: Boolean = false): JsonObject = buildJsonObject {
    put("type", "function")
    putJsonObject("function") {
        put("name", tool.name)
        tool.description?.let { put("description", it) }
        put("parameters", tool.parameters)
        if (hasStrict) tool.isStrict?.let { put("strict", it) }
    }
}

/** A tool call in the form of the same wires, with [id]. */
internal fun functionCall(id: String, call: Part.ToolCall): JsonObject = buildJsonObject {
    put("id", id)
    put("type", "function")
    putJsonObject("function") {
        put("name", call.name)
        put("arguments", argumentsText(call))
    }
}

/** The arguments of [call] as the model wrote them, or `{}` if they are not a JSON object: some servers parse the arguments that are sent back. */
internal fun argumentsText(call: Part.ToolCall): String = if (jsonElementOrNull(call.arguments) is JsonObject) call.arguments else "{}"

/** The arguments of [call] as an object; an empty one if they are not an object. */
internal fun argumentsObject(call: Part.ToolCall): JsonObject = jsonElementOrNull(call.arguments) as? JsonObject ?: JsonObject(emptyMap())

/** The parameters of [tool] with `"type":"object"`, which some wires require. */
internal fun objectSchema(tool: Tool): JsonObject = if ("type" in tool.parameters) tool.parameters else JsonObject(ANY_OBJECT + tool.parameters)

/** The schema of any object. */
internal val ANY_OBJECT: JsonObject = JsonObject(mapOf("type" to JsonPrimitive("object")))
