package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi

/** An API key. Its [toString] is `***`. */
public class ApiKey private constructor(private val value: String) {
    /** The key itself, for the header that carries it. */
    @InternalLlmApi
    public fun reveal(): String = value

    override fun equals(other: Any?): Boolean = other is ApiKey && value == other.value

    override fun hashCode(): Int = value.hashCode()

    override fun toString(): String = "***"

    public companion object {
        private const val QUOTES = "\"'`"
        private const val BYTE_ORDER_MARK = '\uFEFF'

        /**
         * The key in [text], white space and a byte order mark around it cut off.
         *
         * @throws IllegalArgumentException if nothing is left, or there are quotation marks around it, or line breaks, blanks or characters that no header can carry in it;
         * the message does not show the key
         */
        @JvmStatic
        public fun of(text: String): ApiKey {
            val trimmed = text.trim { it.isWhitespace() || it == BYTE_ORDER_MARK || it.isISOControl() }
            require(trimmed.isNotEmpty()) { "the API key is empty" }
            require(trimmed.none { it == '\n' || it == '\r' }) { "the API key has a line break in it: was more than one line copied?" }
            require(trimmed.first() !in QUOTES && trimmed.last() !in QUOTES) { "the API key stands in quotation marks: leave them out" }
            require(
                trimmed.all {
                    it in '!'..'~'
                },
            ) { "the API key has a blank or a character in it that keys never have: was it copied whole, without typographic quotes?" }
            return ApiKey(trimmed)
        }
    }
}
