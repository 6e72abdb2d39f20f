package dev.unifiedllm.transport.framing

import java.util.Arrays

/**
 * Splits newline-delimited JSON into lines, which end with LF or CRLF. Blank lines are skipped.
 *
 * A line that arrives in one piece is a slice of the array passed to [feed]. The last line needs no line end: [finish] returns it.
 *
 * @param maxLineBytes the most bytes of one line, without its LF
 * @param isWholeJson tells whether a slice is one JSON text. Null: each line is a frame. Else JSON may take several lines, as a server writes a whole
 * response that is indented; and a line may begin with `data:`.
 */
internal class NdjsonDecoder(
    private val maxLineBytes: Int = 64 shl 20,
    private val isWholeJson: ((ByteArray, Int, Int) -> Boolean)? = null,
) : FrameDecoder {
    private val frame = Frame()
    private var fed = ByteArray(0)
    private var position = 0
    private var limit = 0
    private val line = ByteBuilder()
    private var lineTaken = false
    private var atStart = true

    /** JSON that takes several lines. */
    private val document = ByteBuilder()
    private val json = isWholeJson?.let(::GrowingJson)
    private var isOpen = false

    override fun feed(bytes: ByteArray, start: Int, end: Int) {
        check(position == limit) { "feed before next() returned null" }
        fed = bytes
        position = start
        limit = end
    }

    override fun next(): Frame? {
        dropTakenLine()
        while (position < limit) {
            val start = position
            val end = lineEnd(start)
            if (line.size.toLong() + (end - start) > maxLineBytes) {
                throw FramingException("a line is longer than the limit of $maxLineBytes bytes (maxLineBytes)")
            }
            if (end == limit) {
                line.append(fed, start, end)
                position = end
                break
            }
            position = end + 1
            if (line.size == 0) {
                if (takeLine(fed, start, end)) return frame
            } else {
                line.append(fed, start, end)
                if (takeBufferedLine()) return frame
            }
        }
        return null
    }

    override fun nextMatching(value: ValueMatcher): Boolean {
        if (line.size > 0 || isOpen || atStart) return false
        val bytes = fed
        var end = value.end(bytes, position, limit)
        if (end < 0) return false
        if (end < limit && bytes[end] == CR) end++
        if (end >= limit || bytes[end] != LF || end - position > maxLineBytes) return false
        position = end + 1
        return true
    }

    override fun finish(): Frame? {
        dropTakenLine()
        if (takeBufferedLine()) return frame
        if (!isOpen) return null
        isOpen = false
        point(document.bytes, 0, document.size)
        return frame
    }

    private fun lineEnd(start: Int): Int {
        val bytes = fed
        val limit = limit
        var at = start
        while (at < limit && bytes[at] != LF) at++
        return at
    }

    private fun takeBufferedLine(): Boolean {
        val found = takeLine(line.bytes, 0, line.size)
        if (found) lineTaken = true else line.clear()
        return found
    }

    /** Clears [line] after the frame that points into it has been read. */
    private fun dropTakenLine() {
        if (lineTaken) line.clear()
        lineTaken = false
    }

    private fun takeLine(bytes: ByteArray, start: Int, end: Int): Boolean {
        var from = start
        if (atStart) from += bomLength(bytes, start, end)
        atStart = false
        var to = end
        while (to > from && isSpace(bytes[to - 1])) to--
        while (from < to && isSpace(bytes[from])) from++
        if (isWholeJson != null) {
            if (isOpen) return from < to && addToDocument(bytes, start, to)
            from = withoutField(bytes, from, to)
        }
        point(bytes, from, to)
        if (from == to) return false
        if (isWholeJson == null || isClosed(bytes[to - 1]) || !frame.isJson()) return true
        isOpen = true
        document.clear()
        json?.reset()
        document.append(bytes, from, to)
        return false
    }

    /** Adds a line to [document]; true if that is whole. */
    private fun addToDocument(bytes: ByteArray, start: Int, end: Int): Boolean {
        if (document.size + 1L + (end - start) > maxLineBytes) throw FramingException("JSON is longer than the limit of $maxLineBytes bytes (maxLineBytes)")
        document.append(LF)
        document.append(bytes, start, end)
        if (!isClosed(bytes[end - 1]) || !json!!.isWhole(document.bytes, document.size)) return false
        isOpen = false
        point(document.bytes, 0, document.size)
        return true
    }

    private fun point(bytes: ByteArray, start: Int, end: Int) {
        frame.bytes = bytes
        frame.start = start
        frame.end = end
    }

    /** Where the line begins behind a `data:`, which some gateways write also here. */
    private fun withoutField(bytes: ByteArray, start: Int, end: Int): Int {
        if (end - start < DATA.size || bytes[start] != DATA[0] || !Arrays.equals(bytes, start, start + DATA.size, DATA, 0, DATA.size)) return start
        var from = start + DATA.size
        while (from < end && isSpace(bytes[from])) from++
        return from
    }

    private companion object {
        const val LF = '\n'.code.toByte()
        const val CR = '\r'.code.toByte()
        val DATA = "data:".encodeToByteArray()

        fun isClosed(byte: Byte): Boolean = byte.toInt() == '}'.code || byte.toInt() == ']'.code

        fun isSpace(byte: Byte): Boolean = byte.toInt() == ' '.code || byte.toInt() == '\t'.code || byte.toInt() == '\r'.code
    }
}
