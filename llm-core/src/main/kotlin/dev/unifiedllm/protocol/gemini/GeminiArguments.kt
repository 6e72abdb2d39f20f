package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/**
 * The arguments of a call that come leaf by leaf, each with its path: `$.city`, `$.days[0].high`, `$['odd name']`. Pieces of one text are
 * joined. A path that cannot be read is left out.
 */
internal class GeminiArguments {
    private val root = mutableMapOf<Any, Any>()

    /** @param leaves the text of a list of them */
    fun read(leaves: String) {
        val bytes = leaves.encodeToByteArray()
        val json = JsonCursor().reset(bytes, 0, bytes.size)
        json.elements { leaf(json) }
    }

    private fun leaf(json: JsonCursor) {
        var path: List<Any>? = null
        var value: JsonElement? = null
        json.members(LEAF) { member ->
            when (member) {
                0 -> path = json.stringOrNull()?.let(::path)
                1 -> value = json.stringOrNull()?.let(::JsonPrimitive)
                2 -> value = json.decimalOrNull()?.let(::JsonPrimitive)
                3 -> value = json.booleanOrNull()?.let(::JsonPrimitive)
                4 -> {
                    json.skip()
                    value = JsonNull
                }
            }
        }
        if (path.isNullOrEmpty() || value == null) return
        val node = path.dropLast(1).fold(root) { at, step -> child(at, step) }
        if (value is JsonPrimitive && value.isString) {
            ((node[path.last()] as? StringBuilder) ?: StringBuilder().also { node[path.last()] = it }).append(value.content)
        } else {
            node[path.last()] = value
        }
    }

    @Suppress("UNCHECKED_CAST") // nodes are made here only
    private fun child(at: MutableMap<Any, Any>, step: Any): MutableMap<Any, Any> =
        at[step] as? MutableMap<Any, Any> ?: mutableMapOf<Any, Any>().also { at[step] = it }

    fun json(): String = json(root).toString()

    private fun json(node: Any): JsonElement = when (node) {
        is Map<*, *> -> if (node.isNotEmpty() && node.keys.all { it is Int }) {
            JsonArray(node.entries.sortedBy { it.key as Int }.map { json(it.value!!) })
        } else {
            JsonObject(node.entries.associate { (name, value) -> name.toString() to json(value!!) })
        }
        is StringBuilder -> JsonPrimitive(node.toString())
        else -> node as JsonElement
    }

    private companion object {
        val LEAF = JsonNames("jsonPath", "stringValue", "numberValue", "boolValue", "nullValue")

        /** One step of a path: `.name`, `[3]`, `['name']` or `["name"]`. */
        val STEP = Regex("""\.([^.\[\]]+)|\[(\d{1,6})]|\['((?:[^'\\]|\\.)*)']|\["((?:[^"\\]|\\.)*)"]""")
        val ESCAPE = Regex("""\\(.)""")

        /** The steps of [text]: names, and numbers for places in lists. Null if it is no such path. */
        fun path(text: String): List<Any>? {
            val steps = mutableListOf<Any>()
            var at = if (text.startsWith("$")) 1 else return null
            while (at < text.length) {
                val match = STEP.matchAt(text, at) ?: return null
                val (name, place, quoted, doublyQuoted) = match.destructured
                steps += if (place.isNotEmpty()) place.toInt() else name.ifEmpty { ESCAPE.replace(quoted + doublyQuoted, "$1") }
                at = match.range.last + 1
            }
            return steps
        }
    }
}
