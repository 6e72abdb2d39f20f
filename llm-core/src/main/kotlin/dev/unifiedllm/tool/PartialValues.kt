package dev.unifiedllm.tool

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.schema.JsonPrefix
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.SchemaMismatch
import dev.unifiedllm.schema.asObject
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/**
 * The values that a growing text makes, or that text itself. The text is read again when it has grown by a part of its length, so that the whole takes time in
 * proportion to the length of the text, times a constant.
 *
 * @param type null for the text itself
 */
@OptIn(InternalLlmApi::class)
internal class PartialValues<T>(type: JsonType<*>?) {
    @Suppress("UNCHECKED_CAST") // the caller's T, of which the type was made
    private val type = type?.asObject() as JsonType<T>?
    private val text = StringBuilder()
    private var nextLength = 0
    private var last: Value<T>? = null

    /** How often the text has been parsed. */
    var parses = 0
        private set

    /** A value, which may itself be null. */
    data class Value<T>(val value: T)

    /** The value so far; null if there is none yet, or it is that of before. */
    fun add(delta: Delta): Value<T>? {
        if (delta is Delta.Reset || delta is Delta.StepFinish) text.clear().also { nextLength = 0 }
        if (delta !is Delta.Text || delta.choice != 0) return null
        text.append(delta.text)
        if (text.length < nextLength) return null
        nextLength = text.length + text.length / GROWTH + 1
        val value = (if (type == null) whole() else value(type)) ?: return null
        return value.takeIf { it != last }?.also { last = it }
    }

    @Suppress("UNCHECKED_CAST") // without a type T is String
    private fun whole() = Value(text.toString() as T)

    fun isLast(value: T): Boolean = last == Value(value)

    /** Of the first object or array that makes one: a sentence before it may have brackets. */
    private fun value(type: JsonType<T>): Value<T>? {
        val all = text.toString()
        var start = JsonPrefix.startIn(all)
        repeat(MAX_CANDIDATES) {
            val json = (if (start < 0) null else JsonPrefix.complete(all, start)) ?: return null
            decoded(json, type)?.let { return it }
            val end = JsonPrefix.endOf(all, start)
            if (end < 0) return null
            start = JsonPrefix.startIn(all, end)
        }
        return null
    }

    /** Without the last element of a list, if that is not yet complete enough for one. */
    private fun decoded(json: String, type: JsonType<T>): Value<T>? {
        parses++
        val element = try {
            Json.parseToJsonElement(json)
        } catch (_: SerializationException) {
            return null
        }
        return (sequenceOf(element) + withoutLastElement(element).take(MAX_CANDIDATES)).firstNotNullOfOrNull { decoded(it, type) }
    }

    private fun decoded(json: JsonElement, type: JsonType<T>): Value<T>? = try {
        Value(type.decode(json))
    } catch (_: SchemaMismatch) {
        null // not enough of it is there
    }

    private companion object {
        const val GROWTH = 16
        const val MAX_CANDIDATES = 8
    }
}

/** [json] without the last element of one of the arrays that end it, the innermost first. */
private fun withoutLastElement(json: JsonElement): Sequence<JsonElement> = sequence {
    if (json is JsonObject && json.isNotEmpty()) {
        val (name, last) = json.entries.last()
        yieldAll(withoutLastElement(last).map { JsonObject(json + (name to it)) })
    }
    if (json is JsonArray && json.isNotEmpty()) {
        val complete = json.dropLast(1)
        yieldAll(withoutLastElement(json.last()).map { JsonArray(complete + it) })
        yield(JsonArray(complete))
    }
}
