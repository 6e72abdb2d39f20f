package dev.unifiedllm.transport.framing

/**
 * Splits newline-delimited JSON into lines, which end with LF or CRLF. Blank lines are skipped.
 *
 * A line that arrives in one piece is a slice of the array passed to [feed]. The last line needs no line end: [finish] returns it.
 *
 * @param maxLineBytes the most bytes of one line, without its LF
 */
internal class NdjsonDecoder(private val maxLineBytes: Int = 16 shl 20) : FrameDecoder {
    private val frame = Frame()
    private var fed = ByteArray(0)
    private var position = 0
    private var limit = 0
    private val line = ByteBuilder()
    private var lineTaken = false
    private var atStart = true

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

    override fun finish(): Frame? {
        dropTakenLine()
        return if (takeBufferedLine()) frame else null
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
        frame.bytes = bytes
        frame.start = from
        frame.end = to
        return from < to
    }

    private companion object {
        const val LF = '\n'.code.toByte()

        fun isSpace(byte: Byte): Boolean = byte.toInt() == ' '.code || byte.toInt() == '\t'.code || byte.toInt() == '\r'.code
    }
}
