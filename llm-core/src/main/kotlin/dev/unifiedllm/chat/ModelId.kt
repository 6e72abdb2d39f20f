package dev.unifiedllm.chat

/** Identifies a model: a [ModelId], or a `Model` itself, which has one. */
public interface ModelRef {
    public val id: ModelId
}

/**
 * A provider and a model's name there: `groq/llama-3.1-8b-instant`.
 *
 * Only the first `/` divides: in `openrouter/anthropic/claude-3-opus` the name is `anthropic/claude-3-opus`. [provider] is empty for a
 * bare name such as `gpt-4o`, for which a client finds the provider.
 */
public data class ModelId(
    @get:JvmName("provider") public val provider: String,
    @get:JvmName("name") public val name: String,
) : ModelRef {
    override val id: ModelId get() = this

    override fun toString(): String = if (provider.isEmpty()) name else "$provider/$name"

    /**
     * True if [other] is a model of the same provider by its name, on whatever wire: `openai/responses` is OpenAI too. Bare names and aliases name no
     * provider, so that one has only itself.
     */
    @JvmSynthetic
    internal fun sharesProvider(other: ModelId): Boolean =
        this == other || (provider.isNotEmpty() && provider.substringBefore('/') == other.provider.substringBefore('/'))

    public companion object {
        private const val MAX_LENGTH = 512

        /**
         * @throws IllegalArgumentException if [text] is blank, has control characters, white space or characters that cannot be seen, has "." or ".." as a
         * part between slashes, or is longer than 512 characters
         */
        @JvmStatic
        public fun parse(text: String): ModelId {
            require(text.isNotBlank()) { "a model is named \"provider/model\", for example \"ollama/llama3\"; the name was empty" }
            require(text.length <= MAX_LENGTH) { "a model's name has at most $MAX_LENGTH characters, this one has ${text.length}" }
            require(text.codePoints().noneMatch(::isUnseen)) { "a model's name has no white space or control characters: \"${shown(text.trim())}\"" }
            require(text.split('/').none { it == "." || it == ".." }) { "a model's name has no \".\" or \"..\" between slashes: \"$text\"" }
            val slash = text.indexOf('/')
            if (slash < 0) return ModelId("", text)
            require(slash > 0 && slash < text.lastIndex) { "a model is named \"provider/model\", for example \"ollama/llama3\", not \"$text\"" }
            return ModelId(text.substring(0, slash), text.substring(slash + 1))
        }

        private fun isUnseen(code: Int): Boolean =
            Character.isWhitespace(code) || Character.isSpaceChar(code) || Character.getType(code).toByte() in UNSEEN

        /** Characters that cannot be seen by their numbers, because they may control a terminal or reverse the text around them. */
        private fun shown(text: String): String = buildString {
            text.codePoints().forEach { code -> if (code != ' '.code && isUnseen(code)) append("\\u%04x".format(code)) else appendCodePoint(code) }
        }

        /** Controls, formats such as bidirectional overrides, and halves of pairs. */
        private val UNSEEN = setOf(Character.CONTROL, Character.FORMAT, Character.SURROGATE)
    }
}
