package dev.unifiedllm.protocol

/**
 * [id] with at most [max] characters: the beginning of a longer one, and a hash of the whole. The same id always gives the same result, so that a call
 * and its result still belong together; other ids give another one.
 */
internal fun shortId(id: String, max: Int): String = if (id.length <= max) id else id.take(max - HASH_LENGTH) + hash(id, HASH_LENGTH)

/** [id] as exactly [length] letters and digits. The same id always gives the same result. */
internal fun fixedLengthId(id: String, length: Int): String = if (id.length == length && id.all { it.isLetterOrDigit() }) id else hash(id, length)

/** [id] as Anthropic and Bedrock accept it: 1 to 64 letters, digits, `_` and `-`. The same id always gives the same result. */
internal fun toolUseId(id: String): String = if (id.isEmpty()) "_" else shortId(NOT_IN_ID.replace(id, "_"), MAX_TOOL_USE_ID)

private fun hash(id: String, length: Int): String {
    var hash = id.fold(FNV_OFFSET) { hash, char -> (hash xor char.code.toLong()) * FNV_PRIME }
    return buildString {
        repeat(length) {
            append(ALPHANUMERIC[(hash ushr 1).mod(ALPHANUMERIC.length)])
            hash = (hash xor (hash ushr HASH_SHIFT)) * FNV_PRIME
        }
    }
}

private val NOT_IN_ID = Regex("[^a-zA-Z0-9_-]")
private const val MAX_TOOL_USE_ID = 64
private const val HASH_LENGTH = 11
private const val FNV_OFFSET = -3750763034362895579L
private const val FNV_PRIME = 1099511628211L
private const val HASH_SHIFT = 29
private const val ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
