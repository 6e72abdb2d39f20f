package dev.unifiedllm.schema

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/** The schema of a value of the JSON type [type], with [format] if there is one. */
internal fun typeSchema(type: String, format: String? = null): JsonObject = buildJsonObject {
    put("type", type)
    format?.let { put("format", it) }
}

/** The schema of one of [names]. */
internal fun enumSchema(names: List<String>): JsonObject = JsonObject(
    mapOf("type" to JsonPrimitive("string"), "enum" to JsonArray(names.map(::JsonPrimitive))),
)

internal fun arraySchema(items: JsonObject): JsonObject = JsonObject(mapOf("type" to JsonPrimitive("array"), "items" to items))

internal fun mapSchema(values: JsonObject): JsonObject = JsonObject(mapOf("type" to JsonPrimitive("object"), "additionalProperties" to values))

/** The schema of an object with exactly [properties]. */
internal fun objectSchema(properties: Map<String, JsonObject>): JsonObject = JsonObject(
    mapOf(
        "type" to JsonPrimitive("object"),
        "properties" to JsonObject(properties),
        "required" to JsonArray(properties.keys.map(::JsonPrimitive)),
        "additionalProperties" to JsonPrimitive(false),
    ),
)

internal fun anyOfSchema(variants: List<JsonObject>): JsonObject = JsonObject(mapOf("anyOf" to JsonArray(variants)))

internal fun refSchema(definition: String): JsonObject = JsonObject(mapOf("\$ref" to JsonPrimitive("#/\$defs/$definition")))

/** [schema], or null. */
internal fun nullableSchema(schema: JsonObject): JsonObject {
    if (schema.isEmpty()) return schema // open: null is allowed already
    val variants = schema["anyOf"] as? JsonArray
    val type = schema["type"]
    return when {
        variants != null -> if (NULL in variants) schema else JsonObject(schema + ("anyOf" to JsonArray(variants.plus<JsonElement>(NULL))))
        type is JsonPrimitive -> {
            val withNull = schema + ("type" to JsonArray(listOf(type, JsonPrimitive("null"))))
            val names = schema["enum"] as? JsonArray
            JsonObject(if (names == null) withNull else withNull + ("enum" to JsonArray(names + JsonNull)))
        }
        type is JsonArray -> schema
        else -> anyOfSchema(listOf(schema, NULL))
    }
}

/** [schema] with a description. A reference gets none beside itself: OpenAI's strict mode refuses siblings of `$ref`. */
internal fun describedSchema(schema: JsonObject, description: String?): JsonObject = when {
    description == null -> schema
    "\$ref" in schema -> JsonObject(anyOfSchema(listOf(schema)) + ("description" to JsonPrimitive(description)))
    else -> JsonObject(schema + ("description" to JsonPrimitive(description)))
}

private val NULL: JsonObject = typeSchema("null")

/** The schemas that a schema refers to by name. */
internal class Definitions {
    private val names = linkedMapOf<Any, String>()
    private val schemas = linkedMapOf<String, JsonObject?>()

    /** Null if [key] has no definition. */
    operator fun get(key: Any): JsonObject? = names[key]?.let(schemas::get)

    /** A reference to the definition of [key], which is built at its first use. Its name is the last part of [fullName]. */
    fun reference(key: Any, fullName: String, build: () -> JsonObject): JsonObject {
        val name = names.getOrPut(key) { newName(simpleName(fullName)) }
        if (name !in schemas) {
            schemas[name] = null // being built: a recursive type refers to it
            schemas[name] = build()
        }
        return refSchema(name)
    }

    private fun newName(name: String) = generateSequence(1) { it + 1 }.map { if (it == 1) name else "$name$it" }.first { it !in names.values }

    /** [schema] with all definitions. */
    fun addTo(schema: JsonObject): JsonObject =
        if (schemas.isEmpty()) schema else JsonObject(schema + ("\$defs" to JsonObject(schemas.mapValues { checkNotNull(it.value) })))
}

/** The last part of [fullName], with letters, digits, `_` and `-` only; at most 64 characters, as OpenAI allows. */
internal fun simpleName(fullName: String): String {
    val withoutArguments = fullName.substringBefore('<').removeSuffix("?")
    val last = withoutArguments.substringAfterLast('.').substringAfterLast('$')
    return last.replace(NOT_IN_NAME, "_").take(MAX_NAME).ifEmpty { "value" }
}

private val NOT_IN_NAME = Regex("[^A-Za-z0-9_-]")
private const val MAX_NAME = 64
