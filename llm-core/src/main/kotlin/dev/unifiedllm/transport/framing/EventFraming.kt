package dev.unifiedllm.transport.framing

import java.util.Arrays

/** How the last event of a stream was framed whose data is one line: what stood before the data, and which line breaks ended it. */
internal class EventFraming {
    private var prefix: ByteArray? = null

    var endsWithCr: Boolean = false
        private set

    /**
     * Learns from an event in [bytes].
     *
     * @param start where it begins @param dataStart where its data begins @param dataEnd where that ends @param blank where the line begins that ends the event
     */
    fun learn(bytes: ByteArray, start: Int, dataStart: Int, dataEnd: Int, blank: Int) {
        val isCr = bytes[dataEnd] == CR
        if (blank != dataEnd + (if (isCr) 2 else 1) || (isCr && bytes[blank - 1] != LF)) return
        endsWithCr = isCr
        val known = prefix
        if (known == null || !Arrays.equals(known, 0, known.size, bytes, start, dataStart)) prefix = bytes.copyOfRange(start, dataStart)
    }

    /** Where the event ends that begins at [start], if it is framed alike and [value] matches its data; a negative number if not. Behind a CR, an LF may follow. */
    fun end(bytes: ByteArray, start: Int, limit: Int, value: ValueMatcher): Int {
        val prefix = prefix ?: return ValueMatcher.NO_MATCH
        if (limit - start < prefix.size || !Arrays.equals(bytes, start, start + prefix.size, prefix, 0, prefix.size)) return ValueMatcher.NO_MATCH
        val end = value.end(bytes, start + prefix.size, limit)
        val breaks = if (endsWithCr) CR_BREAKS else LF_BREAKS
        if (end < 0 || limit - end < breaks.size || !Arrays.equals(bytes, end, end + breaks.size, breaks, 0, breaks.size)) return ValueMatcher.NO_MATCH
        return end + breaks.size
    }

    private companion object {
        const val LF = '\n'.code.toByte()
        const val CR = '\r'.code.toByte()
        val LF_BREAKS = "\n\n".encodeToByteArray()
        val CR_BREAKS = "\r\n\r".encodeToByteArray()
    }
}
