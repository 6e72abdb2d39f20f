package dev.unifiedllm.protocol.json

import java.util.Arrays

/** The member names a decoder asks for, encoded once: [JsonCursor.next] answers with an index into them. */
internal class JsonNames(private vararg val names: String) {
    private val encoded = Array(names.size) { names[it].encodeToByteArray() }

    fun indexOf(bytes: ByteArray, start: Int, end: Int): Int {
        for (index in encoded.indices) {
            val name = encoded[index]
            if (name.size == end - start && Arrays.equals(bytes, start, end, name, 0, name.size)) return index
        }
        return OTHER
    }

    fun indexOf(name: String): Int = names.indexOf(name)

    companion object {
        /** A member that was not asked for. */
        const val OTHER: Int = -1

        /** No more members: the object is closed. */
        const val END: Int = -2
    }
}
