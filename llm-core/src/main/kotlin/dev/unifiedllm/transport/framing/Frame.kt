package dev.unifiedllm.transport.framing

/**
 * One event of a stream, as a slice of the bytes it arrived in: `bytes[start, end)`.
 *
 * The decoder that returned it reuses it: it is valid until the decoder is asked for the next one.
 */
internal class Frame {
    /** The type of a server-sent event; "message" where the wire names none. */
    var event: String = MESSAGE
    var bytes: ByteArray = EMPTY
    var start: Int = 0
    var end: Int = 0

    fun text(): String = utf8(bytes, start, end)

    companion object {
        const val MESSAGE: String = "message"
        private val EMPTY = ByteArray(0)
    }
}

/** Cuts the bytes of a body into [Frame]s, however the bytes are split. One per answer; not thread-safe. */
internal interface FrameDecoder {
    /** Hands over the next bytes, which must stay as they are until [next] has returned null. */
    fun feed(bytes: ByteArray, start: Int, end: Int)

    /** The next whole frame, or null when more bytes are needed. Throws [FramingException] past a limit. */
    fun next(): Frame?

    /** Tells that the body has ended; a frame that its end completes is returned. What is left over is dropped. */
    fun finish(): Frame?
}

/** The bytes break the rules of their framing, or one of our limits. */
internal class FramingException(message: String) : RuntimeException(message)
