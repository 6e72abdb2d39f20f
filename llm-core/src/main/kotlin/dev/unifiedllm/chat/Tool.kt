package dev.unifiedllm.chat

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject

/** A function that the model may call. Made by [of], or by `tool(name, description, schema)` in a request. */
public class Tool private constructor(
    @get:JvmName("name") public val name: String,
    /** Tells the model what the tool does; null for none. */
    @get:JvmName("description") public val description: String?,
    /** The JSON schema of the arguments. */
    @get:JvmName("parameters") public val parameters: JsonObject,
    /** Runs the tool; null: the caller runs it and sends the result with `toolResult(id, name, content)`. */
    @get:JvmSynthetic internal val handler: ToolHandler? = null,
) {
    /** This tool, run by [handler]. */
    @JvmSynthetic
    internal fun handledBy(handler: ToolHandler): Tool = Tool(name, description, parameters, handler)

    /** Equal by name, description, schema and handler. */
    override fun equals(other: Any?): Boolean =
        other is Tool && name == other.name && description == other.description && parameters == other.parameters && handler === other.handler

    override fun hashCode(): Int = (name.hashCode() * 31 + description.hashCode()) * 31 + parameters.hashCode()

    override fun toString(): String = "Tool($name)"

    public companion object {
        /** A tool without a handler. */
        @JvmStatic
        public fun of(name: String, description: String?, parameters: JsonObject): Tool = Tool(name, description, parameters)

        /** A tool without a handler. @throws IllegalArgumentException if [parameters] is not the text of a JSON object */
        @JvmStatic
        public fun of(name: String, description: String?, parameters: String): Tool =
            Tool(name, description, jsonObject(parameters, "the schema of the tool $name"))
    }
}

/** Runs a tool: gets the arguments as the model wrote them, returns the parts of the result. */
internal fun interface ToolHandler {
    suspend fun call(arguments: JsonObject): List<Part>
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

/** Whether the model may, must or must not call tools. */
public sealed class ToolChoice {
    public data object Auto : ToolChoice()

    public data object None : ToolChoice()

    public data object Required : ToolChoice()

    /** The model must call the tool [name]. */
    public data class Named(@get:JvmName("name") public val name: String) : ToolChoice()
}
