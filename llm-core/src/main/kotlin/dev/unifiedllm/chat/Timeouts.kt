package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration

/**
 * Time limits of a call. Null: not set here, so that the limit of the model holds, else that of the client, else the default.
 *
 * All but [total] are limits of one attempt. The defaults of [firstByte], [idle] and [noContent] are for streams of providers: a response in one piece, such
 * as an image, and a server that users run themselves have only [total] until their response begins.
 */
public class Timeouts private constructor(builder: Builder) {
    /** Until the connection is established. Part of [firstByte]. 5 s by default. */
    @get:JvmSynthetic
    public val connect: Duration? = builder.connect

    /** Until the head of the response has arrived. 60 s by default for streams. */
    @get:JvmSynthetic
    public val firstByte: Duration? = builder.firstByte

    /** Between two arrivals of bytes, comments and pings included. 60 s by default. */
    @get:JvmSynthetic
    public val idle: Duration? = builder.idle

    /** Between two events that carry content, however many pings arrive meanwhile. 5 min by default. */
    @get:JvmSynthetic
    public val noContent: Duration? = builder.noContent

    /**
     * From the start of the call to its end: all attempts, the waits between them and the consumer's own time included. Null: the variable REQUEST_TIMEOUT, in
     * seconds, else 10 min.
     */
    @get:JvmSynthetic
    public val total: Duration? = builder.total

    public fun connect(): java.time.Duration? = connect?.toJavaDuration()

    public fun firstByte(): java.time.Duration? = firstByte?.toJavaDuration()

    public fun idle(): java.time.Duration? = idle?.toJavaDuration()

    public fun noContent(): java.time.Duration? = noContent?.toJavaDuration()

    public fun total(): java.time.Duration? = total?.toJavaDuration()

    /** These limits, and those of [defaults] where there is none. */
    @JvmSynthetic
    internal fun over(defaults: Timeouts?): Timeouts = if (defaults == null) this else Builder(defaults).also { it.add(this) }.build()

    /**
     * The limits of one attempt.
     *
     * @param isStreamed false for a response in one piece, which comes when it is complete
     * @param isRunByUser true for a server of the user's own, which may have to load its model
     */
    @JvmSynthetic
    internal fun deadlines(isStreamed: Boolean = true, isRunByUser: Boolean = false): Deadlines {
        val default = Deadlines.DEFAULT
        val patience = when {
            !isStreamed -> Deadlines.Patience.UNTIL_BODY
            isRunByUser -> Deadlines.Patience.UNTIL_CONTENT
            else -> Deadlines.Patience.NONE
        }
        return Deadlines(
            connect ?: default.connect,
            firstByte ?: if (isStreamed && !isRunByUser) default.firstByte else Duration.INFINITE,
            idle ?: default.idle,
            noContent ?: if (isStreamed) default.noContent else Duration.INFINITE,
            total ?: default.total,
            if (idle == null) patience else Deadlines.Patience.NONE,
            if (noContent == null) patience else Deadlines.Patience.NONE,
        )
    }

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

        @JvmSynthetic
        internal fun add(other: Timeouts) {
            connect = other.connect ?: connect
            firstByte = other.firstByte ?: firstByte
            idle = other.idle ?: idle
            noContent = other.noContent ?: noContent
            total = other.total ?: total
        }

        @InternalLlmApi
        @JvmSynthetic
        public fun build(): Timeouts = Timeouts(this)

        private inline fun positive(name: String, value: Duration?, set: () -> Unit) {
            require(value == null || value.isPositive()) { "timeouts.$name must be positive, was $value" }
            set()
        }
    }
}

/** No limit is set. */
internal val NO_TIMEOUTS: Timeouts = Timeouts.Builder(null).build()

/** The time limits that hold for one attempt. An infinite one is bounded by the total time of the call. */
internal class Deadlines(
    val connect: Duration,
    val firstByte: Duration,
    val idle: Duration,
    val noContent: Duration,
    val total: Duration,
    private val idlePatience: Patience = Patience.NONE,
    private val contentPatience: Patience = Patience.NONE,
) {
    /** Until when a limit does not count. */
    enum class Patience {
        /** It counts from the head of the response on. */
        NONE,

        /** Until the first byte of the body: a response in one piece is made before it is sent. */
        UNTIL_BODY,

        /** Until the first content: a server of the user's may load its model and read a long prompt first. */
        UNTIL_CONTENT,
    }

    /** The limit between two arrivals of bytes. @param hasBody true once the body has begun */
    fun idle(hasBody: Boolean, hasContent: Boolean): Duration = limit(idle, idlePatience, hasBody, hasContent)

    /** The limit between two arrivals of content. @param hasBody true once the body has begun */
    fun noContent(hasBody: Boolean, hasContent: Boolean): Duration = limit(noContent, contentPatience, hasBody, hasContent)

    private fun limit(limit: Duration, patience: Patience, hasBody: Boolean, hasContent: Boolean): Duration {
        val isPatient = (patience == Patience.UNTIL_BODY && !hasBody) || (patience == Patience.UNTIL_CONTENT && !hasContent)
        return if (isPatient) Duration.INFINITE else limit
    }

    companion object {
        val DEFAULT: Deadlines = Deadlines(5.seconds, 60.seconds, 60.seconds, 5.minutes, 10.minutes)
    }
}
