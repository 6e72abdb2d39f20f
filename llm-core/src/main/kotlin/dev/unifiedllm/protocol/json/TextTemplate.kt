package dev.unifiedllm.protocol.json

import dev.unifiedllm.transport.framing.ValueMatcher
import dev.unifiedllm.transport.framing.utf8
import java.util.Arrays

/**
 * A JSON text of which one string is the text of a delta. It reads further JSON texts that equal it but for that string and for values that the decoder
 * skips, such as times and ids: most frames of a stream are so, and comparing bytes takes a fraction of the time of reading JSON. Anything else is left to
 * the decoder, also what may be malformed, and a text in several lines.
 *
 * A skipped value is compared like all other bytes until one text differs there.
 */
internal class TextTemplate : ValueMatcher {
    private var bytes = ByteArray(0)
    private var size = 0

    // the places of the values that may differ, in order
    private val starts = IntArray(MOST_SLOTS)
    private val ends = IntArray(MOST_SLOTS)
    private val kinds = IntArray(MOST_SLOTS)
    private val mayDiffer = BooleanArray(MOST_SLOTS)
    private var slots = 0

    // the text that was read last
    private var source = bytes
    private var textStart = 0
    private var textEnd = 0
    private var isEscaped = false
    private var isAscii = true

    /** False until [learn] has been called, and after [clear]. */
    val isReady: Boolean get() = size > 0

    fun clear() {
        size = 0
    }

    /** Takes the text that [json] has read from `frame[start, end)`, whose delta is its string in `[from, to)`. */
    fun learn(json: JsonCursor, frame: ByteArray, start: Int, end: Int, from: Int, to: Int) {
        clear()
        for (at in start until end) if (frame[at] <= LAST_BREAK && frame[at] in BREAKS) return // no value of one line
        size = end - start
        if (bytes.size < size) bytes = ByteArray(size + size / 2)
        System.arraycopy(frame, start, bytes, 0, size)
        slots = 0
        val skipped = json.skipped
        var isTextIn = false
        for (index in 0 until skipped.count) {
            if (!isTextIn && skipped.start(index) >= to) {
                add(from - start, to - start, TEXT)
                isTextIn = true
            }
            add(skipped.start(index) - start, skipped.end(index) - start, if (skipped.isString(index)) STRING else NUMBER)
        }
        if (!isTextIn) add(from - start, to - start, TEXT)
    }

    private fun add(start: Int, end: Int, kind: Int) {
        if (slots == MOST_SLOTS - 1 && kind != TEXT) return // room for the text
        starts[slots] = start
        ends[slots] = end
        kinds[slots] = kind
        mayDiffer[slots++] = kind == TEXT
    }

    override fun end(bytes: ByteArray, start: Int, limit: Int): Int {
        var at = start
        var from = 0
        for (slot in 0..slots) {
            if (slot < slots && !mayDiffer[slot]) continue
            val length = (if (slot < slots) starts[slot] else size) - from
            if (limit - at < length) return ValueMatcher.NO_MATCH
            if (!Arrays.equals(bytes, at, at + length, this.bytes, from, from + length)) {
                val place = from + Arrays.mismatch(this.bytes, from, from + length, bytes, at, at + length)
                return if (letDiffer(place)) end(bytes, start, limit) else ValueMatcher.NO_MATCH
            }
            at += length
            if (slot == slots) break
            at = when (kinds[slot]) {
                TEXT -> text(bytes, at, limit)
                STRING -> string(bytes, at, limit)
                else -> digits(bytes, at, limit)
            }
            if (at < 0) return ValueMatcher.NO_MATCH
            from = ends[slot]
        }
        return at
    }

    /** From now on the skipped value at [place] may differ. False if there is none, or if it may already. */
    private fun letDiffer(place: Int): Boolean {
        for (slot in 0 until slots) {
            if (place < starts[slot] || place > ends[slot] || mayDiffer[slot]) continue
            mayDiffer[slot] = true
            return true
        }
        return false
    }

    private fun text(bytes: ByteArray, start: Int, limit: Int): Int {
        var at = start
        var all = 0
        isEscaped = false
        while (at < limit) {
            val byte = bytes[at].toInt()
            all = all or byte
            if (byte > BACKSLASH) {
                at++
            } else if (byte == QUOTE) {
                if (at == start) return ValueMatcher.NO_MATCH // an empty text is no delta
                source = bytes
                textStart = start
                textEnd = at
                isAscii = all >= 0
                return at
            } else if (byte == BACKSLASH) {
                if (at + 1 == limit || JsonToken.ESCAPES.indexOf(bytes[at + 1].toInt().toChar()) < 0) return ValueMatcher.NO_MATCH
                isEscaped = true
                at += 2
            } else if (byte in 0..LAST_CONTROL) {
                return ValueMatcher.NO_MATCH
            } else {
                at++
            }
        }
        return ValueMatcher.NO_MATCH
    }

    private fun string(bytes: ByteArray, start: Int, limit: Int): Int {
        var at = start
        while (at < limit) {
            val byte = bytes[at].toInt()
            if (byte == QUOTE) return at
            if (byte == BACKSLASH || byte in 0..LAST_CONTROL) return ValueMatcher.NO_MATCH
            at++
        }
        return ValueMatcher.NO_MATCH
    }

    private fun digits(bytes: ByteArray, start: Int, limit: Int): Int {
        var at = start
        while (at < limit && bytes[at] in ZERO..NINE) at++
        val isNumber = at > start && (bytes[start] != ZERO || at == start + 1)
        return if (isNumber) at else ValueMatcher.NO_MATCH
    }

    /** The text that [end] has read last; valid until the bytes that it was given change. */
    fun text(): String = when {
        isEscaped -> JsonToken.unescape(source, textStart, textEnd)
        isAscii -> String(source, textStart, textEnd - textStart, Charsets.ISO_8859_1)
        else -> utf8(source, textStart, textEnd)
    }

    private companion object {
        const val MOST_SLOTS = 32
        const val TEXT = 0
        const val STRING = 1
        const val NUMBER = 2
        const val QUOTE = '"'.code
        const val BACKSLASH = '\\'.code
        const val LAST_CONTROL = 0x1F
        const val LAST_BREAK = '\r'.code
        val BREAKS = '\n'.code.toByte()..'\r'.code.toByte()
        const val ZERO = '0'.code.toByte()
        const val NINE = '9'.code.toByte()
    }
}

/** The places of the strings and numbers that a [JsonCursor] has skipped, in order. Of many, the first ones. */
internal class SkippedValues {
    private val starts = IntArray(MOST)
    private val ends = IntArray(MOST)
    private val strings = BooleanArray(MOST)

    var count: Int = 0
        private set

    fun start(index: Int): Int = starts[index]

    fun end(index: Int): Int = ends[index]

    fun isString(index: Int): Boolean = strings[index]

    fun clear() {
        count = 0
    }

    /** @param start of the value; behind its quotation mark if [isString] */
    fun add(start: Int, end: Int, isString: Boolean) {
        if (count == MOST) return
        starts[count] = start
        ends[count] = end
        strings[count++] = isString
    }

    private companion object {
        const val MOST = 31
    }
}
