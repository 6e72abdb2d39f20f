package dev.unifiedllm.provider

import kotlinx.serialization.Serializable

/** What one request for embeddings may hold. Null: no limit is known. */
@Serializable
internal data class EmbeddingLimits(
    /** The models that the limits are for. */
    val pattern: String = ".*",
    val maxInputs: Int? = null,
    /** Tokens of all inputs together. */
    val maxTokens: Int? = null,
    /** True if an input without a character makes the whole request fail. */
    val refusesEmpty: Boolean = false,
) {
    private val regex by lazy { Regex(pattern) }

    fun matches(name: String): Boolean = regex.matches(name)

    /** [inputs] in as many parts as the limits need, in their order. An input that is too long by itself is a part of its own: the provider judges it. */
    fun batches(inputs: List<String>): List<List<String>> {
        val tokenLimit = maxTokens
        if (tokenLimit == null) return if (maxInputs == null) listOf(inputs) else inputs.chunked(maxInputs)
        val batches = mutableListOf<MutableList<String>>()
        var tokens = 0L
        for (input in inputs) {
            val more = tokensAtMost(input)
            val last = batches.lastOrNull()
            if (last == null || last.size == maxInputs || tokens + more > tokenLimit) {
                batches += mutableListOf(input)
                tokens = more
            } else {
                last += input
                tokens += more
            }
        }
        return batches
    }

    private companion object {
        /** More tokens than texts of any language have, as a rule: a token has four bytes of English text, and about three of Chinese. */
        fun tokensAtMost(text: String): Long {
            val bytes = text.sumOf { char ->
                (
                    if (char.code < 0x80) {
                        1
                    } else if (char.code < 0x800 || char.isSurrogate()) {
                        2
                    } else {
                        3
                    }
                    ).toLong()
            }
            return bytes / BYTES_PER_TOKEN + 1
        }

        const val BYTES_PER_TOKEN = 2
    }
}
