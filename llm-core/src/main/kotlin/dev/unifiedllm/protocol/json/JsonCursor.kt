package dev.unifiedllm.protocol.json

import dev.unifiedllm.transport.framing.bomLength
import dev.unifiedllm.transport.framing.utf8
import java.math.BigDecimal

/**
 * Reads one JSON text ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259), strictly) from a slice of bytes, value by value. Only the results are allocated.
 *
 * The caller must read or skip each value before it steps to the next member or element. Members come in the order of the text, duplicates included.
 * Malformed UTF-8 in a string becomes U+FFFD; lone surrogates are kept. Values nested deeper than 512 are refused. [members] and [elements] are the usual way
 * to read objects and arrays.
 *
 * @param isStrict false accepts NaN, Infinity and -Infinity, which Python's encoder writes, as numbers without a value
 */
internal class JsonCursor(private val isStrict: Boolean = false) {
    private var bytes = ByteArray(0)
    private var start = 0
    private var end = 0
    private var at = 0
    private var depth = 0

    /** True between the opening bracket and the first member or element. */
    private var opened = false

    // The last scanned token: the content of a string, or a number.
    private var tokenStart = 0
    private var tokenEnd = 0
    private var escaped = false
    private var ascii = true
    private var integer = true
    private var finite = true
    private var nameStart = 0
    private var nameEnd = 0
    private var nameEscaped = false
    private var isKept = false
    val skipped = SkippedValues()

    // the string that was read last, between its quotation marks
    val stringStart: Int get() = tokenStart
    val stringEnd: Int get() = tokenEnd

    fun reset(bytes: ByteArray, start: Int, end: Int): JsonCursor {
        this.bytes = bytes
        this.start = start
        this.end = end
        at = start + bomLength(bytes, start, end)
        depth = 0
        opened = false
        skipped.clear()
        isKept = false
        return this
    }

    /** The kind of the next value, by its first byte. */
    fun kind(): JsonKind = JsonKind.of(peek(), isStrict) ?: fail("expected a value")

    fun beginObject() = open('{')
    fun beginArray() = open('[')

    /** Steps to the next member's value. Returns the index of its name in [names], [JsonNames.OTHER] or [JsonNames.END]. */
    fun next(names: JsonNames): Int = when {
        !nextMember() -> JsonNames.END
        nameEscaped -> names.indexOf(name())
        else -> names.indexOf(bytes, nameStart, nameEnd)
    }

    /** The name of the member that [next] stepped to. Valid until its value is read. */
    fun name(): String = if (nameEscaped) JsonToken.unescape(bytes, nameStart, nameEnd) else utf8(bytes, nameStart, nameEnd)

    /** Steps to the next element; false at the end of the array. */
    fun nextElement(): Boolean = step(']')

    fun string(): String {
        scanString()
        return when {
            escaped -> JsonToken.unescape(bytes, tokenStart, tokenEnd)
            ascii -> String(bytes, tokenStart, tokenEnd - tokenStart, Charsets.ISO_8859_1)
            else -> utf8(bytes, tokenStart, tokenEnd)
        }
    }

    /** The index of a string in [names], without creating the string; [JsonNames.OTHER] for another string or kind. */
    fun stringIndex(names: JsonNames): Int {
        if (!isKind(JsonKind.STRING)) return JsonNames.OTHER
        scanString()
        return if (escaped) names.indexOf(JsonToken.unescape(bytes, tokenStart, tokenEnd)) else names.indexOf(bytes, tokenStart, tokenEnd)
    }

    fun stringOrNull(): String? = if (isKind(JsonKind.STRING)) string() else null

    /** An integer in any notation (1, 1.0, 1e3); null for a fraction, and for a value that does not fit in a Long. */
    fun longOrNull(): Long? {
        if (!isFiniteNumber()) return null
        return if (integer) JsonToken.long(bytes, tokenStart, tokenEnd) else JsonToken.wholeLong(bytes, tokenStart, tokenEnd)
    }

    /** A number; null for one with an exponent beyond 400 or more than 1000 characters. */
    fun decimalOrNull(): BigDecimal? = if (isFiniteNumber()) JsonToken.decimal(bytes, tokenStart, tokenEnd) else null

    /** Steps over the next value. True if it is a number that can be read. */
    private fun isFiniteNumber(): Boolean = isKind(JsonKind.NUMBER).also { if (it) scanNumber() } && finite

    fun booleanOrNull(): Boolean? {
        if (!isKind(JsonKind.BOOLEAN)) return null
        val value = bytes[at].toInt() == 't'.code
        skip()
        return value
    }

    /** Like [beginObject], but skips a value of another kind and returns false. */
    fun enterObject(): Boolean = isKind(JsonKind.OBJECT).also { if (it) beginObject() }

    /** Like [beginArray], but skips a value of another kind and returns false. */
    fun enterArray(): Boolean = isKind(JsonKind.ARRAY).also { if (it) beginArray() }

    /** Steps over a value of any kind and checks its syntax. */
    fun skip() {
        val kind = kind()
        when (kind) {
            JsonKind.STRING -> scanString()
            JsonKind.NUMBER -> scanNumber()
            JsonKind.BOOLEAN -> literal(if (bytes[at].toInt() == 't'.code) JsonToken.TRUE else JsonToken.FALSE)
            JsonKind.NULL -> literal(JsonToken.NULL)
            JsonKind.OBJECT -> {
                beginObject()
                while (nextMember()) skip()
            }
            JsonKind.ARRAY -> {
                beginArray()
                while (nextElement()) skip()
            }
        }
        if (!isKept && (kind == JsonKind.STRING || kind == JsonKind.NUMBER)) skipped.add(tokenStart, tokenEnd, kind == JsonKind.STRING)
    }

    /** The text of the next value, whose syntax is checked. */
    fun raw(): String {
        val from = position()
        isKept = true
        skip()
        isKept = false
        return textFrom(from)
    }

    /** Where the next value begins. */
    fun position(): Int {
        peek()
        return at
    }

    /** The text from a [position] to the end of what has been read since. */
    fun textFrom(position: Int): String = utf8(bytes, position, at)

    /** Checks that only white space is left. */
    fun end() {
        if (peek() != NOTHING) fail("expected the end")
    }

    private fun isKind(kind: JsonKind): Boolean = (kind() == kind).also { if (!it) skip() }

    /** Steps to the first byte that is not white space, and returns it. */
    private fun peek(): Int {
        while (at < end) {
            val byte = bytes[at].toInt()
            if (byte != ' '.code && byte != '\n'.code && byte != '\r'.code && byte != '\t'.code) return byte
            at++
        }
        return NOTHING
    }

    private fun open(bracket: Char) {
        expect(bracket)
        if (++depth > MAX_DEPTH) fail("nested deeper than $MAX_DEPTH")
        opened = true
    }

    /** Steps over the comma, if one is expected; or over the closing [bracket], and returns false. */
    private fun step(bracket: Char): Boolean {
        val byte = peek()
        val first = opened
        opened = false
        if (byte == bracket.code) {
            at++
            depth--
            return false
        }
        if (!first) expect(',')
        return true
    }

    private fun nextMember(): Boolean {
        if (!step('}')) return false
        scanString()
        nameStart = tokenStart
        nameEnd = tokenEnd
        nameEscaped = escaped
        expect(':')
        return true
    }

    private fun expect(char: Char) {
        if (peek() != char.code) fail("expected '$char'")
        at++
    }

    private fun literal(text: ByteArray) {
        for (byte in text) {
            if (at == end || bytes[at] != byte) fail("expected a value")
            at++
        }
    }

    private fun scanString() {
        expect('"')
        val bytes = bytes
        val end = end
        var at = at
        tokenStart = at
        escaped = false
        var all = 0
        while (at < end) {
            val byte = bytes[at++].toInt()
            all = all or byte
            when {
                byte > '\\'.code -> continue
                byte == '"'.code -> {
                    ascii = all >= 0
                    tokenEnd = at - 1
                    this.at = at
                    return
                }
                byte == '\\'.code -> {
                    escaped = true
                    this.at = at
                    scanEscape()
                    at = this.at
                }
                byte in 0..0x1F -> fail("unescaped control character", at - 1)
            }
        }
        fail("unfinished string", end)
    }

    private fun scanEscape() {
        val byte = if (at < end) bytes[at++].toInt() else NOTHING
        if (byte == 'u'.code) {
            repeat(4) {
                if (at == end || Character.digit(bytes[at].toInt(), 16) < 0) fail("expected a hexadecimal digit")
                at++
            }
        } else if (byte == NOTHING) {
            fail("unfinished string")
        } else if (JsonToken.ESCAPES.indexOf(byte.toChar()) < 0) {
            fail("unknown escape", at - 1)
        }
    }

    private fun scanNumber() {
        peek()
        tokenStart = at
        integer = true
        finite = true
        if (at < end && bytes[at].toInt() == '-'.code) at++
        if (!isStrict && at < end && bytes[at] >= 'I'.code) {
            literal(if (bytes[at].toInt() == 'N'.code) JsonToken.NAN else JsonToken.INFINITY)
            finite = false
            tokenEnd = at
            return
        }
        if (at < end && bytes[at].toInt() == '0'.code) at++ else scanDigits()
        if (at < end && bytes[at].toInt() == '.'.code) {
            integer = false
            at++
            scanDigits()
        }
        if (at < end && (bytes[at].toInt() or 0x20) == 'e'.code) {
            integer = false
            at++
            if (at < end && (bytes[at].toInt() == '+'.code || bytes[at].toInt() == '-'.code)) at++
            scanDigits()
        }
        tokenEnd = at
    }

    private fun scanDigits() {
        val first = at
        while (at < end && bytes[at] in ZERO..NINE) at++
        if (at == first) fail("expected a digit")
    }

    private fun fail(message: String, offset: Int = at): Nothing = throw JsonSyntaxException(message, offset - start, isCut = offset == end)

    private companion object {
        const val NOTHING = 256
        const val MAX_DEPTH = 512
        const val ZERO = '0'.code.toByte()
        const val NINE = '9'.code.toByte()
    }
}
