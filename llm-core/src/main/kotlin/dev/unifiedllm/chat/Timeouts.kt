package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration

/**
 * Time limits of a call. Null: not set here, so that the limit of the client holds, or its default.
 *
 * All but [total] are limits of one attempt.
 */
public class Timeouts private constructor(builder: Builder) {
    /** Until the connection is established. Part of [firstByte]. 5 s by default. */
    @get:JvmSynthetic
    public val connect: Duration? = builder.connect

    /** Until the head of the response has arrived. 60 s by default. */
    @get:JvmSynthetic
    public val firstByte: Duration? = builder.firstByte

    /** Between two arrivals of bytes, comments and pings included. 60 s by default. */
    @get:JvmSynthetic
    public val idle: Duration? = builder.idle

    /** Between two events that carry content, however many pings arrive meanwhile. 5 min by default. */
    @get:JvmSynthetic
    public val noContent: Duration? = builder.noContent

    /** From the start of the call to its end, all attempts and the consumer's own time included. 10 min by default. */
    @get:JvmSynthetic
    public val total: Duration? = builder.total

    public fun connect(): java.time.Duration? = connect?.toJavaDuration()

    public fun firstByte(): java.time.Duration? = firstByte?.toJavaDuration()

    public fun idle(): java.time.Duration? = idle?.toJavaDuration()

    public fun noContent(): java.time.Duration? = noContent?.toJavaDuration()

    public fun total(): java.time.Duration? = total?.toJavaDuration()

    /** The limits that hold where [defaults] are those of the client. */
    @JvmSynthetic
    internal fun over(defaults: Deadlines): Deadlines = Deadlines(
        connect ?: defaults.connect,
        firstByte ?: defaults.firstByte,
        idle ?: defaults.idle,
        noContent ?: defaults.noContent,
        total ?: defaults.total,
    )

    override fun equals(other: Any?): Boolean = other is Timeouts && all() == other.all()

    override fun hashCode(): Int = all().hashCode()

    override fun toString(): String = "Timeouts(connect=$connect, firstByte=$firstByte, idle=$idle, noContent=$noContent, total=$total)"

    private fun all() = listOf(connect, firstByte, idle, noContent, total)

    /** Sets limits. @throws IllegalArgumentException if one is not positive */
    @LlmDsl
    public class Builder @InternalLlmApi constructor(from: Timeouts?) {
        @get:JvmSynthetic @set:JvmSynthetic
        public var connect: Duration? = from?.connect
            set(value) = positive("connect", value) { field = value }

        @get:JvmSynthetic @set:JvmSynthetic
        public var firstByte: Duration? = from?.firstByte
            set(value) = positive("firstByte", value) { field = value }

        @get:JvmSynthetic @set:JvmSynthetic
        public var idle: Duration? = from?.idle
            set(value) = positive("idle", value) { field = value }

        @get:JvmSynthetic @set:JvmSynthetic
        public var noContent: Duration? = from?.noContent
            set(value) = positive("noContent", value) { field = value }

        @get:JvmSynthetic @set:JvmSynthetic
        public var total: Duration? = from?.total
            set(value) = positive("total", value) { field = value }

        public fun connect(timeout: java.time.Duration): Builder = apply { connect = timeout.toKotlinDuration() }

        public fun firstByte(timeout: java.time.Duration): Builder = apply { firstByte = timeout.toKotlinDuration() }

        public fun idle(timeout: java.time.Duration): Builder = apply { idle = timeout.toKotlinDuration() }

        public fun noContent(timeout: java.time.Duration): Builder = apply { noContent = timeout.toKotlinDuration() }

        public fun total(timeout: java.time.Duration): Builder = apply { total = timeout.toKotlinDuration() }

        @InternalLlmApi
        @JvmSynthetic
        public fun build(): Timeouts = Timeouts(this)

        private inline fun positive(name: String, value: Duration?, set: () -> Unit) {
            require(value == null || value.isPositive()) { "timeouts.$name must be positive, was $value" }
            set()
        }
    }
}

/** The time limits that hold for one call. */
internal class Deadlines(val connect: Duration, val firstByte: Duration, val idle: Duration, val noContent: Duration, val total: Duration) {
    companion object {
        val DEFAULT: Deadlines = Deadlines(5.seconds, 60.seconds, 60.seconds, 5.minutes, 10.minutes)
    }
}
