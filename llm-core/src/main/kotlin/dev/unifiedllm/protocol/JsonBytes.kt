package dev.unifiedllm.protocol

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/**
 * This element as JSON text in UTF-8: the same bytes as those of `toString()`.
 *
 * `toString()` builds a text for each level of the tree, so that it copies a long text, such as an image in base64, once for each level above it. This
 * writes each text once, into a buffer that is large enough for the long ones.
 */
internal fun JsonElement.toUtf8(): ByteArray = JsonBytes(FIRST_SIZE + longTexts(this)).also { it.write(this) }.toByteArray()

private class JsonBytes(capacity: Int) {
    private var bytes = ByteArray(capacity)
    private var size = 0

    fun write(element: JsonElement) {
        when (element) {
            is JsonObject -> between('{', '}', element.entries) { (name, value) ->
                append(JsonPrimitive(name).toString())
                append(':')
                write(value)
            }
            is JsonArray -> between('[', ']', element) { write(it) }
            is JsonPrimitive -> {
                val isLongAndPlain = element.isString && isLong(element.content) && isPlain(element.content)
                if (isLongAndPlain) plain(element.content) else append(element.toString())
            }
        }
    }

    private inline fun <T> between(open: Char, close: Char, items: Collection<T>, write: (T) -> Unit) {
        append(open)
        items.forEachIndexed { index, item ->
            if (index > 0) append(',')
            write(item)
        }
        append(close)
    }

    /** Writes a text of ASCII characters that JSON does not escape, without copies of it. */
    private fun plain(text: String) {
        append('"')
        reserve(text.length)
        for (index in text.indices) bytes[size + index] = text[index].code.toByte()
        size += text.length
        append('"')
    }

    private fun append(text: String) {
        val encoded = text.encodeToByteArray()
        reserve(encoded.size)
        encoded.copyInto(bytes, size)
        size += encoded.size
    }

    private fun append(char: Char) {
        reserve(1)
        bytes[size++] = char.code.toByte()
    }

    private fun reserve(more: Int) {
        val needed = Math.addExact(size, more)
        if (needed > bytes.size) bytes = bytes.copyOf(maxOf(needed.toLong(), bytes.size * 2L).coerceAtMost(Int.MAX_VALUE - 8L).toInt())
    }

    fun toByteArray(): ByteArray = if (size == bytes.size) bytes else bytes.copyOf(size)
}

private const val FIRST_SIZE = 1024
private const val LONG = 4096

private fun isLong(text: String) = text.length >= LONG

private fun isPlain(text: String) = text.all { it in ' '..'~' && it != '"' && it != '\\' }

private fun longTexts(element: JsonElement): Int = when (element) {
    is JsonObject -> element.values.sumOf(::longTexts)
    is JsonArray -> element.sumOf(::longTexts)
    is JsonPrimitive -> if (element.isString && isLong(element.content)) element.content.length else 0
}
