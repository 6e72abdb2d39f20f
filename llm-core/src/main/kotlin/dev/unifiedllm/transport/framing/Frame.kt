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
    fun isJson(): Boolean = isJson(bytes, start, end)

    companion object {
        const val MESSAGE: String = "message"
        private val EMPTY = ByteArray(0)

        /** As [Frame.isJson], for the data `bytes[start, end)`. */
        fun isJson(bytes: ByteArray, start: Int, end: Int): Boolean {
            var at = start
            while (at < end && bytes[at] <= ' '.code) at++
            if (at == end) return false
            return bytes[at].toInt() == '{'.code || (bytes[at].toInt() == '['.code && !(at + 1 < end && bytes[at + 1].toInt().toChar().isLetter()))
        }
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

    /**
     * Steps over the next frame if it is whole, is framed as the last one was, and its data is a value that [value] matches. False: nothing has happened, and
     * [next] returns the frame, if there is one.
     */
    fun nextMatching(value: ValueMatcher): Boolean = false

    /** Ends the body. Returns the frame that the end completes; null if there is none. Incomplete bytes are dropped. */
    fun finish(): Frame?
}

/** Knows a value by its bytes. */
internal fun interface ValueMatcher {
    /** Where the value that begins at [start] ends; [NO_MATCH] if it is another one, or may go on behind [limit]. A value has no line breaks. */
    fun end(bytes: ByteArray, start: Int, limit: Int): Int

    companion object {
        const val NO_MATCH: Int = -1
    }
}

/** The bytes violate the format of their framing, or a limit of the decoder. */
internal class FramingException(message: String) : RuntimeException(message)
