package dev.unifiedllm.protocol.gemini

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull

/**
 * Converts JSON schemas to what Gemini accepts. Its type `Schema` is a subset of OpenAPI's, and a request with an unknown member in it is refused.
 * Another field accepts JSON schemas ([ai.google.dev/api/caching#Schema](https://ai.google.dev/api/caching#Schema), read 2026-11-21).
 */
internal object GeminiSchema {
    /** [schema] as a `Schema`; null if it uses keywords that `Schema` lacks, so that it must be sent as a JSON schema. */
    fun openApi(schema: JsonObject): JsonObject? = if (isConvertible(schema)) convert(schema) else null

    /** [schema] as a JSON schema that the API accepts. */
    fun json(schema: JsonObject): JsonObject = JsonObject(schema - META)

    /** True for the schema of a function without parameters. Its `parameters` must be left out: the API refuses an object without properties. */
    fun isEmpty(schema: JsonObject): Boolean = (schema["properties"] as? JsonObject).isNullOrEmpty() && schema.keys.none { it in UNSUPPORTED || it == "anyOf" }

    private fun isConvertible(element: JsonElement): Boolean = when (element) {
        is JsonObject -> element.keys.none { it in UNSUPPORTED } && element.all { (name, value) -> isConvertible(name, value) }
        is JsonArray -> element.all(::isConvertible)
        else -> true
    }

    private fun isConvertible(name: String, value: JsonElement): Boolean = when {
        // The names of properties are the user's: only their values are schemas.
        name == "properties" && value is JsonObject -> value.values.all(::isConvertible)
        // The `enum` of a `Schema` has strings only.
        name == "enum" -> value is JsonArray && value.all { it is JsonPrimitive && (it.isString || it is JsonNull) }
        name in DATA -> true
        else -> isConvertible(value)
    }

    private fun convert(schema: JsonObject): JsonObject = buildJsonObject {
        for ((name, value) in schema) {
            when {
                name == "type" && value is JsonArray -> types(value, schema).forEach { (key, element) -> put(key, element) }
                name == "format" -> if ((value as? JsonPrimitive)?.contentOrNull in FORMATS) put(name, value)
                name == "properties" && value is JsonObject -> put(name, JsonObject(value.mapValues { (_, property) -> convertAny(property) }))
                name == "items" -> put(name, convertAny(value))
                name == "anyOf" && value is JsonArray -> put(name, JsonArray(value.map(::convertAny)))
                name == "enum" && value is JsonArray -> put(name, JsonArray(value.filterNot { it is JsonNull }))
                name in KNOWN -> put(name, value)
            }
        }
    }

    private fun convertAny(element: JsonElement): JsonElement = if (element is JsonObject) convert(element) else JsonObject(emptyMap())

    /** Converts a list of types: to one type, which can be nullable, or to `anyOf`. */
    private fun types(types: JsonArray, schema: JsonObject): Map<String, JsonElement> {
        val others = types.filterNot { (it as? JsonPrimitive)?.contentOrNull == "null" }
        val nullable = if (others.size < types.size) mapOf("nullable" to JsonPrimitive(true)) else emptyMap()
        val single = others.singleOrNull()
        return nullable + if (single != null || "anyOf" in schema) {
            mapOf("type" to (single ?: others.firstOrNull() ?: JsonPrimitive("null")))
        } else {
            mapOf("anyOf" to JsonArray(others.map { JsonObject(mapOf("type" to it)) }))
        }
    }

    private const val META = "\$schema"

    /** Keywords that `Schema` lacks. A schema with one of them is sent as a JSON schema. */
    private val UNSUPPORTED =
        setOf("\$ref", "\$defs", "definitions", "allOf", "oneOf", "not", "const", "prefixItems", "patternProperties", "if", "then", "else")

    /** Keywords whose values are not schemas. */
    private val DATA = setOf("default", "example", "examples", "required", "propertyOrdering")
    private val FORMATS = setOf("date-time", "enum", "int32", "int64", "float", "double")

    /** Keywords that are sent unchanged. All others are left out. */
    private val KNOWN = setOf(
        "type", "title", "description", "nullable", "required", "minItems", "maxItems", "minProperties", "maxProperties",
        "minLength", "maxLength", "pattern", "example", "propertyOrdering", "default", "minimum", "maximum",
    )
}
