package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl

/**
 * What belongs to a call but not to the question: who calls, for what, and by which rules.
 *
 * Immutable; never encoded for a provider, never part of a cache key.
 */
public class CallContext private constructor(builder: Builder) {
    /** Names the logical call in all its attempts; null before it starts. */
    @get:JvmName("callId")
    public val callId: String? = builder.callId

    /** A label for the client that makes the call. */
    @get:JvmName("client")
    public val client: String? = builder.client

    /** What the call is for, as the caller named it. */
    @get:JvmName("task")
    public val task: String? = builder.task

    @get:JvmName("tags")
    public val tags: List<String> = builder.tags.toList()

    /** Asked in their order after the first model, each only if the one before failed before its first content. */
    @get:JvmName("fallbacks")
    public val fallbacks: List<ModelRef> = builder.fallbacks.toList()

    /** False switches all fallbacks off, those of the client included; null leaves it to the client. */
    @get:JvmName("enableFallback")
    public val enableFallback: Boolean? = builder.enableFallback

    /** Used for the first model instead of the client's key. */
    @get:JvmName("apiKey")
    public val apiKey: ApiKey? = builder.apiKey

    /** True: an option that a model or its wire lacks is an error instead of a warning. */
    @get:JvmName("strict")
    public val strict: Boolean = builder.strict

    /** Null: the client's. */
    @get:JvmName("timeouts")
    public val timeouts: Timeouts? = builder.timeouts

    /** A copy with the changes that [block] makes. */
    @JvmSynthetic
    public fun with(block: Builder.() -> Unit): CallContext = Builder(this).apply(block).build()

    @LlmDsl
    public class Builder @InternalLlmApi constructor(from: CallContext?) {
        internal var callId: String? = from?.callId
        internal var client: String? = from?.client

        @get:JvmSynthetic @set:JvmSynthetic
        public var task: String? = from?.task
        internal val tags: MutableList<String> = from?.tags.orEmpty().toMutableList()
        internal val fallbacks: MutableList<ModelRef> = from?.fallbacks.orEmpty().toMutableList()

        @get:JvmSynthetic @set:JvmSynthetic
        public var enableFallback: Boolean? = from?.enableFallback

        @get:JvmSynthetic @set:JvmSynthetic
        public var apiKey: ApiKey? = from?.apiKey

        @get:JvmSynthetic @set:JvmSynthetic
        public var strict: Boolean = from?.strict ?: false

        @get:JvmSynthetic @set:JvmSynthetic
        public var timeouts: Timeouts? = from?.timeouts

        internal fun build(): CallContext = CallContext(this)
    }

    public companion object {
        @JvmField
        public val EMPTY: CallContext = Builder(null).build()
    }
}
