package dev.unifiedllm.transport.framing

/**
 * One event of a stream, as the slice `bytes[start, end)`.
 *
 * The decoder reuses the object: it is valid until the next call of [FrameDecoder.next] or [FrameDecoder.finish].
 */
internal class Frame {
    /** The type of a server-sent event; "message" if the stream names none. */
    var event: String = MESSAGE
    var bytes: ByteArray = EMPTY
    var start: Int = 0
    var end: Int = 0

    fun text(): String = utf8(bytes, start, end)

    /** True if the data begins as a JSON object or list does, or is empty. Everything else is words: keep-alives, `[DONE]`, plain errors. */
    fun isJson(): Boolean {
        var at = start
        while (at < end && bytes[at] <= ' '.code) at++
        if (at == end) return false
        return bytes[at].toInt() == '{'.code || (bytes[at].toInt() == '['.code && !(at + 1 < end && bytes[at + 1].toInt().toChar().isLetter()))
    }

    companion object {
        const val MESSAGE: String = "message"
        private val EMPTY = ByteArray(0)
    }
}

/** Splits the bytes of a body into [Frame]s, however the bytes arrive. One decoder reads one body; it is not thread-safe. */
internal interface FrameDecoder {
    /** Passes the next bytes, which must not change until [next] has returned null. */
    fun feed(bytes: ByteArray, start: Int, end: Int)

    /**
     * Returns the next complete frame; null if more bytes are needed.
     *
     * @throws FramingException if the bytes are malformed, or larger than a limit of the decoder
     */
    fun next(): Frame?

    /** Ends the body. Returns the frame that the end completes; null if there is none. Incomplete bytes are dropped. */
    fun finish(): Frame?
}

/** The bytes violate the format of their framing, or a limit of the decoder. */
internal class FramingException(message: String) : RuntimeException(message)
