package dev.unifiedllm.transport.framing

import java.util.Arrays

/** The fields of an event stream: their names, encoded once, and how their values are read. */
internal object SseFields {
    val NAMES = listOf("data", "event", "id", "retry")
    val DATA = NAMES[0].encodeToByteArray()
    val EVENT = NAMES[1].encodeToByteArray()
    val ID = NAMES[2].encodeToByteArray()
    val RETRY = NAMES[3].encodeToByteArray()
    private const val COLON = ':'.code.toByte()
    private const val SPACE = ' '.code.toByte()

    fun isName(bytes: ByteArray, start: Int, end: Int, name: ByteArray): Boolean = Arrays.equals(bytes, start, end, name, 0, name.size)

    /** Where the data begins: some gateways write `data:` before it twice. */
    fun undoubled(bytes: ByteArray, start: Int, end: Int): Int {
        val colon = start + DATA.size
        if (colon >= end || bytes[colon] != COLON || !isName(bytes, start, colon, DATA)) return start
        return if (colon + 1 < end && bytes[colon + 1] == SPACE) colon + 2 else colon + 1
    }

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
