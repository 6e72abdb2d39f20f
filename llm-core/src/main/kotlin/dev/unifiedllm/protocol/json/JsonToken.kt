package dev.unifiedllm.protocol.json

import dev.unifiedllm.transport.framing.utf8
import java.math.BigDecimal

/** Converts tokens that [JsonCursor] has scanned, and that are therefore well-formed, to values. */
internal object JsonToken {
    /** The letters that may follow a backslash, except u. */
    const val ESCAPES: String = "\"\\/bfnrt"
    val TRUE: ByteArray = "true".encodeToByteArray()
    val FALSE: ByteArray = "false".encodeToByteArray()
    val NULL: ByteArray = "null".encodeToByteArray()
    val NAN: ByteArray = "NaN".encodeToByteArray()
    val INFINITY: ByteArray = "Infinity".encodeToByteArray()
    private const val ESCAPED = "\"\\/\b\u000c\n\r\t"
    private const val LONG_DIGITS = 18
    private const val MAX_NUMBER_LENGTH = 1000
    private const val MAX_EXPONENT = 400
    private val EXPONENT_MARKS = charArrayOf('e', 'E')

    fun unescape(bytes: ByteArray, start: Int, end: Int): String {
        val text = StringBuilder(end - start)
        var plain = start
        var at = start
        while (at < end) {
            if (bytes[at].toInt() != '\\'.code) {
                at++
                continue
            }
            appendPlain(text, bytes, plain, at)
            val letter = bytes[at + 1].toInt().toChar()
            at += 2
            if (letter == 'u') {
                var unit = 0
                repeat(4) { unit = unit * 16 + Character.digit(bytes[at++].toInt(), 16) }
                text.append(unit.toChar())
            } else {
                text.append(ESCAPED[ESCAPES.indexOf(letter)])
            }
            plain = at
        }
        appendPlain(text, bytes, plain, end)
        return text.toString()
    }

    private fun appendPlain(text: StringBuilder, bytes: ByteArray, start: Int, end: Int) {
        if (end > start) text.append(utf8(bytes, start, end))
    }

    /** The value of an optional minus and digits; null if it does not fit in a Long. */
    fun long(bytes: ByteArray, start: Int, end: Int): Long? {
        if (end - start > LONG_DIGITS) return String(bytes, start, end - start, Charsets.ISO_8859_1).toLongOrNull()
        val negative = bytes[start].toInt() == '-'.code
        var value = 0L
        for (at in (if (negative) start + 1 else start) until end) value = value * 10 + (bytes[at] - '0'.code)
        return if (negative) -value else value
    }

    /** The value of a number with a fraction or an exponent; null if it is not an integer or does not fit in a Long. */
    fun wholeLong(bytes: ByteArray, start: Int, end: Int): Long? = try {
        decimal(bytes, start, end)?.longValueExact()
    } catch (_: ArithmeticException) {
        null
    }

    /** Null for numbers that are too long: BigDecimal takes quadratic time for many digits, and arithmetic with a large exponent does as well. */
    fun decimal(bytes: ByteArray, start: Int, end: Int): BigDecimal? {
        if (end - start > MAX_NUMBER_LENGTH) return null
        val text = String(bytes, start, end - start, Charsets.ISO_8859_1)
        val mark = text.indexOfAny(EXPONENT_MARKS)
        val exponent = if (mark < 0) 0 else text.substring(mark + 1).toIntOrNull() ?: return null
        return if (exponent in -MAX_EXPONENT..MAX_EXPONENT) BigDecimal(text) else null
    }
}
