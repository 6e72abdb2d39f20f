package dev.unifiedllm.schema

import dev.unifiedllm.InternalLlmApi
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.Flow
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.serializer
import java.lang.reflect.Type
import java.nio.file.Path
import java.time.OffsetDateTime
import java.time.Year
import java.time.ZonedDateTime
import java.time.format.DateTimeFormatter.ISO_OFFSET_DATE_TIME
import java.util.Optional
import java.util.concurrent.Future
import java.util.stream.BaseStream

/**
 * Writes values of the user's as JSON: records by their components, `@Serializable` classes by their serializer, others by their own `toString`.
 *
 * @throws IllegalArgumentException for a value that is none, such as a future, a stream or an object without a `toString`
 */
internal object JsonWriter {
    /** @param declared the type as which the value is read again; [Any]: not known */
    fun write(value: Any?, declared: Type = Any::class.java): JsonElement = when (value) {
        null -> JsonNull
        is JsonElement -> value
        is Optional<*> -> write(value.orElse(null), declared.argument(0))
        is Boolean -> JsonPrimitive(value)
        is Number -> number(value)
        is CharSequence -> JsonPrimitive(value.toString())
        is Enum<*> -> JsonPrimitive(value.name)
        is OffsetDateTime -> JsonPrimitive(value.format(ISO_OFFSET_DATE_TIME))
        is ZonedDateTime -> JsonPrimitive(value.format(ISO_OFFSET_DATE_TIME))
        is Year -> JsonPrimitive(value.value)
        is Path -> JsonPrimitive(value.toString()) // an Iterable of itself
        is Map<*, *> -> JsonObject(value.entries.associate { key(it.key) to write(it.value, declared.argument(1)) })
        is Iterable<*> -> (declared.elementType ?: Any::class.java).let { type -> JsonArray(value.map { write(it, type) }) }
        else -> if (value.javaClass.isArray) array(value, declared) else structure(value, declared)
    }

    /** JSON has no word for infinity. */
    private fun number(value: Number): JsonPrimitive {
        val isInfinite = (value is Double || value is Float) && !value.toDouble().isFinite()
        return if (isInfinite) JsonPrimitive(value.toString()) else JsonPrimitive(value)
    }

    private fun key(key: Any?) = if (key is Enum<*>) key.name else key.toString()

    private fun array(value: Any, declared: Type): JsonArray {
        val type = declared.elementType ?: Any::class.java
        return JsonArray(List(java.lang.reflect.Array.getLength(value)) { write(java.lang.reflect.Array.get(value, it), type) })
    }

    private fun structure(value: Any, declared: Type): JsonElement {
        val type = value.javaClass
        return when {
            type.isKotlinSerializable -> serialized(value, type)
            type.isRecord && declared.rawClass == type -> record(value, declared, isVariant = false)
            type.isRecord -> record(value, type, isVariant = type.interfaces.any { it.isStructure })
            else -> JsonPrimitive(text(value))
        }
    }

    /**
     * What stands for a later value, or has only the `toString` of every object, would be a name and a number to a model. A Kotlin class without
     * `@Serializable` is a mistake.
     */
    private fun text(value: Any): String {
        val type = value.javaClass
        val isLater = value is Future<*> || value is Job || value is Flow<*> || value is BaseStream<*, *> || value is Iterator<*> || value is Sequence<*> ||
            value is Result<*> || type.methods.any { it.name == "toFuture" && it.parameterCount == 0 } // as a Call has
        val hasWords = type.getMethod("toString").declaringClass != Any::class.java
        val isUsersKotlin = type.isAnnotationPresent(Metadata::class.java) && !type.name.startsWith("kotlin")
        require(hasWords && !isLater && !isUsersKotlin) {
            val remedy = when {
                isLater -> "wait for its value or collect its elements first"
                isUsersKotlin -> "add @Serializable (kotlinx.serialization) to the class, or return a text"
                else -> "return a text, a record or a @Serializable object"
            }
            "a ${type.simpleName.ifEmpty { type.name }} cannot be written as JSON: $remedy"
        }
        return value.toString()
    }

    private fun record(value: Any, type: Type, isVariant: Boolean): JsonObject {
        val components = type.rawClass.recordComponents.associate { component ->
            component.accessor.trySetAccessible()
            component.name to write(component.accessor.invoke(value), component.typeIn(type))
        }
        return JsonObject(if (isVariant) mapOf(TYPE_PROPERTY to JsonPrimitive(type.rawClass.simpleName)) + components else components)
    }

    @OptIn(InternalLlmApi::class)
    private fun serialized(value: Any, type: Class<*>): JsonElement = SerialType(serializer(type)).encode(value)
}
