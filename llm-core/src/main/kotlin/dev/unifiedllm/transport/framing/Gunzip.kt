package dev.unifiedllm.transport.framing

import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Inflater

/**
 * Decompresses a gzip body ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)) as it arrives: what a server has flushed can be read at once.
 *
 * It keeps no more than what was passed to [feed] last and has not been read. The limits of a body hold for what it gives.
 */
internal class Gunzip : AutoCloseable {
    private enum class State { HEADER, NAMES, BODY, TRAILER, END }

    private val inflater = Inflater(true)
    private val sum = CRC32()
    private var state = State.HEADER

    /** The bytes of the header or the trailer that have arrived. */
    private val begun = ByteArray(HEADER)
    private var count = 0

    /** The optional parts of the header that are still to be skipped, and the length of the extra field. */
    private var flags = 0
    private var extra = 0

    private var fed = ByteArray(0)
    private var position = 0
    private var limit = 0

    /** True if the body is complete where it is now: a member has ended, and no other has begun. */
    val isComplete: Boolean get() = state == State.END || (state == State.HEADER && count == 0 && isLater)
    private var isLater = false

    /** Passes the next bytes, which must not change until [read] has returned 0. */
    fun feed(bytes: ByteArray, start: Int, end: Int) {
        fed = bytes
        position = start
        limit = end
    }

    /**
     * Writes decompressed bytes to [out].
     *
     * @return how many; 0 if more input is needed
     * @throws FramingException if the bytes are not gzip, or a checksum does not match
     */
    fun read(out: ByteArray): Int {
        while (true) {
            when (state) {
                State.HEADER -> if (!header()) return 0
                State.NAMES -> if (!names()) return 0
                State.BODY -> {
                    val length = inflate(out)
                    if (length > 0) return length
                    if (state == State.BODY) return 0
                }
                State.TRAILER -> if (!trailer()) return 0
                State.END -> return 0.also { position = limit }
            }
        }
    }

    private fun inflate(out: ByteArray): Int {
        if (inflater.needsInput() && position < limit) {
            inflater.setInput(fed, position, limit - position)
            position = limit
        }
        val length = try {
            inflater.inflate(out)
        } catch (broken: DataFormatException) {
            throw FramingException("its Content-Encoding is gzip, but its body is not (${broken.message ?: "invalid data"})")
        }
        sum.update(out, 0, length)
        if (inflater.finished()) {
            position = limit - inflater.remaining
            begin(State.TRAILER)
        }
        return length
    }

    /** True if all of the fixed part of the header has arrived. Bytes after a complete member that begin no other are ignored. */
    private fun header(): Boolean {
        while (count < HEADER) {
            if (position == limit) return false
            val byte = fed[position++]
            begun[count++] = byte
            val isRight = count > MAGIC.size || byte == MAGIC[count - 1]
            if (!isRight && isLater) {
                state = State.END
                return true
            }
            if (!isRight) throw FramingException("its Content-Encoding is gzip, but its body is not")
        }
        flags = begun[FLAGS].toInt()
        begin(State.NAMES)
        return true
    }

    private fun names(): Boolean {
        while (OPTIONAL.any { flags and it != 0 }) {
            if (position == limit) return false
            val byte = fed[position++].toInt() and BYTE
            count++
            val part = OPTIONAL.first { flags and it != 0 }
            val isOver = when (part) {
                EXTRA -> isExtraOver(byte)
                SUM -> count == 2
                else -> byte == 0
            }
            if (isOver) {
                flags = flags and part.inv()
                count = 0
            }
        }
        inflater.reset()
        sum.reset()
        begin(State.BODY)
        return true
    }

    private fun isExtraOver(byte: Int): Boolean {
        if (count == 1) extra = byte
        if (count == 2) extra = extra or (byte shl 8)
        return count >= 2 && count - 2 == extra
    }

    private fun trailer(): Boolean {
        while (count < TRAILER) {
            if (position == limit) return false
            begun[count++] = fed[position++]
        }
        val stated = (0 until 4).fold(0L) { value, at -> value or ((begun[at].toLong() and 0xFF) shl (8 * at)) }
        if (stated != sum.value) throw FramingException("its Content-Encoding is gzip, and the checksum does not match its bytes")
        isLater = true
        begin(State.HEADER)
        return true
    }

    private fun begin(next: State) {
        state = next
        count = 0
    }

    override fun close(): Unit = inflater.end()

    private companion object {
        const val HEADER = 10
        const val TRAILER = 8
        const val FLAGS = 3
        const val BYTE = 0xFF
        const val EXTRA = 4
        const val NAME = 8
        const val COMMENT = 16
        const val SUM = 2

        /** The optional parts of the header, in their order. */
        val OPTIONAL = listOf(EXTRA, NAME, COMMENT, SUM)

        /** The first bytes, and the number of the only method. */
        val MAGIC = byteArrayOf(0x1F, 0x8B.toByte(), 8)
    }
}
