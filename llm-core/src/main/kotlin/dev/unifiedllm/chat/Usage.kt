package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi

/**
 * The tokens of one response, counted the same way for all providers.
 *
 * [inputTokens] and [outputTokens] are inclusive totals; the other counters are parts of them. Null means not reported, 0 means zero.
 */
public class Usage private constructor(builder: Builder) {
    /** All tokens sent, those read from and written to a cache included. */
    @get:JvmName("inputTokens")
    public val inputTokens: Long? = builder.inputTokens

    /** All tokens received, reasoning included. */
    @get:JvmName("outputTokens")
    public val outputTokens: Long? = builder.outputTokens

    @get:JvmName("cacheReadTokens")
    public val cacheReadTokens: Long? = builder.cacheReadTokens

    /** All tokens written to a cache, whatever their time to live. */
    @get:JvmName("cacheWriteTokens")
    public val cacheWriteTokens: Long? = builder.cacheWriteTokens

    /** The part of [cacheWriteTokens] that is kept for five minutes. */
    @get:JvmName("cacheWrite5mTokens")
    public val cacheWrite5mTokens: Long? = builder.cacheWrite5mTokens

    /** The part of [cacheWriteTokens] that is kept for an hour. */
    @get:JvmName("cacheWrite1hTokens")
    public val cacheWrite1hTokens: Long? = builder.cacheWrite1hTokens

    @get:JvmName("reasoningTokens")
    public val reasoningTokens: Long? = builder.reasoningTokens

    @get:JvmName("audioInputTokens")
    public val audioInputTokens: Long? = builder.audioInputTokens

    @get:JvmName("audioOutputTokens")
    public val audioOutputTokens: Long? = builder.audioOutputTokens

    /** The part of [outputTokens] that is images. */
    @get:JvmName("imageTokens")
    public val imageTokens: Long? = builder.imageTokens

    /** The billed input tokens, if they differ from [inputTokens]; otherwise null. */
    @get:JvmSynthetic internal val billedInputTokens: Long? = builder.billedInputTokens

    /** The billed output tokens, if they differ from [outputTokens]; otherwise null. */
    @get:JvmSynthetic internal val billedOutputTokens: Long? = builder.billedOutputTokens

    /** What else the price depends on. Does not count in equality. */
    @get:JvmSynthetic internal val billing: Billing = builder.billing

    /** True if the model or interceptor that built this usage counted the tokens itself. */
    @get:JvmName("estimated")
    public val estimated: Boolean = builder.estimated

    /** [inputTokens] plus [outputTokens]; null unless both are known. */
    @get:JvmName("totalTokens")
    public val totalTokens: Long? get() = if (inputTokens == null || outputTokens == null) null else sum(inputTokens, outputTokens)

    /** Adds each counter. If only one side has a counter, its value is taken. A sum that is greater than [Long.MAX_VALUE] is [Long.MAX_VALUE]. */
    public operator fun plus(other: Usage): Usage = build {
        inputTokens = sum(this@Usage.inputTokens, other.inputTokens)
        outputTokens = sum(this@Usage.outputTokens, other.outputTokens)
        cacheReadTokens = sum(this@Usage.cacheReadTokens, other.cacheReadTokens)
        cacheWriteTokens = sum(this@Usage.cacheWriteTokens, other.cacheWriteTokens)
        cacheWrite5mTokens = sum(this@Usage.cacheWrite5mTokens, other.cacheWrite5mTokens)
        cacheWrite1hTokens = sum(this@Usage.cacheWrite1hTokens, other.cacheWrite1hTokens)
        reasoningTokens = sum(this@Usage.reasoningTokens, other.reasoningTokens)
        audioInputTokens = sum(this@Usage.audioInputTokens, other.audioInputTokens)
        audioOutputTokens = sum(this@Usage.audioOutputTokens, other.audioOutputTokens)
        imageTokens = sum(this@Usage.imageTokens, other.imageTokens)
        billedInputTokens = sum(this@Usage.billedInputTokens, other.billedInputTokens)
        billedOutputTokens = sum(this@Usage.billedOutputTokens, other.billedOutputTokens)
        billing = this@Usage.billing + other.billing
        estimated = this@Usage.estimated || other.estimated
    }

    private fun fields() = listOf(
        "inputTokens" to inputTokens,
        "outputTokens" to outputTokens,
        "cacheReadTokens" to cacheReadTokens,
        "cacheWriteTokens" to cacheWriteTokens,
        "cacheWrite5mTokens" to cacheWrite5mTokens,
        "cacheWrite1hTokens" to cacheWrite1hTokens,
        "reasoningTokens" to reasoningTokens,
        "audioInputTokens" to audioInputTokens,
        "audioOutputTokens" to audioOutputTokens,
        "imageTokens" to imageTokens,
        "billedInputTokens" to billedInputTokens,
        "billedOutputTokens" to billedOutputTokens,
        "estimated" to true.takeIf { estimated },
    )

    override fun equals(other: Any?): Boolean = other is Usage && fields() == other.fields()

    override fun hashCode(): Int = fields().hashCode()

    override fun toString(): String = fields().filter { it.second != null }.joinToString(", ", "Usage(", ")") { "${it.first}=${it.second}" }

    public class Builder @InternalLlmApi constructor() {
        @get:JvmSynthetic @set:JvmSynthetic
        public var inputTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var outputTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var cacheReadTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var cacheWriteTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var cacheWrite5mTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var cacheWrite1hTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var reasoningTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var audioInputTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var audioOutputTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        public var imageTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        internal var billedInputTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        internal var billedOutputTokens: Long? = null

        @get:JvmSynthetic @set:JvmSynthetic
        internal var billing: Billing = Billing.STANDARD

        @get:JvmSynthetic @set:JvmSynthetic
        public var estimated: Boolean = false

        public fun inputTokens(tokens: Long): Builder = apply { inputTokens = tokens }

        public fun outputTokens(tokens: Long): Builder = apply { outputTokens = tokens }

        public fun cacheReadTokens(tokens: Long): Builder = apply { cacheReadTokens = tokens }

        public fun cacheWriteTokens(tokens: Long): Builder = apply { cacheWriteTokens = tokens }

        public fun reasoningTokens(tokens: Long): Builder = apply { reasoningTokens = tokens }

        public fun estimated(estimated: Boolean): Builder = apply { this.estimated = estimated }

        @InternalLlmApi
        public fun build(): Usage = Usage(this)
    }

    public companion object {
        @JvmSynthetic
        public fun build(block: Builder.() -> Unit): Usage = Builder().apply(block).build()

        @JvmStatic
        public fun build(block: java.util.function.Consumer<Builder>): Usage = Builder().also(block::accept).build()

        @JvmStatic
        public fun of(inputTokens: Long, outputTokens: Long): Usage = Builder().inputTokens(inputTokens).outputTokens(outputTokens).build()

        private fun sum(a: Long?, b: Long?): Long? = if (a == null) {
            b
        } else if (b == null) {
            a
        } else {
            saturated(a, b)
        }

        /** What a server counts wrongly must fail no call, and must not become negative. */
        private fun saturated(a: Long, b: Long): Long {
            val sum = a + b
            val hasOverflown = (a xor sum) and (b xor sum) < 0
            if (!hasOverflown) return sum
            return if (a < 0) Long.MIN_VALUE else Long.MAX_VALUE
        }
    }
}
