package dev.unifiedllm.jupyter

/**
 * A call in the code of a cell.
 *
 * @property function as in `chat`
 * @property arguments the texts between the parentheses, in order
 * @property models of a comparison: its arguments; null for one that is not a text
 * @property texts all texts of the call, with those in its block, without the models
 * @property isTemplate true if one of them has values in it
 * @property firstIsText true if the first argument is a text without values in it
 * @property isInBlock true if the call is between braces: of a loop, a function or a condition
 * @property maxTokens as set in its block; null if it is not, or not as a number
 */
internal class CodeCall(
    val function: String,
    val arguments: List<String>,
    val models: List<String?>,
    val texts: List<String>,
    val isTemplate: Boolean,
    val firstIsText: Boolean,
    val isInBlock: Boolean,
    val maxTokens: Int?,
)

/**
 * Finds the calls of models in the code of a cell, without running it. It knows texts, comments and brackets, and nothing else of Kotlin.
 *
 * @param constants values that are texts in this cell or an earlier one, by their names
 */
internal class CallReader(private val code: String, private val constants: Map<String, String> = emptyMap()) {
    private var index = 0

    private class Text(val value: String, val isTemplate: Boolean)

    fun calls(): List<CodeCall> = buildList {
        var depth = 0
        var before = ' '
        while (index < code.length) {
            val char = code[index]
            when {
                skipped() -> Unit
                char.isLetter() -> {
                    val name = word()
                    if (name in (if (before == '.') OF_CLIENTS else FUNCTIONS) && code.getOrNull(spaces(index)) == '(') add(call(name, depth > 0))
                }
                else -> {
                    if (char == '{') {
                        depth++
                    } else if (char == '}') {
                        depth--
                    }
                    index++
                }
            }
            if (!char.isWhitespace()) before = char
        }
    }

    private fun call(function: String, isInBlock: Boolean): CodeCall {
        index = spaces(index)
        val from = index + 1
        val named = constants[identifier(spaces(from))]?.let { Text(it, false) }
        val arguments = listOfNotNull(named) + bracket()
        val models = if (function == "compare") CallReader(argumentsFrom(from), constants).values() else emptyList()
        val firstIsText = named != null || (code.getOrNull(spaces(from)) == '"' && arguments.firstOrNull()?.isTemplate == false)
        val blockFrom = spaces(index).coerceAtMost(code.length)
        val block = if (code.getOrNull(blockFrom) == '{') {
            index = blockFrom
            bracket()
        } else {
            emptyList()
        }
        val texts = (if (function == "compare") emptyList() else arguments.drop(if (firstIsText) 1 else 0)) + block
        val maxTokens = MAX_TOKENS.find(code.substring(blockFrom, index.coerceIn(blockFrom, code.length)))?.groupValues?.get(1)?.replace("_", "")?.toIntOrNull()
        return CodeCall(function, arguments.map { it.value }, models, texts.map { it.value }, texts.any { it.isTemplate }, firstIsText, isInBlock, maxTokens)
    }

    /** The code of the arguments from [from] to the bracket that was read last, which may not be closed. */
    private fun argumentsFrom(from: Int): String {
        val read = code.substring(from.coerceAtMost(code.length), index.coerceIn(from.coerceAtMost(code.length), code.length))
        return read.removeSuffix(")")
    }

    /** The values of the arguments that this code is; null for one that is not a text. */
    private fun values(): List<String?> = buildList {
        var depth = 0
        var from = 0
        fun argument() = code.substring(from.coerceAtMost(code.length), index.coerceAtMost(code.length)).trim().let { if (it.isNotEmpty()) add(valueOf(it)) }
        while (index < code.length) {
            if (skipped()) continue
            val char = code[index]
            if (char in "({[") depth++
            if (char in ")}]") depth--
            if (char == ',' && depth == 0) {
                argument()
                from = index + 1
            }
            index++
        }
        argument()
    }

    private fun valueOf(argument: String): String? = constants[argument] ?: LITERAL.matchEntire(argument)?.groupValues?.get(1)

    /** The texts in the bracket that begins here; the index is behind its end then. */
    private fun bracket(): List<Text> = buildList {
        var depth = 0
        while (index < code.length) {
            val char = code[index]
            if (char == '"') {
                add(text())
                continue
            }
            if (skipped()) continue
            index++
            if (char in "({[") depth++
            if (char in ")}]" && --depth == 0) return@buildList
        }
    }

    /** Skips a text, a character or a comment that begins here. */
    private fun skipped(): Boolean {
        when {
            code[index] == '"' -> text()
            code[index] == '\'' -> index = if (code.getOrNull(index + 1) == '\\') index + 4 else index + 3
            code.startsWith("//", index) -> index = end("\n")
            code.startsWith("/*", index) -> index = end("*/")
            else -> return false
        }
        return true
    }

    private fun text(): Text {
        val mark = if (code.startsWith(RAW, index)) RAW else "\""
        val from = index + mark.length
        index = from
        while (index < code.length && !code.startsWith(mark, index)) {
            if (mark == RAW || code[index] != '\\') index++ else index += 2
        }
        val value = code.substring(from.coerceAtMost(code.length), index.coerceAtMost(code.length))
        index += mark.length
        return Text(value, TEMPLATE.containsMatchIn(value))
    }

    private fun word(): String {
        val from = index
        while (index < code.length && (code[index].isLetterOrDigit() || code[index] == '_')) index++
        return code.substring(from, index)
    }

    private fun identifier(from: Int) = code.substring(from.coerceAtMost(code.length)).takeWhile { it.isLetterOrDigit() || it == '_' }

    private fun spaces(from: Int): Int {
        var at = from
        while (at < code.length && code[at].isWhitespace()) at++
        return at
    }

    private fun end(mark: String): Int = code.indexOf(mark, index + mark.length).let { if (it < 0) code.length else it + mark.length }

    companion object {
        /** The values in [code] that are texts, as in `val model = "groq/llama-3.1-8b-instant"`. */
        fun constants(code: String): Map<String, String> = CONSTANT.findAll(code).associate { it.groupValues[1] to it.groupValues[2] }

        private val CONSTANT = Regex("(?m)^\\s*(?:const )?va[lr] (\\w+)(?:\\s*:\\s*String)?\\s*=\\s*\"([^\"\$\\\\]+)\"\\s*$")
        private val FUNCTIONS = setOf("chat", "compare", "conversation", "chatWidget", "embed", "image")

        /** Also called as `llm.chat(…)`. */
        private val OF_CLIENTS = setOf("chat", "compare")
        private val LITERAL = Regex("\"([^\"\$\\\\]+)\"")
        private const val RAW = "\"\"\""
        private val TEMPLATE = Regex("\\$(\\{|[A-Za-z_])")
        private val MAX_TOKENS = Regex("maxTokens\\s*=\\s*(\\d[\\d_]*)")
    }
}
