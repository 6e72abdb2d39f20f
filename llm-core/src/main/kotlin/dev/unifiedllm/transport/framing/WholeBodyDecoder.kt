package dev.unifiedllm.transport.framing

import java.io.ByteArrayOutputStream
import java.util.Arrays

/** Returns the whole body as one frame. */
internal class WholeBodyDecoder(private val maxBytes: Int = DEFAULT_MAX) : FrameDecoder {
    private val body = ByteArrayOutputStream()
    private val frame = Frame()

    override fun feed(bytes: ByteArray, start: Int, end: Int) {
        if (body.size() + (end - start) > maxBytes) throw FramingException("the body is larger than $maxBytes bytes")
        body.write(bytes, start, end - start)
    }

    override fun next(): Frame? = null

    override fun finish(): Frame? {
        if (body.size() == 0) return null
        frame.bytes = body.toByteArray()
        frame.start = 0
        frame.end = lengthWithoutDone(frame.bytes)
        return frame
    }

    /** Some servers end a whole body as they end a stream: with `data: [DONE]`. */
    private fun lengthWithoutDone(bytes: ByteArray): Int {
        fun trimmed(end: Int) = (end downTo 1).firstOrNull { bytes[it - 1] > ' '.code || bytes[it - 1] < 0 } ?: 0
        fun before(end: Int, word: ByteArray): Int? =
            (end - word.size).takeIf { it > 0 && Arrays.equals(bytes, it, end, word, 0, word.size) }?.let(::trimmed)
        val done = before(trimmed(bytes.size), DONE) ?: return bytes.size
        return before(done, DATA) ?: bytes.size
    }

    /** The body as text; null above [maxBytes]. */
    fun text(maxBytes: Int): String? = if (body.size() > maxBytes) null else body.toString(Charsets.UTF_8)

    private companion object {
        const val DEFAULT_MAX = 64 shl 20
        val DONE = "[DONE]".encodeToByteArray()
        val DATA = "data:".encodeToByteArray()
    }
}
