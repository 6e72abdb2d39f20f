package dev.unifiedllm.schema

/** Reads the structure of JSON text of which the end is missing, or is not known. Each function takes time in proportion to the length of the text. */
internal object JsonPrefix {
    /** Deeper JSON is not read: the decoders are recursive, and would overflow the stack. */
    const val MAX_DEPTH: Int = 500

    /** The end of the object or array that begins at [start], exclusive; -1 if it is not closed, or deeper than [MAX_DEPTH]. */
    fun endOf(text: String, start: Int): Int {
        val scan = JsonScan(text, start)
        while (scan.step()) if (scan.isClosed) return scan.position
        return -1
    }

    /** Where the first object or array of [text] begins, from [from] on; -1 if there is none. */
    fun startIn(text: String, from: Int = 0): Int = text.indexOfAny(BRACKETS, from)

    /**
     * [prefix] as complete JSON: open strings, arrays and objects are closed, and what cannot be known yet is left out, such as a name without a value or
     * the end of a number. What stands before its first object or array, and after it, is left out, too. Null if it has none, or one that is too deep.
     */
    fun complete(prefix: String): String? {
        val start = startIn(prefix)
        return if (start < 0) null else complete(prefix, start)
    }

    /** [complete] for the object or array that begins at [start]. */
    fun complete(prefix: String, start: Int): String? {
        val scan = JsonScan(prefix, start)
        while (scan.step()) if (scan.isClosed) return prefix.substring(start, scan.position)
        return scan.closed()
    }

    /** True if [text] is nested deeper than [MAX_DEPTH]. */
    fun isDeep(text: String): Boolean {
        var depth = 0
        var isString = false
        var isEscaped = false
        for (char in text) {
            when {
                isEscaped -> isEscaped = false
                isString && char == '\\' -> isEscaped = true
                char == '"' -> isString = !isString
                isString -> Unit
                char == '{' || char == '[' -> if (++depth > MAX_DEPTH) return true
                char == '}' || char == ']' -> depth--
            }
        }
        return false
    }

    private val BRACKETS = charArrayOf('{', '[')
}

/** One pass over the object or array that begins at [start] of [text]. */
private class JsonScan(private val text: String, private val start: Int) {
    var position = start
        private set

    /** The closing brackets that are still to come, the outermost first. */
    private val open = StringBuilder()
    private val string = StringScan()
    private var isString = false
    private var isValue = false
    private var isAfterColon = false
    private var hasLiteral = false

    /** The end of the last complete value or of a bracket. No bracket follows it, so that what is open now was open there. */
    private var safeEnd = start

    val isClosed: Boolean get() = open.isEmpty() && position > start

    private val isTooDeep: Boolean get() = open.length > JsonPrefix.MAX_DEPTH

    fun step(): Boolean {
        if (position >= text.length || isTooDeep) return false
        val char = text[position++]
        when {
            isString -> if (string.ends(char, position)) endString()
            char == '"' -> beginString()
            char == '{' || char == '[' -> open(if (char == '{') '}' else ']')
            char == '}' || char == ']' -> close()
            char == ':' -> isAfterColon = true
            char == ',' -> endLiteral()
            !char.isWhitespace() -> hasLiteral = true
        }
        return true
    }

    private fun beginString() {
        isString = true
        isValue = open.endsWith(']') || isAfterColon
        isAfterColon = false
        string.begin(position)
    }

    private fun endString() {
        isString = false
        if (isValue) safeEnd = position
    }

    private fun open(end: Char) {
        open.append(end)
        isAfterColon = false
        safeEnd = position
    }

    private fun close() {
        endLiteral()
        open.setLength(open.length - 1)
        safeEnd = position
    }

    /** A number or literal is complete once something follows it. */
    private fun endLiteral() {
        if (hasLiteral && (isAfterColon || open.endsWith(']'))) safeEnd = position - 1
        hasLiteral = false
        isAfterColon = false
    }

    fun closed(): String? = when {
        isTooDeep || safeEnd <= start -> null
        isString && isValue -> text.substring(start, string.safeEnd) + '"' + open.reversed()
        else -> text.substring(start, safeEnd) + open.reversed()
    }
}

/** Reads the characters of one JSON string. */
private class StringScan {
    /** Up to here no escape sequence and no pair of surrogates is cut. */
    var safeEnd = 0
        private set
    private var state = State.PLAIN
    private var digits = 0
    private var unit = 0

    private enum class State { PLAIN, ESCAPE, UNICODE }

    fun begin(position: Int) {
        safeEnd = position
        state = State.PLAIN
    }

    /** Reads [char], after which the text goes on at [position]. True if it ends the string. */
    fun ends(char: Char, position: Int): Boolean {
        when (state) {
            State.PLAIN -> when (char) {
                '"' -> return true
                '\\' -> state = State.ESCAPE
                else -> read(char, position)
            }
            State.ESCAPE -> if (char == 'u') {
                state = State.UNICODE
                digits = 0
                unit = 0
            } else {
                read(char, position)
            }
            State.UNICODE -> {
                unit = unit * HEX + Character.digit(char, HEX).coerceAtLeast(0)
                if (++digits == UNICODE_DIGITS) read(unit.toChar(), position)
            }
        }
        return false
    }

    /** A high surrogate waits for its low one. */
    private fun read(char: Char, position: Int) {
        state = State.PLAIN
        if (!char.isHighSurrogate()) safeEnd = position
    }

    private companion object {
        const val HEX = 16
        const val UNICODE_DIGITS = 4
    }
}
