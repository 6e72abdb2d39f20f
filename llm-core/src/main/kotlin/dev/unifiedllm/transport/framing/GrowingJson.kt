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

    /**
     * True if the line `bytes[start, end)` cannot belong to [data]: JSON after whole JSON, or JSON after words.
     *
     * @param mayBeWords true if words may come before JSON
     */
    fun isBeforeAnother(data: ByteBuilder, bytes: ByteArray, start: Int, end: Int, mayBeWords: Boolean): Boolean {
        var first = start
        while (first < end && bytes[first] <= SPACE) first++
        if (first == end) return false
        if (!Frame.isJson(data.bytes, 0, data.size)) return bytes[first].toInt() == '{'.code && mayBeWords
        var last = data.size - 1
        while (last > 0 && data.bytes[last] <= SPACE) last--
        val isClosed = data.bytes[last].toInt() == '}'.code || data.bytes[last].toInt() == ']'.code
        return isClosed && bytes[first].toInt().toChar() !in CONTINUING && isWhole(data.bytes, data.size)
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

    private companion object {
        const val SPACE = ' '.code

        /** What JSON cannot begin with, but go on with. */
        const val CONTINUING = "}],:"
    }
}
