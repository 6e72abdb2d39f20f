package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/**
 * A call that did not end well. Unchecked. The message says what happened, where, and what to do next; keys never stand in it.
 *
 * Whether trying again may help is decided where the failure is read: [isRetryable].
 */
public sealed class LlmException(
    message: String,
    cause: Throwable?,
    isRetryable: Boolean,
    details: Details,
) : RuntimeException(message, cause) {
    /** True if the same request may succeed later; what the provider says itself goes before what its status means. */
    @get:JvmName("isRetryable")
    public val isRetryable: Boolean = details.shouldRetry ?: isRetryable

    /** The provider that was asked; null if the call never got that far. */
    @get:JvmName("provider")
    public val provider: String? = details.model?.provider

    @get:JvmName("model")
    public val model: ModelId? = details.model

    /** The HTTP status of the answer; null if there was none. */
    @get:JvmName("status")
    public val status: Int? = details.status

    /** The provider's id of the request, to name in a question to it. */
    @get:JvmName("requestId")
    public val requestId: String? = details.requestId

    /** How long the provider asks to wait before the next try; null if it does not say. */
    @get:JvmSynthetic
    public val retryAfter: Duration? = details.retryAfter

    public fun retryAfter(): java.time.Duration? = retryAfter?.toJavaDuration()

    /** Every attempt of the call so far, in order, this failure included. */
    @get:JvmName("attempts")
    public var attempts: List<Delta.Attempt> = emptyList()
        @InternalLlmApi @JvmSynthetic
        set

    /** What had arrived before the failure; null if nothing had. */
    @get:JvmName("partial")
    public var partial: ChatResponse? = null
        @InternalLlmApi @JvmSynthetic
        set

    init {
        if (compact) generateSequence<Throwable>(this) { it.cause }.take(MAX_CAUSES).forEach { it.stackTrace = emptyArray() }
    }

    /** Where a failure happened. */
    public class Details @InternalLlmApi constructor(
        @get:JvmName("model") public val model: ModelId? = null,
        @get:JvmName("status") public val status: Int? = null,
        @get:JvmName("requestId") public val requestId: String? = null,
        @get:JvmSynthetic internal val shouldRetry: Boolean? = null,
        @get:JvmSynthetic internal val retryAfter: Duration? = null,
    ) {
        public companion object {
            @JvmField
            public val NONE: Details = Details()
        }
    }

    /** No answer has begun: the connection could not be made, or was lost before the head of a response. */
    public class Network @JvmOverloads constructor(
        message: String,
        @get:JvmName("phase") public val phase: Phase,
        cause: Throwable? = null,
        details: Details = Details.NONE,
    ) : LlmException(message, cause, phase != Phase.TLS && phase != Phase.PROXY, details) {
        public enum class Phase { DNS, CONNECT, TLS, PROXY, SEND }
    }

    /** A phase of the call took longer than its deadline. */
    public class Timeout @JvmOverloads constructor(
        message: String,
        @get:JvmName("phase") public val phase: Phase,
        cause: Throwable? = null,
        details: Details = Details.NONE,
    ) : LlmException(message, cause, phase != Phase.TOTAL, details) {
        public enum class Phase { CONNECT, FIRST_BYTE, IDLE, NO_CONTENT, TOTAL, POOL }
    }

    /** The answer ended before its terminal event: [partial] is cut. */
    public class StreamInterrupted @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, true, details)

    /** The provider's bytes break its own protocol. */
    public class MalformedResponse @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The key is missing at the provider, wrong or expired. */
    public class Authentication @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The key is good and may not do this. */
    public class PermissionDenied @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The provider has no such model, or no such address. */
    public class NotFound @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The provider, or this library, refuses the request as it is. */
    public class InvalidRequest @JvmOverloads constructor(
        message: String,
        @get:JvmName("kind") public val kind: Kind = Kind.BAD_REQUEST,
        cause: Throwable? = null,
        details: Details = Details.NONE,
        isRetryable: Boolean = kind == Kind.CONFLICT,
    ) : LlmException(message, cause, isRetryable, details) {
        public enum class Kind { BAD_REQUEST, CONFLICT, TOO_LARGE, UNPROCESSABLE, UNSUPPORTED }
    }

    /** Question and answer together are longer than the model can take. */
    public class ContextLengthExceeded @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The provider's filter stopped the question or the answer. */
    public class ContentFiltered @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** Too many requests or tokens for now. */
    public class RateLimited @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, true, details)

    /** The account's credit or quota is used up: waiting does not help. */
    public class QuotaExhausted @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The provider has too much to do. */
    public class Overloaded @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, true, details)

    /** The provider failed. */
    public class ServerError @JvmOverloads constructor(
        message: String,
        cause: Throwable? = null,
        details: Details = Details.NONE,
        isRetryable: Boolean = true,
    ) : LlmException(message, cause, isRetryable, details)

    /** A budget does not allow the call. */
    public class BudgetExceeded @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** Something must be set or changed on this side before any call: a key, a URL, a name. */
    public class Configuration @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The model and all its fallbacks failed: see [attempts]. The cause is the last failure, the others are suppressed. */
    public class AllFailed @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** A result was asked of a call that had been cancelled. */
    public class Cancelled @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    public companion object {
        private const val MAX_CAUSES = 16

        /** In a notebook a failure is read by its message: without stack traces, its own and its causes', it is one line a cause. */
        @InternalLlmApi
        @JvmStatic
        @Volatile
        @get:JvmSynthetic
        @set:JvmSynthetic
        public var compact: Boolean = false
    }

    /** The kind of failure and what it says: `RateLimited: …`. */
    override fun toString(): String = "LlmException.${this::class.java.simpleName}: $message"
}

/**
 * The last words of each message that advises a fallback. Every such message ends with them, so that [withoutFallbackAdvice] can leave them out.
 */
internal const val OR_ADD_A_FALLBACK: String = ", or add a fallback."

/** This message without the advice to add a fallback, for a call that has no fallback left. */
internal fun String.withoutFallbackAdvice(): String = if (endsWith(OR_ADD_A_FALLBACK)) removeSuffix(OR_ADD_A_FALLBACK) + "." else this
