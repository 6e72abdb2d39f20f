package dev.unifiedllm.demo

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.doubleOrNull
import kotlin.math.ceil
import kotlin.math.floor

/**
 * Returns arguments that fit [schema], as a model might choose them: names, quotations and numbers of [prompt] in their order; the whole of it for a query.
 */
internal fun exampleArguments(schema: JsonObject, prompt: String): String = ExampleValues(schema, PromptValues(prompt)).root().toString()

/**
 * Returns a response that fits [schema], on several lines so that it streams in several pieces.
 *
 * @param words taken for its texts, as far as they reach
 */
internal fun exampleAnswer(schema: JsonObject, words: List<String> = emptyList()): String =
    PRETTY.encodeToString(JsonElement.serializer(), ExampleValues(schema, PromptValues("", words)).root())

private val PRETTY = Json { prettyPrint = true }

/** The names, quotations and numbers of [prompt], then [words], which are taken one after the other. */
private class PromptValues(private val prompt: String, words: List<String> = emptyList()) {
    private val names = (NAMES.findAll(prompt).map { match -> match.groupValues.drop(1).first { it.isNotEmpty() } } + words).iterator()
    private val numbers = NUMBERS.findAll(prompt).mapNotNull { it.value.toLongOrNull() }.iterator()

    /** Null if there are no more. @param property the name of the property */
    fun text(property: String): String? = if (property.lowercase() in QUERIES && prompt.isNotBlank()) quoted(prompt) else names.nextOrNull()

    fun number(): Long? = numbers.nextOrNull()

    private fun <T> Iterator<T>.nextOrNull(): T? = if (hasNext()) next() else null

    private companion object {
        /** What is quoted, and words with a capital behind another word. */
        val NAMES = Regex("[\"“]([^\"“”]{1,60})[\"”]|(?<=[\\p{L}\\p{N},] )(\\p{Lu}\\p{L}+(?: \\p{Lu}\\p{L}+)*)")
        val NUMBERS = Regex("(?<![\\w.])\\d{1,9}(?![\\w.]\\w)")
        val QUERIES = setOf("query", "question", "q", "prompt", "message", "input")
    }
}

/**
 * Makes values that fit [schema]: a text is the name of its property, a number is 1, an array has two elements.
 *
 * @property prompt gives texts and numbers outside of arrays, as far as it has some; null for none
 */
private class ExampleValues(private val schema: JsonObject, private val prompt: PromptValues? = null) {
    private val definitions = schema["\$defs"] as? JsonObject

    fun root(): JsonElement = value("value", if ("properties" in schema || "\$ref" in schema) schema else JsonObject(schema + OBJECT), 0, null)

    /** @param number the place in the nearest array, from 1; null outside of arrays */
    private fun value(name: String, schema: JsonElement?, depth: Int, number: Int?): JsonElement {
        if (schema !is JsonObject) return JsonPrimitive(name)
        schema["const"]?.let { return it }
        (schema["enum"] as? JsonArray)?.filter { it != JsonNull }?.ifEmpty { null }?.let { return it[((number ?: 1) - 1) % it.size] }
        referred(schema)?.let { return value(name, it, depth + 1, number) }
        variants(schema)?.let { variants -> return variant(name, variants, depth, number) }
        val types = types(schema)
        if (depth >= DEEPEST && "null" in types) return JsonNull
        return when (types.firstOrNull { it != "null" }) {
            "integer", "number" -> JsonPrimitive(within(schema, (number ?: prompt?.number() ?: 1).toLong()))
            "boolean" -> JsonPrimitive(true)
            "array" -> JsonArray(if (depth >= DEEPEST) emptyList() else (1..ELEMENTS).map { value(name, schema["items"], depth + 1, it) })
            "object" -> JsonObject((schema["properties"] as? JsonObject).orEmpty().mapValues { (each, property) -> value(each, property, depth + 1, number) })
            null -> if (types.isEmpty()) text(name, schema, number) else JsonNull
            else -> text(name, schema, number)
        }
    }

    private fun text(name: String, schema: JsonObject, number: Int?) = when (schema.text("format")) {
        "date" -> JsonPrimitive("2026-01-01")
        "date-time" -> JsonPrimitive("2026-01-01T00:00:00Z")
        "duration" -> JsonPrimitive("PT1H")
        "uuid" -> JsonPrimitive("00000000-0000-4000-8000-000000000000")
        else -> JsonPrimitive(if (number == null) prompt?.text(name) ?: name else "$name $number")
    }

    /** [value], moved into the limits that [schema] sets. */
    private fun within(schema: JsonObject, value: Long): Long {
        fun limit(name: String) = (schema[name] as? JsonPrimitive)?.doubleOrNull
        val least = limit("minimum")?.let { ceil(it).toLong() } ?: limit("exclusiveMinimum")?.let { floor(it).toLong() + 1 } ?: Long.MIN_VALUE
        val most = limit("maximum")?.let { floor(it).toLong() } ?: limit("exclusiveMaximum")?.let { ceil(it).toLong() - 1 } ?: Long.MAX_VALUE
        return maxOf(minOf(value, most), least)
    }

    /** Deep inside, null ends what would go on for ever. */
    private fun variant(name: String, variants: List<JsonElement>, depth: Int, number: Int?): JsonElement {
        val others = variants.filterNot { types(it as? JsonObject) == listOf("null") }
        if (others.size < variants.size && depth >= DEEPEST) return JsonNull
        val chosen = others.ifEmpty { variants }
        return value(name, chosen[((number ?: 1) - 1) % chosen.size], depth + 1, number)
    }

    private fun variants(schema: JsonObject): List<JsonElement>? = listOf("anyOf", "oneOf").firstNotNullOfOrNull { schema[it] as? JsonArray }

    private fun referred(schema: JsonObject): JsonElement? = schema.text("\$ref")?.let { definitions?.get(it.substringAfterLast('/')) }

    private fun types(schema: JsonObject?): List<String> = when (val type = schema?.get("type")) {
        is JsonPrimitive -> listOfNotNull(type.contentOrNull)
        is JsonArray -> type.mapNotNull { (it as? JsonPrimitive)?.contentOrNull }
        else -> emptyList()
    }

    private fun JsonObject.text(name: String) = (this[name] as? JsonPrimitive)?.contentOrNull

    private companion object {
        const val ELEMENTS = 2
        const val DEEPEST = 5
        val OBJECT = mapOf("type" to JsonPrimitive("object"))
    }
}
