package dev.unifiedllm.protocol.json

/**
 * Reads the next value as an object: calls [read] for each member that is in [names], in the order of the text, with its index in [names]. [read]
 * must read or skip the member's value. Other members are skipped.
 *
 * @return false if the value is not an object; it is then skipped
 */
internal inline fun JsonCursor.members(names: JsonNames, read: (Int) -> Unit): Boolean {
    if (!enterObject()) return false
    while (true) {
        val member = next(names)
        if (member == JsonNames.END) return true
        if (member == JsonNames.OTHER) skip() else read(member)
    }
}

/** Reads the next value as an array: calls [read] for each element, which it must read or skip. A value of another kind is skipped. */
internal inline fun JsonCursor.elements(read: () -> Unit) {
    if (enterArray()) while (nextElement()) read()
}

/**
 * Reads a number of tokens that a response reports more than once: the last one counts, but not a zero after another number, which some servers send in
 * place of what they do not know. @param before the number so far
 */
internal fun JsonCursor.tokens(before: Long?): Long? = tokens()?.takeUnless { it == 0L && before != null } ?: before

/**
 * Reads a number of tokens, which some servers send as a string; null, which means not reported, if the value is negative, not an integer, or so large that
 * it cannot be one: sums of such numbers must not overflow.
 */
internal fun JsonCursor.tokens(): Long? =
    (if (kind() == JsonKind.STRING) string().trim().toLongOrNull() else longOrNull())?.takeIf { it in 0..MAX_TOKENS }

private const val MAX_TOKENS = 1_000_000_000_000

/** A cursor before the value in [text]. */
internal fun jsonCursor(text: String): JsonCursor = text.encodeToByteArray().let { JsonCursor().reset(it, 0, it.size) }
