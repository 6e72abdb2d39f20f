package dev.unifiedllm.chat

/** Why a response ended. @property raw the provider's own value; null if it gave none */
public data class FinishReason @JvmOverloads constructor(
    @get:JvmName("kind") public val kind: Kind,
    @get:JvmName("raw") public val raw: String? = null,
) {
    public enum class Kind {
        /** The model ended by itself, or reached a stop sequence. */
        STOP,

        /** maxTokens or the context was used up: the text is cut. */
        LENGTH,

        /** The model calls tools. */
        TOOL_CALLS,

        /** The provider withheld text. */
        CONTENT_FILTER,

        /** The model declined. */
        REFUSAL,

        /** The provider reports an error. */
        ERROR,

        /** The tool loop reached its limit of responses: the last tool calls were not run. */
        MAX_ITERATIONS,

        /** Another reason: see [FinishReason.raw]. */
        OTHER,

        /** The response is complete, without a reason. */
        UNKNOWN,
    }

    public companion object {
        @JvmField
        public val STOP: FinishReason = FinishReason(Kind.STOP, "stop")
    }
}
