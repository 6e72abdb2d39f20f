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

    public companion object {
        private const val MAX_LENGTH = 512

        /** @throws IllegalArgumentException if [text] is blank, has control characters or white space, or is longer than 512 characters */
        @JvmStatic
        public fun parse(text: String): ModelId {
            require(text.isNotBlank()) { "a model is named \"provider/model\", for example \"ollama/llama3\"; the name was empty" }
            require(text.length <= MAX_LENGTH) { "a model's name has at most $MAX_LENGTH characters, this one has ${text.length}" }
            require(text.none { it.isWhitespace() || it.isISOControl() }) { "a model's name has no white space or control characters: \"${text.trim()}\"" }
            val slash = text.indexOf('/')
            if (slash < 0) return ModelId("", text)
            require(slash > 0 && slash < text.lastIndex) { "a model is named \"provider/model\", for example \"ollama/llama3\", not \"$text\"" }
            return ModelId(text.substring(0, slash), text.substring(slash + 1))
        }
    }
}
