package dev.unifiedllm.transport.framing

import java.io.ByteArrayOutputStream

/** Returns the whole body as one frame. */
internal class WholeBodyDecoder(private val maxBytes: Int = DEFAULT_MAX) : FrameDecoder {
    private val body = ByteArrayOutputStream()
    private val frame = Frame()
    private var isTaken = false

    override fun feed(bytes: ByteArray, start: Int, end: Int) {
        if (body.size() + (end - start) > maxBytes) throw FramingException("the body is longer than the limit of $maxBytes bytes")
        body.write(bytes, start, end - start)
    }

    override fun next(): Frame? = null

    override fun finish(): Frame? {
        if (isTaken || body.size() == 0) return null
        isTaken = true
        frame.bytes = body.toByteArray()
        frame.start = (0 until body.size()).firstOrNull { !isBlank(frame.bytes[it]) } ?: body.size()
        frame.end = lengthWithoutDone(frame.bytes, frame.start)
        return frame
    }

    /** Some servers end a whole body as they end a stream, with `data: [DONE]`, or with NUL bytes. */
    private fun lengthWithoutDone(bytes: ByteArray, start: Int): Int {
        fun trimmed(end: Int): Int = (end downTo start + 1).firstOrNull { !isBlank(bytes[it - 1]) } ?: start
        fun before(end: Int, word: String): Int? = (end - word.length)
            .takeIf { it > start && String(bytes, it, word.length, Charsets.ISO_8859_1).equals(word, ignoreCase = true) }
            ?.let(::trimmed)
        val end = trimmed(bytes.size)
        val done = before(end, DONE) ?: return end
        return before(done, DATA) ?: done
    }

    private fun isBlank(byte: Byte): Boolean = byte.toInt() in 0..' '.code

    /** The body as text; null above [maxBytes]. */
    fun text(maxBytes: Int): String? = if (body.size() > maxBytes) null else body.toString(Charsets.UTF_8)

    private companion object {
        const val DEFAULT_MAX = 64 shl 20
        const val DONE = "[DONE]"
        const val DATA = "data:"
    }
}
