package dev.unifiedllm.chat

/** Why an answer ended. @property raw the provider's own word; null if it gave none */
public data class FinishReason @JvmOverloads constructor(
    @get:JvmName("kind") public val kind: Kind,
    @get:JvmName("raw") public val raw: String? = null,
) {
    public enum class Kind {
        /** The model was done, or met a stop sequence. */
        STOP,

        /** maxTokens or the context was used up: the text is cut. */
        LENGTH,

        /** The model asks for tools. */
        TOOL_CALLS,

        /** The provider held text back. */
        CONTENT_FILTER,

        /** The model declined. */
        REFUSAL,

        /** The provider says that it failed. */
        ERROR,

        /** A reason without a name of ours: see [FinishReason.raw]. */
        OTHER,

        /** The answer ended properly and no reason was given. */
        UNKNOWN,
    }

    public companion object {
        @JvmField
        public val STOP: FinishReason = FinishReason(Kind.STOP, "stop")
    }
}
