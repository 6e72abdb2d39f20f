package dev.unifiedllm.jupyter

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.intOrNull

/** The version of the messages between a chat widget and its front end. */
internal const val PROTOCOL: Int = 1

/** The JSON object of these fields: texts, numbers, flags, null, JSON, and lists of them. Text becomes well-formed Unicode. */
internal fun json(vararg fields: Pair<String, Any?>): JsonObject = JsonObject(fields.associate { (name, value) -> name to element(value) })

/** A custom message of the widget: [type] and [fields]. */
internal fun frame(type: String, vararg fields: Pair<String, Any?>): JsonObject = json("v" to PROTOCOL, "type" to type, *fields)

private fun element(value: Any?): JsonElement = when (value) {
    null -> JsonNull
    is JsonElement -> value
    is Number -> JsonPrimitive(value)
    is Boolean -> JsonPrimitive(value)
    is Iterable<*> -> JsonArray(value.map(::element))
    else -> JsonPrimitive(wellFormed(value.toString()))
}

/** An unpaired surrogate cannot be sent: it becomes U+FFFD, which has the same length. */
private fun wellFormed(text: String): String =
    if (text.indices.none { isUnpaired(text, it) }) text else String(CharArray(text.length) { if (isUnpaired(text, it)) '\uFFFD' else text[it] })

private fun isUnpaired(text: String, index: Int): Boolean {
    val char = text[index]
    return when {
        char.isHighSurrogate() -> text.getOrNull(index + 1)?.isLowSurrogate() != true
        char.isLowSurrogate() -> text.getOrNull(index - 1)?.isHighSurrogate() != true
        else -> false
    }
}

/** The text in the field [name]; null if there is none. */
internal fun JsonObject.text(name: String): String? = (this[name] as? JsonPrimitive)?.takeIf { it.isString }?.contentOrNull

internal fun JsonObject.int(name: String): Int? = (this[name] as? JsonPrimitive)?.takeUnless { it.isString }?.intOrNull

internal fun JsonObject.flag(name: String): Boolean = (this[name] as? JsonPrimitive)?.takeUnless { it.isString }?.booleanOrNull ?: false

/** The texts in the list [name]; what is no text is left out. */
internal fun JsonObject.texts(name: String): List<String> =
    (this[name] as? JsonArray).orEmpty().mapNotNull { element -> (element as? JsonPrimitive)?.takeIf { it.isString }?.content }
