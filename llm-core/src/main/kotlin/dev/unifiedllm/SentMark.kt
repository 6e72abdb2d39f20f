package dev.unifiedllm

import dev.unifiedllm.chat.ModelId

/** Whether a call has been sent, without a reference to the call: a notebook says which calls a cell made and dropped. */
@InternalLlmApi
public class SentMark internal constructor(
    /** The model that the call would ask. */
    @get:JvmSynthetic
    public val model: ModelId,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** True for a call that was sent, or cancelled before. */
    @Volatile
    @get:JvmSynthetic
    @set:JvmSynthetic
    public var isSent: Boolean = false
        internal set

    public companion object {
        /** Gets each new call and its mark, on the thread that makes the call; null for nobody. It must not keep the call, and must not throw. */
        @Volatile
        @get:JvmSynthetic
        @set:JvmSynthetic
        public var observer: ((call: Any, mark: SentMark) -> Unit)? = null
    }
}
