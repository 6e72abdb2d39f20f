package dev.unifiedllm.chat

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject

/**
 * A function that the model may ask for.
 *
 * @property parameters the JSON schema of its arguments
 */
public data class Tool(
    @get:JvmName("name") public val name: String,
    @get:JvmName("description") public val description: String?,
    @get:JvmName("parameters") public val parameters: JsonObject,
) {
    public companion object {
        /** @throws IllegalArgumentException if [parameters] is not the text of a JSON object */
        @JvmStatic
        public fun of(name: String, description: String?, parameters: String): Tool =
            Tool(name, description, jsonObject(parameters, "the schema of the tool $name"))
    }
}

/** @throws IllegalArgumentException if [text], which is [what], is not the text of a JSON object */
internal fun jsonObject(text: String, what: String): JsonObject {
    val element = try {
        Json.parseToJsonElement(text)
    } catch (broken: SerializationException) {
        throw IllegalArgumentException("$what must be a JSON object: ${broken.message?.lines()?.first()}", broken)
    }
    return requireNotNull(element as? JsonObject) { "$what must be a JSON object, as in {\"type\":\"object\"}, was $text" }
}

/** Whether the model may, must or must not ask for tools. */
public sealed class ToolChoice {
    public data object Auto : ToolChoice()

    public data object None : ToolChoice()

    public data object Required : ToolChoice()

    /** Must ask for the tool called [name]. */
    public data class Named(@get:JvmName("name") public val name: String) : ToolChoice()
}
