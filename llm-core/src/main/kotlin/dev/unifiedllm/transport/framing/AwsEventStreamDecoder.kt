package dev.unifiedllm.transport.framing

import java.util.Arrays
import java.util.zip.CRC32

/**
 * Splits an `application/vnd.amazon.eventstream` into its messages and verifies both checksums of each
 * ([smithy.io](https://smithy.io/2.0/aws/amazon-eventstream.html), read 2026-11-21).
 *
 * The bytes of a frame are the payload of the message: a slice of the array passed to [feed] if the message arrived in one piece, else of the decoder's
 * buffer. [Frame.event] is the type of the event; for an exception its type after [EXCEPTION]; for an unmodelled error its code after [ERROR], and then
 * the payload is the error message.
 *
 * @param maxPayloadBytes the most bytes in the payload of one message
 */
internal class AwsEventStreamDecoder(private val maxPayloadBytes: Int = 24 shl 20) : FrameDecoder {
    private val frame = Frame()
    private var fed = ByteArray(0)
    private var position = 0
    private var limit = 0

    /** The first part of a message that does not arrive in one piece. */
    private val begun = ByteBuilder()
    private val headers = AwsEventHeaders()

    override fun feed(bytes: ByteArray, start: Int, end: Int) {
        check(position == limit) { "feed before next() returned null" }
        fed = bytes
        position = start
        limit = end
    }

    override fun next(): Frame? = if (begun.size == 0) whole() else gathered()

    /** Drops a cut message: without the last event of the wire the response counts as cut anyway. */
    override fun finish(): Frame? = null

    private fun whole(): Frame? {
        val available = limit - position
        if (available >= PRELUDE) {
            val length = messageLength(fed, position)
            if (available >= length) {
                val start = position
                position += length
                return message(fed, start, length)
            }
        }
        begun.append(fed, position, limit)
        position = limit
        return null
    }

    private fun gathered(): Frame? {
        if (!gather(PRELUDE)) return null
        val length = messageLength(begun.bytes, 0)
        if (!gather(length)) return null
        begun.clear()
        return message(begun.bytes, 0, length)
    }

    /** Buffers bytes until [size] have arrived; false if more are needed. */
    private fun gather(size: Int): Boolean {
        val taken = minOf(size - begun.size, limit - position)
        if (taken > 0) {
            begun.append(fed, position, position + taken)
            position += taken
        }
        return begun.size >= size
    }

    /** The length of the message that begins at [start], after the checksum of its prelude has been verified. */
    private fun messageLength(bytes: ByteArray, start: Int): Int {
        checkSum(bytes, start, PRELUDE - CHECKSUM, "prelude")
        val length = unsigned(bytes, start)
        val headers = unsigned(bytes, start + LENGTH)
        if (headers > MAX_HEADER_BYTES) throw FramingException("the headers of an event are longer than the limit of $MAX_HEADER_BYTES bytes")
        val payload = length - headers - PRELUDE - CHECKSUM
        if (payload < 0) throw FramingException("an event is shorter than its own headers")
        if (payload > maxPayloadBytes) throw FramingException("the payload of an event is longer than the limit of $maxPayloadBytes bytes")
        return length.toInt()
    }

    private fun message(bytes: ByteArray, start: Int, length: Int): Frame {
        checkSum(bytes, start, length - CHECKSUM, "message")
        val headersStart = start + PRELUDE
        val headersEnd = headersStart + unsigned(bytes, start + LENGTH).toInt()
        headers.read(bytes, headersStart, headersEnd)
        frame.event = headers.event
        frame.bytes = bytes
        frame.start = headers.messageStart ?: headersEnd
        frame.end = if (headers.messageStart != null) headers.messageEnd else start + length - CHECKSUM
        return frame
    }

    /** [AwsEventHeaders.values] of the last frame. */
    internal fun headers(): Map<String, Any> = headers.values()

    private fun checkSum(bytes: ByteArray, start: Int, length: Int, of: String) {
        val sum = CRC32()
        sum.update(bytes, start, length)
        if (sum.value != unsigned(bytes, start + length)) throw FramingException("the checksum of an event's $of does not match its bytes")
    }

    companion object {
        /** The prefix of the type of an exception in [Frame.event]. */
        const val EXCEPTION: String = "exception:"

        /** The prefix of the code of an unmodelled error in [Frame.event]. */
        const val ERROR: String = "error:"

        /** The bytes before the headers of a message. */
        const val PRELUDE: Int = 12
        private const val LENGTH = 4
        private const val CHECKSUM = 4
        private const val MAX_HEADER_BYTES = 128 shl 10

        /** True if `bytes[0, size)` begins with the prelude of a message: its checksum tells. */
        fun begins(bytes: ByteArray, size: Int): Boolean {
            if (size < PRELUDE) return false
            val sum = CRC32()
            sum.update(bytes, 0, PRELUDE - CHECKSUM)
            return sum.value == unsigned(bytes, PRELUDE - CHECKSUM)
        }

        private fun unsigned(bytes: ByteArray, at: Int): Long = int(bytes, at).toLong() and 0xFFFFFFFFL
    }
}

private fun int(bytes: ByteArray, at: Int): Int = (short(bytes, at) shl 16) or (short(bytes, at + 2) and 0xFFFF)

private fun short(bytes: ByteArray, at: Int): Int = (bytes[at].toInt() shl 8) or (bytes[at + 1].toInt() and 0xFF)

/** Reads the headers of one message: checks all of them, and keeps those that name its type. */
private class AwsEventHeaders {
    private var bytes = ByteArray(0)
    private val starts = ArrayList<Int>()
    private var end = 0

    /** The last event type and its bytes: a stream repeats few types, so the string is reused. */
    private var known = ""
    private var knownBytes = ByteArray(0)

    var event: String = Frame.MESSAGE
        private set

    /** Where the text of an error is: an error has no payload. */
    var messageStart: Int? = null
        private set
    var messageEnd: Int = 0
        private set

    fun read(bytes: ByteArray, start: Int, end: Int) {
        this.bytes = bytes
        this.end = end
        starts.clear()
        messageStart = null
        event = Frame.MESSAGE
        var prefix = ""
        var type: String? = null
        var at = start
        while (at < end) {
            val name = at
            starts += name
            val value = valueStart(name)
            at = valueEnd(value)
            for (index in 0 until starts.size - 1) if (isSameName(starts[index], name)) throw FramingException("an event has one header twice")
            when {
                bytes[value - 1] != STRING -> continue
                isName(name, EVENT_TYPE) -> type = text(value + 2, at)
                isName(name, EXCEPTION_TYPE) -> {
                    prefix = AwsEventStreamDecoder.EXCEPTION
                    type = text(value + 2, at)
                }
                isName(name, ERROR_CODE) -> {
                    prefix = AwsEventStreamDecoder.ERROR
                    type = text(value + 2, at)
                }
                isName(name, ERROR_MESSAGE) -> {
                    messageStart = value + 2
                    messageEnd = at
                }
            }
        }
        type?.let { event = if (prefix.isEmpty()) it else prefix + it }
    }

    /** All headers, in order, as Boolean, Byte, Short, Int, Long (also for times, in milliseconds), String, or ByteArray (also for UUIDs). */
    fun values(): Map<String, Any> = starts.associate { name ->
        val value = valueStart(name)
        utf8(bytes, name + 1, value - 1) to value(value)
    }

    private fun value(start: Int): Any = when (bytes[start - 1].toInt()) {
        0 -> true
        1 -> false
        2 -> bytes[start]
        3 -> short(bytes, start).toShort()
        4 -> int(bytes, start)
        5, 8 -> (int(bytes, start).toLong() shl 32) or (int(bytes, start + 4).toLong() and 0xFFFFFFFFL)
        7 -> utf8(bytes, start + 2, valueEnd(start))
        6 -> bytes.copyOfRange(start + 2, valueEnd(start))
        else -> bytes.copyOfRange(start, valueEnd(start))
    }

    /** The value follows the length of the name, the name and the type. */
    private fun valueStart(name: Int): Int = inside(name + 1 + (bytes[name].toInt() and 0xFF) + 1)

    private fun valueEnd(start: Int): Int = inside(
        when (val type = bytes[start - 1].toInt()) {
            0, 1 -> start
            2 -> start + 1
            3 -> start + 2
            4 -> start + 4
            5, 8 -> start + 8
            6, 7 -> inside(start + 2) + (short(bytes, start) and 0xFFFF)
            9 -> start + 16
            else -> throw FramingException("an event has a header of the unknown type $type")
        },
    )

    private fun inside(at: Int): Int = if (at <= end) at else throw FramingException("a header of an event does not end with the headers")

    private fun isName(at: Int, name: ByteArray): Boolean =
        bytes[at].toInt() == name.size && Arrays.equals(bytes, at + 1, at + 1 + name.size, name, 0, name.size)

    private fun isSameName(a: Int, b: Int): Boolean {
        val length = (bytes[a].toInt() and 0xFF) + 1
        return bytes[a] == bytes[b] && Arrays.equals(bytes, a, a + length, bytes, b, b + length)
    }

    private fun text(start: Int, end: Int): String {
        if (!Arrays.equals(bytes, start, end, knownBytes, 0, knownBytes.size)) {
            knownBytes = bytes.copyOfRange(start, end)
            known = utf8(bytes, start, end)
        }
        return known
    }

    private companion object {
        const val STRING: Byte = 7
        val EVENT_TYPE = ":event-type".encodeToByteArray()
        val EXCEPTION_TYPE = ":exception-type".encodeToByteArray()
        val ERROR_CODE = ":error-code".encodeToByteArray()
        val ERROR_MESSAGE = ":error-message".encodeToByteArray()
    }
}
