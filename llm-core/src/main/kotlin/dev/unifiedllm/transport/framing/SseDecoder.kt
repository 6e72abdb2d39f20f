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
 * @param isWholeJson tells whether a slice is one JSON text. Null: by the rules. Else the stream is one of JSON, and what servers send against the rules
 * is read as well: an event at the end of the body without its blank line, if its data is whole JSON or words; whole JSON, and `[DONE]`, without a field
 * name; several JSON texts in one event, of which each is a frame; and `data:` before the data twice.
 */
internal class SseDecoder(
    private val maxEventBytes: Int = 64 shl 20,
    private val isWholeJson: ((ByteArray, Int, Int) -> Boolean)? = null,
) : FrameDecoder {
    /** The id of the last complete event, with or without data; empty if there was none. */
    var lastEventId: String = ""
        private set

    /** The last reconnection time that the server sent, in milliseconds; null if it sent none. */
    var retryMillis: Long? = null
        private set

    /** True if the body ended inside of an event, which is a sign of a cut answer. */
    var discardedTail: Boolean = false
        private set

    /** True if the body has a field or a comment: if not, it is no event stream. */
    var hasFields: Boolean = false
        private set

    /** The beginning of the last line that is neither a field nor a comment, if [isWholeJson] is set; null if there was none. */
    var strayWords: String? = null
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
    private val dataJson = isWholeJson?.let(::GrowingJson)
    private var eventOfData = Frame.MESSAGE // the type of the event when its data began

    /** A line of data that belongs to the next frame, while [frame] has the data before it. */
    private val held = ByteBuilder()
    private var hasHeld = false
    private val bare = isWholeJson?.let { BareJson(it, maxEventBytes) }
    private var isTail = false
    private var eventId = ""
    private var event = Frame.MESSAGE

    /** Where the event begins in [fed]; [UNKNOWN] if it began earlier, or has a line that is no field, [NEXT] if it is the next one. */
    private var eventAt = UNKNOWN

    /** Where its data begins in [fed]; [UNKNOWN] if it is not one line of it. */
    private var dataAt = UNKNOWN
    private val framing = EventFraming()
    private val names = EventNames()

    override fun feed(bytes: ByteArray, start: Int, end: Int) {
        check(position == limit) { "feed before next() returned null" }
        fed = bytes
        position = start
        limit = end
        eventAt = if (isBetweenEvents) NEXT else UNKNOWN
        dataAt = UNKNOWN
    }

    private val isBetweenEvents: Boolean
        get() = line.size == 0 && !hasData && !hasHeld && event === Frame.MESSAGE && bare?.isOpen != true && !atStart

    override fun nextMatching(value: ValueMatcher): Boolean {
        if (eventAt != NEXT || !isBetweenEvents) return false
        val start = if (afterCr && position < limit && fed[position] == LF) position + 1 else position
        val end = framing.end(fed, start, limit, value)
        if (end < 0 || end - start > maxEventBytes) return false
        position = end
        afterCr = framing.endsWithCr
        return true
    }

    override fun next(): Frame? {
        if (hasHeld) takeHeld()
        while (position < limit) {
            if (afterCr) {
                afterCr = false
                if (fed[position] == LF && ++position == limit) break
            }
            val start = position
            if (eventAt == NEXT) eventAt = start
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
        moveData()
        return null
    }

    override fun finish(): Frame? {
        if (hasHeld) takeHeld()
        val start = if (atStart) bomLength(line.bytes, 0, line.size) else 0
        discardedTail = hasData || event != Frame.MESSAGE || (line.size > start && line.bytes[start] != COLON)
        if (isWholeJson == null || bare == null) return null
        if (line.size > 0) {
            isTail = true
            val isFrame = takeLine(line.bytes, 0, line.size, whole = false)
            line.clear()
            if (isFrame) return frame
        }
        if (bare.end() && takeBare()) return frame
        if (!hasData) return null
        point(data.bytes, 0, data.size)
        val isUsable = !frame.isJson() || isWholeJson.invoke(data.bytes, 0, data.size)
        if (!isUsable) hasData = false
        return if (dispatch(UNKNOWN)) frame else null
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
        if (from == end) return if (bare != null && bare.end()) takeBare() else dispatch(if (whole) start else UNKNOWN)
        if (bare != null && !hasData && bare.takes(bytes, from, end)) {
            eventAt = UNKNOWN
            return bare.add(bytes, from, end) && takeBare()
        }
        var colon = from
        while (colon < end && colon - from <= MAX_NAME && bytes[colon] != COLON) colon++
        val value = when {
            colon == end -> end
            colon + 1 < end && bytes[colon + 1] == SPACE -> colon + 2
            else -> colon + 1
        }
        when {
            SseFields.isName(bytes, from, colon, SseFields.DATA) -> {
                hasFields = true
                return addData(bytes, value, end, whole)
            }
            SseFields.isName(bytes, from, colon, SseFields.EVENT) -> event = names.of(bytes, value, end)
            SseFields.isName(bytes, from, colon, SseFields.ID) -> {
                framing.forget()
                if ((value until end).none { bytes[it].toInt() == 0 }) eventId = utf8(bytes, value, end)
            }
            SseFields.isName(bytes, from, colon, SseFields.RETRY) -> {
                framing.forget()
                SseFields.millis(bytes, value, end)?.let { retryMillis = it }
            }
            colon > from -> return isWholeJson != null && stray(bytes, from, end)
        }
        hasFields = true
        return false
    }

    private fun takeBare(): Boolean {
        frame.event = event
        event = Frame.MESSAGE
        point(bare!!.bytes, 0, bare.size)
        return true
    }

    /** Notes a line without a known field name; true if it is a `[DONE]`, which is a frame. */
    private fun stray(bytes: ByteArray, start: Int, end: Int): Boolean {
        eventAt = UNKNOWN
        val text = utf8(bytes, start, minOf(end, start + MAX_STRAY)).trimEnd('\uFFFD').trim()
        if (!hasData && text.equals("[DONE]", ignoreCase = true)) {
            frame.event = Frame.MESSAGE
            data.clear()
            data.append(bytes, start, end)
            point(data.bytes, 0, data.size)
            return true
        }
        // The last line may be the beginning of a field.
        if (text.isNotEmpty() && !(isTail && SseFields.NAMES.any { it.startsWith(text) })) strayWords = text
        return false
    }

    /** @param blank where the line begins that ends the event */
    private fun dispatch(blank: Int): Boolean {
        if (hasData && inPlace && blank >= 0 && eventAt >= 0 && dataAt >= 0) framing.learn(fed, eventAt, dataAt, frame.end, blank)
        eventAt = NEXT
        dataAt = UNKNOWN
        lastEventId = eventId
        frame.event = event
        event = Frame.MESSAGE
        if (!hasData) return false
        hasData = false
        if (!inPlace) point(data.bytes, 0, data.size)
        inPlace = false
        return true
    }

    /** Adds a line to the data; true if the line begins another JSON text, so that the data before it is a frame. */
    private fun addData(bytes: ByteArray, from: Int, end: Int, whole: Boolean): Boolean {
        val start = if (isWholeJson == null) from else SseFields.undoubled(bytes, from, end)
        if (!hasData) {
            hasData = true
            eventOfData = event
            clearData()
            inPlace = whole
            dataAt = if (whole) start else UNKNOWN
            if (whole) point(bytes, start, end) else data.append(bytes, start, end)
            return false
        }
        moveData()
        checkSize(data.size + 1L + (end - start))
        if (dataJson != null && dataJson.isBeforeAnother(data, bytes, start, end, eventOfData == Frame.MESSAGE)) {
            point(data.bytes, 0, data.size)
            held.clear()
            held.append(bytes, start, end)
            hasHeld = true
            hasData = false
            frame.event = eventOfData
            return true
        }
        data.append(LF)
        data.append(bytes, start, end)
        return false
    }

    private fun takeHeld() {
        hasHeld = false
        hasData = true
        inPlace = false
        eventOfData = event
        clearData()
        data.append(held.bytes, 0, held.size)
    }

    private fun clearData() {
        data.clear()
        dataJson?.reset()
    }

    private fun moveData() {
        if (inPlace) data.append(frame.bytes, frame.start, frame.end)
        inPlace = false
    }

    private fun point(bytes: ByteArray, start: Int, end: Int) {
        frame.bytes = bytes
        frame.start = start
        frame.end = end
    }

    private fun checkSize(size: Long) {
        if (size > maxEventBytes) throw FramingException("a server-sent event is longer than the limit of $maxEventBytes bytes (maxEventBytes)")
    }

    private companion object {
        const val LF = '\n'.code.toByte()
        const val CR = '\r'.code.toByte()
        const val COLON = ':'.code.toByte()
        const val SPACE = ' '.code.toByte()
        const val MAX_NAME = 5
        const val MAX_STRAY = 256
        const val UNKNOWN = -1
        const val NEXT = -2
    }
}
