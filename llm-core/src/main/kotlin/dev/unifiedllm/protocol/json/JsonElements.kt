package dev.unifiedllm.protocol.json

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement

/**
 * [text] as an element; null if it is not JSON, or nested so deep that [JsonCursor] refuses it: a model may write anything.
 *
 * @param isStrict see [JsonCursor]
 */
internal fun jsonElementOrNull(text: String, isStrict: Boolean = true): JsonElement? = try {
    jsonElement(text, isStrict)
} catch (_: JsonSyntaxException) {
    null
}

/**
 * [text] as an element. The parser of kotlinx.serialization alone takes words without quotes for values, and overflows the stack at deep arrays.
 *
 * @throws JsonSyntaxException if it is not JSON, or nested deeper than [JsonCursor] reads
 */
internal fun jsonElement(text: String, isStrict: Boolean = true): JsonElement {
    val bytes = text.encodeToByteArray()
    JsonCursor(isStrict).reset(bytes, 0, bytes.size).run {
        skip()
        end()
    }
    return try {
        Json.parseToJsonElement(text)
    } catch (_: SerializationException) {
        throw JsonSyntaxException("expected a value", 0, isCut = false)
    }
}

/** True if `bytes[start, end)` is one JSON text, neither cut nor followed by anything but white space. */
internal fun isWholeJson(bytes: ByteArray, start: Int, end: Int): Boolean = try {
    JsonCursor().reset(bytes, start, end).run {
        skip()
        end()
    }
    true
} catch (_: JsonSyntaxException) {
    false
}

/** True if [text] is the beginning of a JSON object of which the rest is missing. */
internal fun isOpenObject(text: CharSequence): Boolean = BracketCount().also { it.readOn(text) }.isOpen

/** Counts the open brackets of a JSON text that grows. Each character is read once. */
internal class BracketCount {
    private var position = 0
    private var depth = 0
    private var isString = false
    private var isEscaped = false

    /** True if an object of the text so far is not closed. */
    val isOpen: Boolean get() = depth > 0

    /** Reads what [text] has more than the last time. */
    fun readOn(text: CharSequence) {
        while (position < text.length) {
            val char = text[position++]
            when {
                isEscaped -> isEscaped = false
                isString && char == '\\' -> isEscaped = true
                char == '"' -> isString = !isString
                isString -> Unit
                char == '{' -> depth++
                char == '}' -> depth--
            }
        }
    }
}
