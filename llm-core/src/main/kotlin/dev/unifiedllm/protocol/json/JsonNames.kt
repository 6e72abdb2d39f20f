package dev.unifiedllm.protocol.json

import java.util.Arrays

/**
 * The member names that a decoder reads, encoded once. [JsonCursor.next] returns the index of a member's name in this list.
 *
 * A list of several names is an object with a constant for each name, so that a `when` reads as the JSON does and stays a switch over integers:
 *
 *     private object Chunk : JsonNames("id", "choices") {
 *         const val ID = 0
 *         const val CHOICES = 1
 *     }
 *
 *     json.members(Chunk) { member ->
 *         when (member) {
 *             Chunk.ID -> id = json.stringOrNull()
 *             Chunk.CHOICES -> choices()
 *         }
 *     }
 *
 * The constant of `finish_reason`, `finishReason` or `finish.reason` is FINISH_REASON; JsonNamesSpec compares names and values.
 */
internal open class JsonNames(vararg names: String) {
    val names: List<String> = names.asList()
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
        /** A member that is not in the list. */
        const val OTHER: Int = -1

        /** No more members: the object is closed. */
        const val END: Int = -2
    }
}
