package dev.unifiedllm.protocol.json

/**
 * Reads the next value as an object: calls [read] for each member that [names] asks for, in the order of the text, with its index there. [read]
 * must read or skip the member's value; other members are stepped over. A value of another kind is stepped over as well, and false.
 */
internal inline fun JsonCursor.members(names: JsonNames, read: (Int) -> Unit): Boolean {
    if (!enterObject()) return false
    while (true) {
        val member = next(names)
        if (member == JsonNames.END) return true
        if (member == JsonNames.OTHER) skip() else read(member)
    }
}

/** Reads the next value as an array: calls [read] for each element, which it must read or skip. A value of another kind is stepped over. */
internal inline fun JsonCursor.elements(read: () -> Unit) {
    if (enterArray()) while (nextElement()) read()
}

/** A number of tokens; null for what is none, or negative: it counts as not reported. */
internal fun JsonCursor.tokens(): Long? = longOrNull()?.takeIf { it >= 0 }
