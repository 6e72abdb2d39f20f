package dev.unifiedllm.transport.framing

/**
 * Collects the lines of a JSON text that stands in an event stream without a field name: some servers, Google's among them, end a failed stream with such
 * an error, and some send a whole response after a comment.
 */
internal class BareJson(isWhole: (ByteArray, Int, Int) -> Boolean, private val maxBytes: Int) {
    private val text = ByteBuilder()
    private val json = GrowingJson(isWhole)

    /** True while a text has begun and is not whole. */
    var isOpen: Boolean = false
        private set

    /** The text, in `bytes[0, size)`, if [add] or [end] has returned true; valid until the next [add]. */
    val bytes: ByteArray get() = text.bytes
    val size: Int get() = text.size

    /** True if the line begins a JSON text, or belongs to the one that has begun. A field ends that one. */
    fun takes(bytes: ByteArray, start: Int, end: Int): Boolean {
        val first = bytes[start].toInt().toChar()
        if (isOpen && first in FIRST_OF_FIELDS && isField(bytes, start, end)) isOpen = false
        return isOpen || first == '{' || (first == '[' && !(start + 1 < end && bytes[start + 1].toInt().toChar().isLetter()))
    }

    /** Adds a line; true if the text is whole with it. */
    fun add(bytes: ByteArray, start: Int, end: Int): Boolean {
        if (isOpen) {
            text.append('\n'.code.toByte())
        } else {
            isOpen = true
            text.clear()
            json.reset()
        }
        if (text.size + (end - start).toLong() > maxBytes) throw FramingException("JSON in a stream is longer than the limit of $maxBytes bytes")
        text.append(bytes, start, end)
        var last = end - 1
        while (last > start && bytes[last] <= ' '.code) last--
        return (bytes[last].toInt() == '}'.code || bytes[last].toInt() == ']'.code) && end()
    }

    /** True if there is a text, and it is whole. It then counts as taken. */
    fun end(): Boolean {
        val isEnd = isOpen && json.isWhole(text.bytes, text.size)
        if (isEnd) isOpen = false
        return isEnd
    }

    private fun isField(bytes: ByteArray, start: Int, end: Int): Boolean {
        val line = String(bytes, start, minOf(end - start, LONGEST_FIELD), Charsets.ISO_8859_1)
        return FIELDS.any(line::startsWith)
    }

    private companion object {
        const val FIRST_OF_FIELDS = ":dei"
        const val LONGEST_FIELD = 6
        val FIELDS = listOf(":", "data:", "event:", "id:")
    }
}
