package dev.unifiedllm.transport.framing

import java.util.Arrays

/** How the last event of a stream was framed whose data is one line, and not empty: what stood before the data, and which line breaks ended it. */
internal class EventFraming {
    private var prefix = ByteArray(0)
    private var isKnown = false

    var endsWithCr: Boolean = false
        private set

    /** A field has come whose value lasts: an event without it, or with an earlier value, is not framed as the last one. */
    fun forget() {
        isKnown = false
    }

    /**
     * Learns from an event in [bytes].
     *
     * @param start where it begins @param dataStart where its data begins @param dataEnd where that ends @param blank where the line begins that ends the event
     */
    fun learn(bytes: ByteArray, start: Int, dataStart: Int, dataEnd: Int, blank: Int) {
        val isCr = bytes[dataEnd] == CR
        if (dataStart == dataEnd || blank != dataEnd + (if (isCr) 2 else 1) || (isCr && bytes[blank - 1] != LF)) return
        endsWithCr = isCr
        isKnown = true
        if (!Arrays.equals(prefix, 0, prefix.size, bytes, start, dataStart)) prefix = bytes.copyOfRange(start, dataStart)
    }

    /**
     * Where the event ends that begins at [start], if it is framed alike and [value] matches its data; a negative number if not. Behind a CR, an LF may follow.
     * Data that begins with a space is left to the decoder: the space may belong to the field.
     */
    fun end(bytes: ByteArray, start: Int, limit: Int, value: ValueMatcher): Int {
        val prefix = prefix
        val data = start + prefix.size
        if (!isKnown || data >= limit || bytes[data] == SPACE || !Arrays.equals(bytes, start, data, prefix, 0, prefix.size)) return ValueMatcher.NO_MATCH
        val end = value.end(bytes, data, limit)
        val breaks = if (endsWithCr) CR_BREAKS else LF_BREAKS
        if (end < 0 || limit - end < breaks.size || !Arrays.equals(bytes, end, end + breaks.size, breaks, 0, breaks.size)) return ValueMatcher.NO_MATCH
        return end + breaks.size
    }

    private companion object {
        const val LF = '\n'.code.toByte()
        const val CR = '\r'.code.toByte()
        const val SPACE = ' '.code.toByte()
        val LF_BREAKS = "\n\n".encodeToByteArray()
        val CR_BREAKS = "\r\n\r".encodeToByteArray()
    }
}

/** The names of events as strings. Reuses that of the last one, because streams repeat one type. */
internal class EventNames {
    private var known = Frame.MESSAGE
    private var knownBytes = known.encodeToByteArray()

    fun of(bytes: ByteArray, start: Int, end: Int): String {
        if (start == end) return Frame.MESSAGE
        if (!Arrays.equals(bytes, start, end, knownBytes, 0, knownBytes.size)) {
            knownBytes = bytes.copyOfRange(start, end)
            known = utf8(bytes, start, end)
        }
        return known
    }
}
