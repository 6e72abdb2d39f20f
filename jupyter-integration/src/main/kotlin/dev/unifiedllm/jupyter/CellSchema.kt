package dev.unifiedllm.jupyter

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.schema.Description
import dev.unifiedllm.schema.JsonTypes
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlin.reflect.KClass
import kotlin.reflect.KParameter
import kotlin.reflect.KType
import kotlin.reflect.full.findAnnotation
import kotlin.reflect.full.memberProperties
import kotlin.reflect.full.withNullability

/** Makes the JSON schema of types that hold classes of cells, by the rules of the schemas of other types. */
internal class CellSchema {
    private val building = mutableSetOf<KClass<*>>()
    private val recursive = mutableSetOf<KClass<*>>()
    private val definitions = linkedMapOf<String, JsonElement>()
    private val names = hashMapOf<KClass<*>, String>()
    private val open = linkedSetOf<String>()

    /** The places outside the strict subset. Complete after [build]. */
    val openPlaces: List<String> get() = open.toList()

    fun build(type: KType): JsonObject {
        val schema = schema(type, "$")
        val root = type.cellClass.takeUnless { type.isMarkedNullable }?.takeIf { it in recursive }?.let { definitions[it.definition] as JsonObject } ?: schema
        return if (definitions.isEmpty()) root else JsonObject(root + (DEFINITIONS to JsonObject(definitions)))
    }

    private fun schema(type: KType, place: String): JsonObject {
        if (type.isMarkedNullable) return nullable(schema(type.withNullability(false), place))
        val cell = type.cellClass
        return when {
            cell != null -> ofCell(cell, place)
            type.isArray -> JsonObject(mapOf(TYPE to JsonPrimitive("array"), "items" to element(type, "$place[]")))
            type.isMap -> {
                open += place
                JsonObject(mapOf(TYPE to JsonPrimitive("object"), "additionalProperties" to element(type, "$place.*")))
            }
            else -> other(type, place)
        }
    }

    private fun element(type: KType, place: String): JsonObject =
        schema(requireNotNull(type.arguments.last().type) { "$type cannot be read from JSON: name the type of its elements" }, place)

    @OptIn(InternalLlmApi::class)
    private fun other(type: KType, place: String): JsonObject {
        val known = JsonTypes.of(type)
        open += known.openPlaces.map { place + it.removePrefix("$") }
        (known.schema[DEFINITIONS] as? JsonObject)?.let(definitions::putAll)
        return JsonObject(known.schema - DEFINITIONS)
    }

    /** A class that holds itself is a definition. */
    private fun ofCell(type: KClass<*>, place: String): JsonObject {
        val reference = JsonObject(mapOf(REFERENCE to JsonPrimitive("#/$DEFINITIONS/${type.definition}")))
        if (type in recursive || !building.add(type)) return reference.also { recursive += type }
        val properties = type.readingConstructor().parameters.associate { it.name.orEmpty() to property(type, it, place) }
        building -= type
        val schema = described(
            JsonObject(
                mapOf(
                    TYPE to JsonPrimitive("object"),
                    "properties" to JsonObject(properties),
                    "required" to JsonArray(properties.keys.map(::JsonPrimitive)),
                    "additionalProperties" to JsonPrimitive(false),
                ),
            ),
            type.findAnnotation<Description>(),
        )
        if (type !in recursive) return schema
        definitions[type.definition] = schema
        return reference
    }

    /** Null means the default value, where there is one. */
    private fun property(type: KClass<*>, parameter: KParameter, place: String): JsonObject {
        val schema = schema(parameter.type, "$place.${parameter.name}")
        val description = type.memberProperties.firstOrNull { it.name == parameter.name }?.findAnnotation<Description>()
        return described(if (parameter.isOptional) nullable(schema) else schema, description)
    }

    private fun described(schema: JsonObject, description: Description?): JsonObject = when {
        description == null -> schema
        REFERENCE in schema -> JsonObject(mapOf(ANY_OF to JsonArray(listOf(schema)), DESCRIPTION to JsonPrimitive(description.value)))
        else -> JsonObject(schema + (DESCRIPTION to JsonPrimitive(description.value)))
    }

    private fun nullable(schema: JsonObject): JsonObject {
        val type = schema[TYPE]
        val names = schema["enum"] as? JsonArray
        val variants = schema[ANY_OF] as? JsonArray
        return when {
            schema.isEmpty() || type is JsonArray -> schema
            type != null && names != null -> JsonObject(schema + (TYPE to orNull(type)) + ("enum" to JsonArray(names + JsonNull)))
            type != null -> JsonObject(schema + (TYPE to orNull(type)))
            variants != null -> if (NULL in variants) schema else JsonObject(schema + (ANY_OF to JsonArray(variants + listOf(NULL))))
            else -> JsonObject(mapOf(ANY_OF to JsonArray(listOf(schema, NULL))))
        }
    }

    private fun orNull(type: JsonElement) = JsonArray(listOf(type, JsonPrimitive("null")))

    /** Its name among the definitions: classes of several cells or packages may have one name. */
    private val KClass<*>.definition: String
        get() = names.getOrPut(this) {
            val name = simpleName.orEmpty()
            generateSequence(1) { it + 1 }.map { if (it == 1) name else "$name$it" }.first { it !in names.values && it !in definitions }
        }

    private companion object {
        const val TYPE = "type"
        const val ANY_OF = "anyOf"
        const val REFERENCE = "\$ref"
        const val DEFINITIONS = "\$defs"
        const val DESCRIPTION = "description"
        val NULL = JsonObject(mapOf(TYPE to JsonPrimitive("null")))
    }
}
