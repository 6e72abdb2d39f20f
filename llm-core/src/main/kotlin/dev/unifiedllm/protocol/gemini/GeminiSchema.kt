package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.protocol.json.members
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull

/**
 * JSON schemas for Gemini. Its own `Schema` is a part of OpenAPI's, and refuses a request for a member that it does not know; a field of
 * another name beside it takes JSON schemas ([ai.google.dev/api/caching#Schema](https://ai.google.dev/api/caching#Schema), read 2026-11-21).
 */
internal object GeminiSchema {
    /** [schema] as a `Schema`; null if it says what such a one cannot, and must go as a JSON schema. */
    fun openApi(schema: JsonObject): JsonObject? = if (isPlain(schema)) clean(schema) else null

    /** [schema] as a JSON schema that the server takes. */
    fun json(schema: JsonObject): JsonObject = JsonObject(schema - META)

    /** True for the schema of a function without parameters, whose `parameters` must be left out: an object without properties is refused. */
    fun isEmpty(schema: JsonObject): Boolean = (schema["properties"] as? JsonObject).isNullOrEmpty() && schema.keys.none { it in BEYOND || it == "anyOf" }

    private fun isPlain(element: JsonElement): Boolean = when (element) {
        is JsonObject -> element.keys.none { it in BEYOND } &&
            element.all { (name, value) -> if (name in DATA) isPlainData(name, value) else isPlain(name, value) }
        is JsonArray -> element.all(::isPlain)
        else -> true
    }

    /** The members of `properties` are named by the user: only their values are schemas. */
    private fun isPlain(name: String, value: JsonElement): Boolean {
        if (name != "properties" || value !is JsonObject) return isPlain(value)
        return value.values.all(::isPlain)
    }

    /** A `Schema` lists texts only. */
    private fun isPlainData(name: String, value: JsonElement): Boolean =
        name != "enum" || (value is JsonArray && value.all { it is JsonPrimitive && (it.isString || it is JsonNull) })

    private fun clean(schema: JsonObject): JsonObject = buildJsonObject {
        for ((name, value) in schema) {
            when {
                name == "type" && value is JsonArray -> types(value, schema).forEach { (key, element) -> put(key, element) }
                name == "format" -> if ((value as? JsonPrimitive)?.contentOrNull in FORMATS) put(name, value)
                name == "properties" && value is JsonObject -> put(name, JsonObject(value.mapValues { (_, property) -> cleanAny(property) }))
                name == "items" -> put(name, cleanAny(value))
                name == "anyOf" && value is JsonArray -> put(name, JsonArray(value.map(::cleanAny)))
                name == "enum" && value is JsonArray -> put(name, JsonArray(value.filterNot { it is JsonNull }))
                name in KNOWN -> put(name, value)
            }
        }
    }

    private fun cleanAny(element: JsonElement): JsonElement = if (element is JsonObject) clean(element) else JsonObject(emptyMap())

    /** A list of types: one of them, perhaps nullable, or any of them. */
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
    private val BEYOND = setOf("\$ref", "\$defs", "definitions", "allOf", "oneOf", "not", "const", "prefixItems", "patternProperties", "if", "then", "else")
    private val DATA = setOf("enum", "default", "example", "examples", "required", "propertyOrdering")
    private val FORMATS = setOf("date-time", "enum", "int32", "int64", "float", "double")
    private val KNOWN = setOf(
        "type", "title", "description", "nullable", "required", "minItems", "maxItems", "minProperties", "maxProperties",
        "minLength", "maxLength", "pattern", "example", "propertyOrdering", "default", "minimum", "maximum",
    )
}
