package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration

/** How long a call may take in each of its phases. All but [total] are of one attempt. */
public class Timeouts private constructor(builder: Builder) {
    /** Until the connection stands. Counted into [firstByte] as well. */
    @get:JvmSynthetic
    public val connect: Duration = builder.connect

    /** Until the head of the response has arrived. */
    @get:JvmSynthetic
    public val firstByte: Duration = builder.firstByte

    /** Between two arrivals of bytes, comments and pings included. */
    @get:JvmSynthetic
    public val idle: Duration = builder.idle

    /** Between two events that carry content, however many pings arrive meanwhile. */
    @get:JvmSynthetic
    public val noContent: Duration = builder.noContent

    /** From the start of the call to its end, over all attempts and the time that the reader takes. */
    @get:JvmSynthetic
    public val total: Duration = builder.total

    override fun equals(other: Any?): Boolean = other is Timeouts && all() == other.all()

    override fun hashCode(): Int = all().hashCode()

    override fun toString(): String = "Timeouts(connect=$connect, firstByte=$firstByte, idle=$idle, noContent=$noContent, total=$total)"

    private fun all() = listOf(connect, firstByte, idle, noContent, total)

    @LlmDsl
    public class Builder @InternalLlmApi constructor(from: Timeouts?) {
        @get:JvmSynthetic @set:JvmSynthetic
        public var connect: Duration = from?.connect ?: 5.seconds

        @get:JvmSynthetic @set:JvmSynthetic
        public var firstByte: Duration = from?.firstByte ?: 60.seconds

        @get:JvmSynthetic @set:JvmSynthetic
        public var idle: Duration = from?.idle ?: 60.seconds

        @get:JvmSynthetic @set:JvmSynthetic
        public var noContent: Duration = from?.noContent ?: 5.minutes

        @get:JvmSynthetic @set:JvmSynthetic
        public var total: Duration = from?.total ?: 10.minutes

        public fun connect(timeout: java.time.Duration): Builder = apply { connect = timeout.toKotlinDuration() }

        public fun firstByte(timeout: java.time.Duration): Builder = apply { firstByte = timeout.toKotlinDuration() }

        public fun idle(timeout: java.time.Duration): Builder = apply { idle = timeout.toKotlinDuration() }

        public fun noContent(timeout: java.time.Duration): Builder = apply { noContent = timeout.toKotlinDuration() }

        public fun total(timeout: java.time.Duration): Builder = apply { total = timeout.toKotlinDuration() }

        /** @throws IllegalArgumentException if one is not positive */
        @InternalLlmApi
        public fun build(): Timeouts {
            for ((name, value) in listOf("connect" to connect, "firstByte" to firstByte, "idle" to idle, "noContent" to noContent, "total" to total)) {
                require(value.isPositive()) { "timeouts.$name must be positive, was $value" }
            }
            return Timeouts(this)
        }
    }

    public fun connect(): java.time.Duration = connect.toJavaDuration()

    public fun firstByte(): java.time.Duration = firstByte.toJavaDuration()

    public fun idle(): java.time.Duration = idle.toJavaDuration()

    public fun noContent(): java.time.Duration = noContent.toJavaDuration()

    public fun total(): java.time.Duration = total.toJavaDuration()

    public companion object {
        @JvmField
        public val DEFAULT: Timeouts = Builder(null).build()
    }
}
