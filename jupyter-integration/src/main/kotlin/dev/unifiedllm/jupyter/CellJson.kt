package dev.unifiedllm.jupyter

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.JsonTypes
import dev.unifiedllm.schema.SchemaMismatch
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import java.lang.reflect.InvocationTargetException
import kotlin.reflect.KClass
import kotlin.reflect.KParameter
import kotlin.reflect.KType
import kotlin.reflect.full.memberProperties
import kotlin.reflect.full.withNullability
import kotlin.reflect.jvm.isAccessible

/** Reads and writes values that hold instances of classes of cells. Members that a class does not have are ignored. */
@OptIn(InternalLlmApi::class)
internal object CellJson {
    /** @throws SchemaMismatch if [json], which stands at [place], is not of [type] */
    fun read(type: KType, json: JsonElement, place: String): Any? {
        if (json == JsonNull && type.isMarkedNullable) return null
        val cell = type.cellClass
        return when {
            cell != null -> instance(cell, json as? JsonObject ?: throw mismatch(place, "an object", json), place)
            type.isArray -> list(type, json as? JsonArray ?: throw mismatch(place, "an array", json), place)
            type.isMap -> (json as? JsonObject ?: throw mismatch(place, "an object", json)).mapValues { (name, value) -> element(type, value, "$place.$name") }
            else -> try {
                other(type).decode(json)
            } catch (mismatch: SchemaMismatch) {
                throw SchemaMismatch("$place: ${mismatch.message}", mismatch)
            }
        }
    }

    private fun list(type: KType, json: JsonArray, place: String): Collection<Any?> {
        val values = json.mapIndexed { index, value -> element(type, value, "$place[$index]") }
        return if (type.classifier == Set::class) values.toSet() else values
    }

    private fun element(type: KType, json: JsonElement, place: String) = read(checkNotNull(type.arguments.last().type), json, place)

    private fun instance(type: KClass<*>, json: JsonObject, place: String): Any {
        val constructor = checkNotNull(type.cellConstructor)
        val arguments = constructor.parameters.filterNot { it.isDefault(json[it.name]) }.associateWith { argument(it, json[it.name], "$place.${it.name}") }
        constructor.isAccessible = true // a private class of a cell
        return try {
            constructor.callBy(arguments)
        } catch (refused: InvocationTargetException) { // by the class's own checks
            throw SchemaMismatch("$place: ${refused.targetException.message ?: refused.targetException}", refused.targetException)
        }
    }

    private fun KParameter.isDefault(json: JsonElement?) = isOptional && (json == null || (json == JsonNull && !type.isMarkedNullable))

    private fun argument(parameter: KParameter, json: JsonElement?, place: String): Any? = when {
        json != null -> read(parameter.type, json, place)
        parameter.type.isMarkedNullable -> null
        else -> throw SchemaMismatch("$place is missing")
    }

    fun write(type: KType, value: Any?): JsonElement {
        if (value == null) return JsonNull
        val cell = type.cellClass
        return when {
            cell != null -> members(cell, value)
            type.isArray && value is Iterable<*> -> JsonArray(value.map { write(checkNotNull(type.arguments.last().type), it) })
            type.isMap && value is Map<*, *> ->
                JsonObject(value.entries.associate { it.key.toString() to write(checkNotNull(type.arguments.last().type), it.value) })
            else -> other(type).encode(value)
        }
    }

    private fun members(type: KClass<*>, value: Any): JsonObject {
        val properties = type.memberProperties.associateBy { it.name }
        return JsonObject(
            checkNotNull(type.cellConstructor).parameters.mapNotNull { parameter -> properties[parameter.name]?.let { parameter to it } }
                .associate { (parameter, property) ->
                    property.isAccessible = true
                    property.name to write(parameter.type, property.getter.call(value))
                },
        )
    }

    @Suppress("UNCHECKED_CAST") // a value of the type
    private fun other(type: KType) = JsonTypes.of(type.withNullability(false)) as JsonType<Any?>

    private fun mismatch(place: String, expected: String, json: JsonElement) =
        SchemaMismatch("$place must be $expected, but is ${json.toString().take(MAX_SHOWN)}")

    private const val MAX_SHOWN = 80
}
