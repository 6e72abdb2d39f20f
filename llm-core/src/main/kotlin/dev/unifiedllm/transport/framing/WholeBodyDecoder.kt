package dev.unifiedllm.transport.framing

import java.io.ByteArrayOutputStream

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
        frame.end = frame.bytes.size
        return frame
    }

    /** The body as text; null above [maxBytes]. */
    fun text(maxBytes: Int): String? = if (body.size() > maxBytes) null else body.toString(Charsets.UTF_8)

    private companion object {
        const val DEFAULT_MAX = 64 shl 20
    }
}
