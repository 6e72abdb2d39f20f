package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration

/** What becomes of a response that is interrupted after its first content. */
public enum class OnInterrupted {
    /** The call fails with the partial response. */
    FAIL,

    /** The response starts again: [Delta.Reset], then another attempt. Consumers discard what they have shown. */
    RESTART,

    /**
     * The next attempt gets the text so far and continues it, on models that continue a message of the assistant. A response with anything else than text,
     * or of another model, fails.
     */
    CONTINUE,
}

/**
 * When and how often a failed attempt is sent again. Null: not set here, so that the policy of the client holds, or its default.
 *
 * An attempt is repeated if it failed before its first content, and its failure is retryable. The wait before retry number n, from 0, is
 * `baseDelay * 2^n`, at most [maxDelay], less up to a half of it by chance. A wait that the provider asks for (Retry-After) replaces it.
 */
public class RetryPolicy private constructor(builder: Builder) {
    /** How many times an attempt at one model is repeated. 2 by default; 0 turns retries off. */
    @get:JvmName("maxRetries")
    public val maxRetries: Int? = builder.maxRetries

    /** The wait before the first retry. 0.5 s by default. */
    @get:JvmSynthetic
    public val baseDelay: Duration? = builder.baseDelay

    /** The longest wait that is not asked for by the provider. 8 s by default. */
    @get:JvmSynthetic
    public val maxDelay: Duration? = builder.maxDelay

    /** The longest wait that a provider may ask for: if it asks for more, the attempt fails at once. 120 s by default. */
    @get:JvmSynthetic
    public val maxRetryAfter: Duration? = builder.maxRetryAfter

    /** What becomes of a response that is interrupted after its first content. [OnInterrupted.FAIL] by default. */
    @get:JvmName("onInterrupted")
    public val onInterrupted: OnInterrupted? = builder.onInterrupted

    public fun baseDelay(): java.time.Duration? = baseDelay?.toJavaDuration()

    public fun maxDelay(): java.time.Duration? = maxDelay?.toJavaDuration()

    public fun maxRetryAfter(): java.time.Duration? = maxRetryAfter?.toJavaDuration()

    /** The rules that hold where [defaults] are those of the client. */
    @JvmSynthetic
    internal fun over(defaults: RetryRules): RetryRules = RetryRules(
        maxRetries ?: defaults.maxRetries,
        baseDelay ?: defaults.baseDelay,
        maxDelay ?: defaults.maxDelay,
        maxRetryAfter ?: defaults.maxRetryAfter,
        onInterrupted ?: defaults.onInterrupted,
    )

    override fun equals(other: Any?): Boolean = other is RetryPolicy && all() == other.all()

    override fun hashCode(): Int = all().hashCode()

    override fun toString(): String =
        "RetryPolicy(maxRetries=$maxRetries, baseDelay=$baseDelay, maxDelay=$maxDelay, maxRetryAfter=$maxRetryAfter, onInterrupted=$onInterrupted)"

    private fun all() = listOf(maxRetries, baseDelay, maxDelay, maxRetryAfter, onInterrupted)

    /** Sets the parts of a policy. @throws IllegalArgumentException if a number is out of its range */
    @LlmDsl
    public class Builder @InternalLlmApi constructor(from: RetryPolicy?) {
        @get:JvmSynthetic @set:JvmSynthetic
        public var maxRetries: Int? = from?.maxRetries
            set(value) {
                require(value == null || value in 0..MAX_RETRIES) { "retry.maxRetries must be from 0 to $MAX_RETRIES, was $value" }
                field = value
            }

        @get:JvmSynthetic @set:JvmSynthetic
        public var baseDelay: Duration? = from?.baseDelay
            set(value) = notNegative("baseDelay", value) { field = value }

        @get:JvmSynthetic @set:JvmSynthetic
        public var maxDelay: Duration? = from?.maxDelay
            set(value) = notNegative("maxDelay", value) { field = value }

        @get:JvmSynthetic @set:JvmSynthetic
        public var maxRetryAfter: Duration? = from?.maxRetryAfter
            set(value) = notNegative("maxRetryAfter", value) { field = value }

        @get:JvmSynthetic @set:JvmSynthetic
        public var onInterrupted: OnInterrupted? = from?.onInterrupted

        public fun maxRetries(count: Int): Builder = apply { maxRetries = count }

        public fun baseDelay(delay: java.time.Duration): Builder = apply { baseDelay = delay.toKotlinDuration() }

        public fun maxDelay(delay: java.time.Duration): Builder = apply { maxDelay = delay.toKotlinDuration() }

        public fun maxRetryAfter(delay: java.time.Duration): Builder = apply { maxRetryAfter = delay.toKotlinDuration() }

        public fun onInterrupted(policy: OnInterrupted): Builder = apply { onInterrupted = policy }

        @InternalLlmApi
        @JvmSynthetic
        public fun build(): RetryPolicy = RetryPolicy(this)

        private inline fun notNegative(name: String, value: Duration?, set: () -> Unit) {
            require(value == null || (!value.isNegative() && value.isFinite())) { "retry.$name must be finite and not negative, was $value" }
            set()
        }
    }

    private companion object {
        /** More attempts than this wait for longer than a call may take. */
        const val MAX_RETRIES = 100
    }
}

/** The retry policy that holds for one call. */
internal class RetryRules(
    val maxRetries: Int,
    val baseDelay: Duration,
    val maxDelay: Duration,
    val maxRetryAfter: Duration,
    val onInterrupted: OnInterrupted,
) {
    companion object {
        val DEFAULT: RetryRules = RetryRules(2, 500.milliseconds, 8.seconds, 120.seconds, OnInterrupted.FAIL)
    }
}
