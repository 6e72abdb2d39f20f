@file:OptIn(InternalLlmApi::class)

package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.schema.JsonPrefix
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.JsonTypes
import dev.unifiedllm.schema.asObject
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlin.reflect.KType
import kotlin.reflect.typeOf
import kotlin.time.Duration
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration

/**
 * A function that the model may call. Made by [of], or by `tool(…)` in a request. Its name is 1 to 64 letters of ASCII, digits, `_` and `-`, as providers
 * demand.
 *
 * A tool with a function is run by the library when the model calls it: see `maxIterations`. Without one its calls are in the response, for the caller
 * to run.
 */
public class Tool private constructor(
    @get:JvmName("name") public val name: String,
    /** Tells the model what the tool does; null for none. */
    @get:JvmName("description") public val description: String?,
    /** The JSON schema of the arguments. */
    @get:JvmName("parameters") public val parameters: JsonObject,
    /** Runs the tool; null: the caller runs it and sends the result with `toolResult(id, name, content)`. */
    @get:JvmSynthetic internal val handler: ToolHandler? = null,
    /** How long a run may take; null: the setting of the call. */
    @get:JvmSynthetic public val timeout: Duration? = null,
    /** The places of [parameters] outside the strict subset of JSON schema; null if that is not known. */
    @get:JvmSynthetic internal val openPlaces: List<String>? = null,
) {
    init {
        require(NAME.matches(name)) {
            "the name of a tool is 1 to $MAX_NAME letters of ASCII, digits, _ and -, because providers refuse others; \"$name\" is not one" +
                if (name.isBlank()) "" else ". Call it \"${validName(name)}\""
        }
    }

    /** True if providers can guarantee arguments that follow [parameters]; null if that is not known. */
    @get:JvmSynthetic
    internal val isStrict: Boolean? get() = openPlaces?.isEmpty()

    public fun timeout(): java.time.Duration? = timeout?.toJavaDuration()

    /** This tool, stopped if it runs for longer than [timeout]. */
    @JvmSynthetic
    public fun withTimeout(timeout: Duration): Tool {
        require(timeout.isPositive()) { "a timeout must be positive, was $timeout" }
        return Tool(name, description, parameters, handler, timeout, openPlaces)
    }

    /** This tool, stopped if it runs for longer than [timeout]. */
    public fun withTimeout(timeout: java.time.Duration): Tool = withTimeout(timeout.toKotlinDuration())

    /** Equal by name, description, schema and function. */
    override fun equals(other: Any?): Boolean =
        other is Tool && name == other.name && description == other.description && parameters == other.parameters && handler === other.handler

    override fun hashCode(): Int = (name.hashCode() * 31 + description.hashCode()) * 31 + parameters.hashCode()

    override fun toString(): String = "Tool($name)"

    public companion object {
        private const val MAX_NAME = 64

        /** What OpenAI, Anthropic, Gemini and Bedrock all accept. */
        private val NAME = Regex("[a-zA-Z0-9_-]{1,$MAX_NAME}")
        private val NOT_IN_NAMES = Regex("[^a-zA-Z0-9_-]+")

        /** [name] if a tool can have it; otherwise one that is like it. */
        @JvmSynthetic
        internal fun validName(name: String): String =
            if (NAME.matches(name)) name else NOT_IN_NAMES.replace(name.trim(), "_").take(MAX_NAME).ifEmpty { "unknown" }

        /** A tool without a function. @throws IllegalArgumentException if [name] is not 1 to 64 letters, digits, `_` and `-` */
        @JvmStatic
        public fun of(name: String, description: String?, parameters: JsonObject): Tool = Tool(name, description, parameters)

        /** A tool without a function. @throws IllegalArgumentException if [parameters] is not the text of a JSON object */
        @JvmStatic
        public fun of(name: String, description: String?, parameters: String): Tool =
            Tool(name, description, jsonObject(parameters, "the schema of the tool $name"))

        /** A tool that [run] runs. It gets the arguments as the model wrote them; they are not checked against [parameters]. */
        @JvmSynthetic
        public fun of(name: String, description: String?, parameters: String, run: suspend (JsonObject) -> Any?): Tool =
            Tool(name, description, jsonObject(parameters, "the schema of the tool $name"), { resultParts(run(it)) })

        /** A tool that [run] runs. It gets the JSON text of the arguments; they are not checked against [parameters]. */
        @JvmStatic
        public fun of(name: String, description: String?, parameters: String, run: ToolFunction<String>): Tool =
            Tool(name, description, jsonObject(parameters, "the schema of the tool $name"), { resultParts(run.call(it.toString())) })

        /**
         * A tool that [run] runs with arguments of the type [A]: a `@Serializable` class, a Java record or, in a notebook, a class of a cell. What it
         * returns is the result: parts and texts as they are, everything else as JSON.
         *
         * @throws IllegalArgumentException if [A] cannot be read from JSON
         */
        @JvmSynthetic
        public inline fun <reified A, reified R> of(name: String, description: String?, noinline run: suspend (A) -> R): Tool =
            typed(name, description, typeOf<A>(), typeOf<R>(), run)

        /**
         * A tool that [run] runs with arguments of [type]: a Java record, or a `@Serializable` Kotlin class. What it returns is the result: parts and
         * texts as they are, everything else as JSON.
         *
         * @throws IllegalArgumentException if [type] cannot be read from JSON
         */
        @JvmStatic
        public fun <A> of(name: String, description: String?, type: Class<A>, run: ToolFunction<A>): Tool =
            typed<A>(name, description, JsonTypes.of(type), null) { run.call(it) }

        @JvmSynthetic
        @PublishedApi
        internal fun <A> typed(name: String, description: String?, arguments: KType, result: KType, run: suspend (A) -> Any?): Tool =
            typed(name, description, JsonTypes.of(arguments), JsonTypes.ofResult(result), run)

        private fun <A> typed(name: String, description: String?, arguments: JsonType<*>, result: JsonType<*>?, run: suspend (A) -> Any?): Tool {
            @Suppress("UNCHECKED_CAST") // the type that the caller states as A
            val type = arguments.asObject() as JsonType<A>
            return Tool(name, description, type.schema, { resultParts(run(type.decode(it)), result) }, openPlaces = type.openPlaces)
        }
    }
}

/** Runs a tool: gets the arguments as the model wrote them, returns the parts of the result. */
internal fun interface ToolHandler {
    suspend fun call(arguments: JsonObject): List<Part>
}

/** @throws IllegalArgumentException if [text], which is [what], is not the text of a JSON object */
internal fun jsonObject(text: String, what: String): JsonObject {
    require(!JsonPrefix.isDeep(text)) { "$what is nested deeper than ${JsonPrefix.MAX_DEPTH} levels: nest it less" }
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
