package dev.unifiedllm.transport.framing

import java.util.Arrays

/**
 * Splits a `text/event-stream` into its events, by the
 * [WHATWG rules](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation), read 2026-11-21.
 *
 * The bytes of a frame are the data of the event: a slice of the array passed to [feed] if the data is one line that arrived in one piece, else of the
 * decoder's buffer. An event without data is not a frame.
 *
 * @param maxEventBytes the most bytes of one line, and of the data of one event
 * @param takesBareErrors true also makes a frame of JSON without a field name, if it lasts to the end of the body and has an "error": some servers,
 * Google's among them, end a failed stream in this way
 */
internal class SseDecoder(private val maxEventBytes: Int = 64 shl 20, private val takesBareErrors: Boolean = false) : FrameDecoder {
    /** The id of the last complete event, with or without data; empty if there was none. */
    var lastEventId: String = ""
        private set

    /** The last reconnection time that the server sent, in milliseconds; null if it sent none. */
    var retryMillis: Long? = null
        private set

    /** True if the body ended inside of an event, which is a sign of a cut answer. */
    var discardedTail: Boolean = false
        private set

    private val frame = Frame()
    private var fed = ByteArray(0)
    private var position = 0
    private var limit = 0

    private val line = ByteBuilder()
    private var atStart = true
    private var afterCr = false

    /** The data of the event so far: none, the slice of [fed] in [frame], or all of [data]. */
    private var hasData = false
    private var inPlace = false
    private val data = ByteBuilder()

    /** True while [data] collects lines of JSON without a field name. */
    private var isBare = false
    private var event = Frame.MESSAGE
    private var eventId = ""

    private var knownEvent = Frame.MESSAGE
    private var knownEventBytes = knownEvent.encodeToByteArray()

    override fun feed(bytes: ByteArray, start: Int, end: Int) {
        check(position == limit) { "feed before next() returned null" }
        fed = bytes
        position = start
        limit = end
    }

    override fun next(): Frame? {
        while (position < limit) {
            if (afterCr) {
                afterCr = false
                if (fed[position] == LF && ++position == limit) break
            }
            val start = position
            val end = lineEnd(start)
            checkSize(line.size.toLong() + (end - start))
            position = end + 1
            if (end == limit) {
                line.append(fed, start, end)
                position = end
                break
            }
            afterCr = fed[end] == CR
            if (takeLine(start, end)) return frame
        }
        if (inPlace) moveData()
        return null
    }

    override fun finish(): Frame? {
        val start = if (atStart) bomLength(line.bytes, 0, line.size) else 0
        val cutLine = line.size > start && line.bytes[start] != COLON
        discardedTail = hasData || event != Frame.MESSAGE || cutLine
        if (cutLine) gatherBare(line.bytes, start, line.size)
        if (!isBare || !utf8(data.bytes, 0, data.size).contains("\"error\"")) return null
        frame.event = Frame.MESSAGE
        point(data.bytes, 0, data.size)
        return frame
    }

    private fun lineEnd(start: Int): Int {
        val bytes = fed
        val limit = limit
        var at = start
        while (at < limit) {
            val byte = bytes[at]
            if (byte <= CR && (byte == LF || byte == CR)) break
            at++
        }
        return at
    }

    /** Reads the line that ends with `fed[start, end)`; true if it completes a frame. */
    private fun takeLine(start: Int, end: Int): Boolean {
        if (line.size == 0) return takeLine(fed, start, end, whole = true)
        line.append(fed, start, end)
        return takeLine(line.bytes, 0, line.size, whole = false).also { line.clear() }
    }

    private fun takeLine(bytes: ByteArray, start: Int, end: Int, whole: Boolean): Boolean {
        var from = start
        if (atStart) {
            atStart = false
            from += bomLength(bytes, start, end)
        }
        if (from == end) return dispatch()
        if (gatherBare(bytes, from, end)) return false
        var colon = from
        while (colon < end && colon - from <= LONGEST_NAME && bytes[colon] != COLON) colon++
        val value = when {
            colon == end -> end
            colon + 1 < end && bytes[colon + 1] == SPACE -> colon + 2
            else -> colon + 1
        }
        when {
            isName(bytes, from, colon, DATA) -> addData(bytes, value, end, whole)
            isName(bytes, from, colon, EVENT) -> event = eventName(bytes, value, end)
            isName(bytes, from, colon, ID) -> if ((value until end).none { bytes[it] == NUL }) eventId = utf8(bytes, value, end)
            isName(bytes, from, colon, RETRY) -> millis(bytes, value, end)?.let { retryMillis = it }
        }
        return false
    }

    /** Collects the line if it belongs to JSON without a field name, which lasts until a line of data; false if it does not. */
    private fun gatherBare(bytes: ByteArray, start: Int, end: Int): Boolean {
        if (!isBare) {
            if (!takesBareErrors || hasData || bytes[start] != BRACE) return false
            isBare = true
            data.clear()
        } else if (end - start > DATA.size && bytes[start + DATA.size] == COLON && isName(bytes, start, start + DATA.size, DATA)) {
            isBare = false
            return false
        }
        checkSize(data.size + 1L + (end - start))
        data.append(bytes, start, end)
        data.append(LF)
        return true
    }

    private fun dispatch(): Boolean {
        lastEventId = eventId
        frame.event = event
        event = Frame.MESSAGE
        if (!hasData) return false
        hasData = false
        if (!inPlace) point(data.bytes, 0, data.size)
        inPlace = false
        return true
    }

    private fun addData(bytes: ByteArray, start: Int, end: Int, whole: Boolean) {
        if (!hasData) {
            hasData = true
            data.clear()
            inPlace = whole
            if (whole) point(bytes, start, end) else data.append(bytes, start, end)
            return
        }
        if (inPlace) moveData()
        checkSize(data.size + 1L + (end - start))
        data.append(LF)
        data.append(bytes, start, end)
    }

    private fun moveData() {
        data.append(frame.bytes, frame.start, frame.end)
        inPlace = false
    }

    private fun point(bytes: ByteArray, start: Int, end: Int) {
        frame.bytes = bytes
        frame.start = start
        frame.end = end
    }

    /** Reuses the string of the last type, because streams repeat one type. */
    private fun eventName(bytes: ByteArray, start: Int, end: Int): String {
        if (start == end) return Frame.MESSAGE
        if (!Arrays.equals(bytes, start, end, knownEventBytes, 0, knownEventBytes.size)) {
            knownEventBytes = bytes.copyOfRange(start, end)
            knownEvent = utf8(bytes, start, end)
        }
        return knownEvent
    }

    private fun checkSize(size: Long) {
        if (size > maxEventBytes) throw FramingException("a server-sent event is longer than the limit of $maxEventBytes bytes (maxEventBytes)")
    }

    private companion object {
        const val LF = '\n'.code.toByte()
        const val CR = '\r'.code.toByte()
        const val COLON = ':'.code.toByte()
        const val SPACE = ' '.code.toByte()
        const val BRACE = '{'.code.toByte()
        const val NUL: Byte = 0
        val DATA = "data".encodeToByteArray()
        val EVENT = "event".encodeToByteArray()
        val ID = "id".encodeToByteArray()
        val RETRY = "retry".encodeToByteArray()
        const val LONGEST_NAME = 5

        fun isName(bytes: ByteArray, start: Int, end: Int, name: ByteArray): Boolean = Arrays.equals(bytes, start, end, name, 0, name.size)

        /** ASCII digits only; a number beyond the range of Long is Long.MAX_VALUE. */
        fun millis(bytes: ByteArray, start: Int, end: Int): Long? {
            if (start == end) return null
            var millis = 0L
            for (at in start until end) {
                val digit = bytes[at] - '0'.code
                if (digit !in 0..9) return null
                millis = if (millis > (Long.MAX_VALUE - digit) / 10) Long.MAX_VALUE else millis * 10 + digit
            }
            return millis
        }
    }
}
