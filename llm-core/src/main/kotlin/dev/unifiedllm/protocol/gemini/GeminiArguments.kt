package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/**
 * Builds the arguments of a tool call from `partialArgs`: single values, each with its JSON path, such as `$.city`, `$.days[0].high` or
 * `$['odd name']`. Strings with the same path are joined. A value whose path cannot be read is left out.
 */
internal class GeminiArguments(private val target: Target) {
    private val root = mutableMapOf<Any, Any>()

    /** @param values the JSON text of `partialArgs`, an array */
    fun read(values: String) {
        val bytes = values.encodeToByteArray()
        val json = JsonCursor().reset(bytes, 0, bytes.size)
        json.elements { readValue(json) }
    }

    private fun readValue(json: JsonCursor) {
        var path: List<Any>? = null
        var value: JsonElement? = null
        json.members(PartialArgument) { member ->
            when (member) {
                PartialArgument.JSON_PATH -> path = json.stringOrNull()?.let(::path)
                PartialArgument.STRING_VALUE -> value = json.stringOrNull()?.let(::JsonPrimitive)
                PartialArgument.NUMBER_VALUE -> value = json.decimalOrNull()?.let(::JsonPrimitive)
                PartialArgument.BOOL_VALUE -> value = json.booleanOrNull()?.let(::JsonPrimitive)
                PartialArgument.NULL_VALUE -> {
                    json.skip()
                    value = JsonNull
                }
            }
        }
        if (path.isNullOrEmpty() || value == null) return
        if (path.size > MAX_DEPTH) throw malformed(target, "the arguments of a tool call are nested deeper than $MAX_DEPTH")
        val node = path.dropLast(1).fold(root, ::child)
        if (value is JsonPrimitive && value.isString) {
            ((node[path.last()] as? StringBuilder) ?: StringBuilder().also { node[path.last()] = it }).append(value.content)
        } else {
            node[path.last()] = value
        }
    }

    @Suppress("UNCHECKED_CAST") // every map in the tree is created here
    private fun child(parent: MutableMap<Any, Any>, step: Any): MutableMap<Any, Any> =
        parent[step] as? MutableMap<Any, Any> ?: mutableMapOf<Any, Any>().also { parent[step] = it }

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

    private object PartialArgument : JsonNames("jsonPath", "stringValue", "numberValue", "boolValue", "nullValue") {
        const val JSON_PATH = 0
        const val STRING_VALUE = 1
        const val NUMBER_VALUE = 2
        const val BOOL_VALUE = 3
        const val NULL_VALUE = 4
    }

    private companion object {
        const val MAX_DEPTH = 512

        /** One step of a path: `.name`, `[3]`, `['name']` or `["name"]`. Possessive: a greedy loop overflows the stack at a long name. */
        val STEP = Regex("""\.([^.\[\]]+)|\[(\d{1,6})]|\['((?:[^'\\]|\\.)*+)']|\["((?:[^"\\]|\\.)*+)"]""")
        val ESCAPE = Regex("""\\(.)""")

        /** The steps of the path [text]: a String for a name, an Int for an index. Null if [text] is not a path. */
        fun path(text: String): List<Any>? {
            val steps = mutableListOf<Any>()
            var at = if (text.startsWith("$")) 1 else return null
            while (at < text.length) {
                val match = STEP.matchAt(text, at) ?: return null
                val (name, index, quoted, doublyQuoted) = match.destructured
                steps += if (index.isNotEmpty()) index.toInt() else name.ifEmpty { ESCAPE.replace(quoted + doublyQuoted, "$1") }
                at = match.range.last + 1
            }
            return steps
        }
    }
}
