package dev.unifiedllm.transport.framing

/**
 * Tells whether a text that grows is one JSON text. The time is linear in the length of the text, however often it is asked.
 *
 * @param isWhole tells whether a slice is one JSON text
 */
internal class GrowingJson(private val isWhole: (ByteArray, Int, Int) -> Boolean) {
    private var scanned = 0
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /** True if all brackets were closed and the text was no JSON: then it never becomes JSON. */
    private var isBroken = false

    /** Begins with another text. */
    fun reset() {
        scanned = 0
        depth = 0
        isInString = false
        isEscaped = false
        isBroken = false
    }

    /** True if `bytes[0, size)`, which begins with the text of the last call, is whole. It must begin with a bracket. */
    fun isWhole(bytes: ByteArray, size: Int): Boolean {
        if (isBroken) return false
        while (scanned < size) scan(bytes[scanned++].toInt().toChar())
        if (depth > 0 || isInString) return false
        return isWhole.invoke(bytes, 0, size).also { isBroken = !it }
    }

    private fun scan(char: Char) {
        when {
            isEscaped -> isEscaped = false
            char == '"' -> isInString = !isInString
            isInString -> isEscaped = char == '\\'
            char == '{' || char == '[' -> depth++
            char == '}' || char == ']' -> depth--
        }
    }
}
