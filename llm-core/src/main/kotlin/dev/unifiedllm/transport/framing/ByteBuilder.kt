package dev.unifiedllm.transport.framing

/** A buffer for a line or an event that does not arrive in one piece. It grows by doubling, so that the total cost of appending is linear. */
internal class ByteBuilder {
    var bytes: ByteArray = ByteArray(0)
        private set
    var size: Int = 0
        private set

    fun clear() {
        size = 0
    }

    fun append(from: ByteArray, start: Int, end: Int) {
        val length = end - start
        reserve(size.toLong() + length)
        from.copyInto(bytes, size, start, end)
        size += length
    }

    fun append(byte: Byte) {
        reserve(size + 1L)
        bytes[size++] = byte
    }

    private fun reserve(needed: Long) {
        if (needed <= bytes.size) return
        bytes = bytes.copyOf(maxOf(needed, bytes.size * 2L, FIRST_SIZE).coerceAtMost(Int.MAX_VALUE - 8L).toInt())
    }

    private companion object {
        const val FIRST_SIZE = 1024L
    }
}
