package dev.unifiedllm.schema

import dev.unifiedllm.InternalLlmApi
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** Finds the JSON in the text of a model, which may put it in a code fence, or write sentences around it. */
@OptIn(InternalLlmApi::class)
internal object AnswerJson {
    /**
     * The value of [type] in [text]: the whole text, else a code fence, else an object or array in the text, the last one first: a draft stands before what
     * it became. Else the text itself, for an enum or a string. Reasoning between `<think>` tags that begins the text is passed over.
     *
     * @throws SchemaMismatch if there is none; it says what is wrong with the first candidate
     */
    fun <T> read(text: String, type: JsonType<T>): T {
        val trimmed = withoutReasoning(text.trim { it.isWhitespace() || it == BYTE_ORDER_MARK })
        if (trimmed.isEmpty()) throw SchemaMismatch("the response is empty")
        var first: SchemaMismatch? = null
        for (json in candidates(trimmed)) {
            try {
                return type.decode(json)
            } catch (mismatch: SchemaMismatch) {
                first = first ?: mismatch
            }
        }
        return plain(trimmed, type) ?: throw first ?: SchemaMismatch("the response has no valid JSON: ${why(trimmed)}")
    }

    /** A server that does not know the tags sends them as text. */
    private fun withoutReasoning(text: String): String {
        if (!text.startsWith(THINK)) return text
        return text.substringAfterLast(END_OF_THINK, text).trim()
    }

    /** A value that is written without quotes; null if [type] has none. */
    private fun <T> plain(text: String, type: JsonType<T>): T? = try {
        if (text.length > MAX_PLAIN || text.first() in "{[") null else type.decode(JsonPrimitive(text.trim('"', '\'', '`', '*', '.')))
    } catch (_: SchemaMismatch) {
        null
    }

    private fun candidates(text: String): Sequence<JsonElement> = sequence {
        val whole = whole(text)
        if (whole != null) return@sequence yield(whole)
        val fences = FENCE.findAll(text).toList().asReversed()
        if (fences.isNotEmpty() && isOpen(text, fences.first().range.last + 1)) return@sequence
        yieldAll(fences.asSequence().mapNotNull { whole(it.groupValues[1].trim()) })
        yieldAll(embedded(text).asSequence().mapNotNull(::whole))
    }

    /** True if an object begins in [text] from [start] on that is not closed: the text was cut in a later answer than those before. */
    private fun isOpen(text: String, start: Int): Boolean = OBJECT_START.find(text, start)?.let { JsonPrefix.endOf(text, it.range.first) < 0 } ?: false

    private fun whole(text: String): JsonElement? = try {
        val isStructure = JsonPrefix.startIn(text) == 0
        if (isStructure && JsonPrefix.endOf(text, 0) != text.length) null else Json.parseToJsonElement(text).takeIf { it.isJson(text) }
    } catch (_: SerializationException) {
        null
    }

    /** The parser takes a word without quotes for a value. */
    private fun JsonElement.isJson(text: String) = this is JsonObject || this is JsonArray || !text.first().isLetter() || text in LITERALS

    /**
     * The objects and arrays that stand side by side in [text], the last one first, but empty ones at the end. With one that is not closed there are none: the
     * text was cut in its last value. Brackets of sentences are passed over.
     */
    private fun embedded(text: String): List<String> {
        val found = mutableListOf<String>()
        var start = JsonPrefix.startIn(text)
        while (start >= 0 && found.size < MAX_CANDIDATES) {
            val end = if (JSON_START.matchesAt(text, start)) JsonPrefix.endOf(text, start) else start + 1
            if (end < 0) return emptyList()
            if (end > start + 1) found += text.substring(start, end)
            start = JsonPrefix.startIn(text, end)
        }
        return found.asReversed().sortedBy { it.drop(1).dropLast(1).isBlank() }
    }

    private fun why(text: String): String = try {
        if (JsonPrefix.startIn(text) == 0 && JsonPrefix.endOf(text, 0) < 0) {
            "it is cut, or deeper than ${JsonPrefix.MAX_DEPTH} levels"
        } else {
            Json.parseToJsonElement(text)
            "it is a plain text"
        }
    } catch (invalid: SerializationException) {
        invalid.message?.lineSequence()?.first().orEmpty()
    }

    private val LITERALS = setOf("true", "false", "null")
    private val FENCE = Regex("```[ \\t]*[\\w+.-]*[ \\t]*\\r?\\n(.*?)```", RegexOption.DOT_MATCHES_ALL)

    /** An object's name or end; an array's value or end. */
    private val JSON_START = Regex("\\{\\s*[\"}]|\\[\\s*(?:[\"{\\[\\]\\d-]|true\\b|false\\b|null\\b)")
    private val OBJECT_START = Regex("\\{\\s*\"")
    private const val THINK = "<think>"
    private const val END_OF_THINK = "</think>"
    private const val MAX_PLAIN = 1000
    private const val BYTE_ORDER_MARK = '\uFEFF'
    private const val MAX_CANDIDATES = 1000
}
