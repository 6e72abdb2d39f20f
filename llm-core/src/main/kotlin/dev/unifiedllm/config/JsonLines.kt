package dev.unifiedllm.config

/**
 * The lines, counted from 1, on which the keys of a JSON text stand, by their paths. The text must be valid JSON.
 *
 * @property repeated the path of a key that stands twice in one object; null if there is none
 */
internal class JsonLines(private val text: String) {
    private val lines = hashMapOf<List<String>, Int>()
    private var at = 0
    private var line = 1

    var repeated: List<String>? = null
        private set

    init {
        value(emptyList())
    }

    /** The line of the key at [path], or of the nearest one above it that is known. */
    operator fun get(path: List<String>): Int = generateSequence(path) { it.dropLast(1).takeIf { _ -> it.isNotEmpty() } }.firstNotNullOfOrNull(lines::get) ?: 1

    private fun value(path: List<String>) {
        when (peek()) {
            '{' -> items('}') {
                val start = line
                val key = path + string()
                peek() // the colon
                at++
                if (lines.put(key, start) != null) repeated = repeated ?: key
                value(key)
            }
            '[' -> {
                var index = 0
                items(']') {
                    peek()
                    lines[path + "$index"] = line
                    value(path + "${index++}")
                }
            }
            '"' -> string()
            else -> while (at < text.length && text[at] !in ",]}" && !text[at].isWhitespace()) at++
        }
    }

    private inline fun items(close: Char, item: () -> Unit) {
        at++
        while (peek() != close) {
            if (text[at] == ',') at++ else item()
        }
        at++
    }

    /** The next character that is no white space. */
    private fun peek(): Char {
        while (text[at].isWhitespace()) {
            if (text[at] == '\n') line++
            at++
        }
        return text[at]
    }

    /** The text between the quotes, with escapes resolved as far as keys have them. */
    private fun string(): String {
        peek()
        val start = ++at
        while (text[at] != '"') at += if (text[at] == '\\') 2 else 1
        return text.substring(start, at++).let { if ('\\' in it) it.replace(ESCAPE) { found -> found.groupValues[1] } else it }
    }

    private companion object {
        val ESCAPE = Regex("""\\(.)""")
    }
}
