package dev.unifiedllm.transport.framing

private const val REPLACEMENT = '\uFFFD'

/**
 * Decodes `bytes[start, end)`, with one U+FFFD for each maximal part of a malformed sequence, as the
 * [WHATWG decoder](https://encoding.spec.whatwg.org/#utf-8-decoder) does. Java's decoder differs: it makes one U+FFFD of an encoded surrogate
 * (ED A0 80), where the standard requires three.
 */
internal fun utf8(bytes: ByteArray, start: Int, end: Int): String {
    val text = String(bytes, start, end - start, Charsets.UTF_8)
    return if (text.indexOf(REPLACEMENT) < 0) text else byMaximalParts(bytes, start, end)
}

/** The length of the byte order mark at the beginning of `bytes[start, end)`: 3 or 0. */
internal fun bomLength(bytes: ByteArray, start: Int, end: Int): Int =
    if (end - start >= 3 && bytes[start] == 0xEF.toByte() && bytes[start + 1] == 0xBB.toByte() && bytes[start + 2] == 0xBF.toByte()) 3 else 0

private fun byMaximalParts(bytes: ByteArray, start: Int, end: Int): String {
    val text = StringBuilder(end - start)
    var at = start
    while (at < end) {
        val lead = bytes[at++].toInt() and 0xFF
        if (lead < 0x80) {
            text.append(lead.toChar())
            continue
        }
        val more = when (lead) {
            in 0xC2..0xDF -> 1
            in 0xE0..0xEF -> 2
            in 0xF0..0xF4 -> 3
            else -> 0
        }
        // the range of the second byte excludes overlong forms, surrogates and code points beyond U+10FFFF
        var low = when (lead) {
            0xE0 -> 0xA0
            0xF0 -> 0x90
            else -> 0x80
        }
        var high = when (lead) {
            0xED -> 0x9F
            0xF4 -> 0x8F
            else -> 0xBF
        }
        var point = lead and (0x3F shr more)
        var missing = more
        while (missing > 0 && at < end && (bytes[at].toInt() and 0xFF) in low..high) {
            point = (point shl 6) or (bytes[at++].toInt() and 0x3F)
            low = 0x80
            high = 0xBF
            missing--
        }
        if (more == 0 || missing > 0) text.append(REPLACEMENT) else text.appendCodePoint(point)
    }
    return text.toString()
}
