package dev.unifiedllm

import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.RateLimits
import dev.unifiedllm.chat.Usd
import java.io.PrintWriter
import java.util.concurrent.atomic.AtomicLong
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/**
 * The failure of a call. Unchecked. The message states the model and what happened and, where there is one, the next step. It never contains a key.
 *
 * [isRetryable] is decided where the failure is read.
 */
public sealed class LlmException(
    message: String,
    cause: Throwable?,
    isRetryable: Boolean,
    details: Details,
) : RuntimeException(message, cause) {
    /** True if the same request may succeed later. What the provider says about it replaces what its status means. */
    @get:JvmName("isRetryable")
    public val isRetryable: Boolean = details.shouldRetry ?: isRetryable

    /** The provider that was called; null if the call failed before. */
    @get:JvmName("provider")
    public val provider: String? = details.model?.provider

    @get:JvmName("model")
    public val model: ModelId? = details.model

    /** The HTTP status of the response; null if there was none. */
    @get:JvmName("status")
    public val status: Int? = details.status

    /** The provider's id of the request, to name in a support request; null if it gave none. */
    @get:JvmName("requestId")
    public val requestId: String? = details.requestId

    /** How long the provider asks to wait before the next request; null if it does not say. */
    @get:JvmSynthetic
    public val retryAfter: Duration? = details.retryAfter

    public fun retryAfter(): java.time.Duration? = retryAfter?.toJavaDuration()

    /** What the headers of the response said; null if there was none, or it said nothing. */
    @get:JvmSynthetic @set:JvmSynthetic
    internal var rateLimits: RateLimits? = null

    /** All attempts of the call, in order, this failure included. */
    @get:JvmName("attempts")
    public var attempts: List<Delta.Attempt> = emptyList()
        @InternalLlmApi @JvmSynthetic
        set(value) {
            field = value
            describedAt = descriptions.incrementAndGet()
        }

    /** What had arrived before the failure; null if nothing had. */
    @get:JvmName("partial")
    public var partial: ChatResponse? = null
        @InternalLlmApi @JvmSynthetic
        set

    /** The number of [descriptions] when [attempts] was set; 0 if it never was. */
    @get:JvmSynthetic @set:JvmSynthetic
    internal var describedAt: Long = 0

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

    /** The connection could not be made, or was lost before the head of a response. */
    public class Network @JvmOverloads constructor(
        message: String,
        @get:JvmName("phase") public val phase: Phase,
        cause: Throwable? = null,
        details: Details = Details.NONE,
    ) : LlmException(message, cause, phase != Phase.TLS && phase != Phase.PROXY, details) {
        public enum class Phase { DNS, CONNECT, TLS, PROXY, SEND }
    }

    /** A phase of the call took longer than its time limit. */
    public class Timeout @JvmOverloads constructor(
        message: String,
        @get:JvmName("phase") public val phase: Phase,
        cause: Throwable? = null,
        details: Details = Details.NONE,
    ) : LlmException(message, cause, phase != Phase.TOTAL, details) {
        public enum class Phase { CONNECT, FIRST_BYTE, IDLE, NO_CONTENT, TOTAL, POOL }
    }

    /** The stream ended before it was complete: [partial] is cut. */
    public class StreamInterrupted @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, true, details)

    /** The bytes of the response are not those of the protocol. */
    public class MalformedResponse @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The key is missing, wrong or expired. */
    public class Authentication @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The key is valid, or the other credentials are, but they do not allow this. */
    public class PermissionDenied @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The provider has no such model or path. */
    public class NotFound @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The provider or this library rejects the request as it is. */
    public class InvalidRequest @JvmOverloads constructor(
        message: String,
        @get:JvmName("kind") public val kind: Kind = Kind.BAD_REQUEST,
        cause: Throwable? = null,
        details: Details = Details.NONE,
        isRetryable: Boolean = kind == Kind.CONFLICT,
    ) : LlmException(message, cause, isRetryable, details) {
        public enum class Kind { BAD_REQUEST, CONFLICT, TOO_LARGE, UNPROCESSABLE, UNSUPPORTED }
    }

    /** The request and the requested output are longer than the context of the model. */
    public class ContextLengthExceeded @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The provider's filter stopped the request or the response. */
    public class ContentFiltered @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** Too many requests or tokens in a period. */
    public class RateLimited @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, true, details)

    /** The credit or quota of the account is used up: waiting does not help. */
    public class QuotaExhausted @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /** The provider is overloaded. */
    public class Overloaded @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, true, details)

    /** The provider failed. */
    public class ServerError @JvmOverloads constructor(
        message: String,
        cause: Throwable? = null,
        details: Details = Details.NONE,
        isRetryable: Boolean = true,
    ) : LlmException(message, cause, isRetryable, details)

    /**
     * A budget does not allow the call. [retryAfter] is the time until its period ends.
     *
     * @property budget the state of the budget when it refused; null if its state is not the reason, or is not known
     * @property asked the most that the attempt could cost; null if that is not known
     */
    public class BudgetExceeded @JvmOverloads constructor(
        message: String,
        cause: Throwable? = null,
        details: Details = Details.NONE,
        @get:JvmName("budget") public val budget: BudgetStatus? = null,
        @get:JvmName("asked") public val asked: Usd? = null,
    ) : LlmException(message, cause, false, details)

    /** A setting is missing or wrong: a key, a URL, a name. Nothing was sent. */
    public class Configuration @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    /**
     * The model and all its fallbacks failed: see [attempts]. The cause is the last failure, the others are suppressed.
     *
     * It is retryable if each of these failures is; then [retryAfter] is the shortest of theirs.
     */
    public class AllFailed @JvmOverloads constructor(
        message: String,
        cause: Throwable? = null,
        details: Details = Details.NONE,
        isRetryable: Boolean = false,
    ) : LlmException(message, cause, isRetryable, details)

    /** The call was cancelled; thrown by its terminals. */
    public class Cancelled @JvmOverloads constructor(message: String, cause: Throwable? = null, details: Details = Details.NONE) :
        LlmException(message, cause, false, details)

    public companion object {
        private const val MAX_CAUSES = 16

        /**
         * Counts how often [attempts] of any failure was set. A model of the user's may throw the same exception in many calls: only the count tells whether a
         * call inside of the model has described it, or an earlier one around the model.
         */
        @get:JvmSynthetic
        internal val descriptions: AtomicLong = AtomicLong()

        /** True leaves out the stack traces of failures and of their causes, as a notebook needs it, which prints them whole. */
        @InternalLlmApi
        @JvmStatic
        @Volatile
        @get:JvmSynthetic
        @set:JvmSynthetic
        public var compact: Boolean = false
    }

    /** With [compact] two lines at most, without stack traces. The kernel of a notebook prints the first one itself: there it stands once. */
    override fun printStackTrace(writer: PrintWriter) {
        if (!compact) return super.printStackTrace(writer)
        if (!isPrintedByKernel()) writer.println(this)
        cause?.let { writer.println("Caused by: $it") }
    }

    /** The kind of failure and what it says: `RateLimited: …`. */
    override fun toString(): String = "LlmException.${this::class.java.simpleName}: $message"
}

/** True if the kernel of a notebook asks for the text of a failure, by Kotlin's function for it or without. */
private fun isPrintedByKernel(): Boolean = StackWalker.getInstance().walk { frames ->
    frames.map { it.className }.filter { !it.startsWith("dev.unifiedllm.LlmException") && !it.startsWith("kotlin.") }.findFirst()
}.map { it.startsWith("org.jetbrains.kotlinx.jupyter.") }.orElse(false)

/**
 * The last words of each message that advises a fallback. Every such message ends with them, so that [withoutFallbackAdvice] can leave them out.
 */
internal const val OR_ADD_A_FALLBACK: String = ", or add a fallback."

/** Begins what [withDetail] adds behind a message. */
private const val DETAIL = "\nDetails:\n"

/** This message without the advice to add a fallback, for a call that has no fallback left. */
internal fun String.withoutFallbackAdvice(): String {
    val short = substringBefore(DETAIL)
    return if (short.endsWith(OR_ADD_A_FALLBACK)) short.removeSuffix(OR_ADD_A_FALLBACK) + "." + substring(short.length) else this
}

/**
 * This failure without the advice to add a fallback, for a call that has one already, or that failed after content: it tries no other model then. All else
 * is kept, the stack trace included. A failure without the advice is returned as it is.
 */
internal fun LlmException.withoutFallbackAdvice(): LlmException = withText(message.orEmpty().withoutFallbackAdvice())

/** This failure with a sentence more, of which [note] has no full stop. The advice to add a fallback stays at the end. All else is kept. */
internal fun LlmException.withNote(note: String): LlmException {
    val text = message.orEmpty().substringBefore(DETAIL)
    val noted = if (text.endsWith(OR_ADD_A_FALLBACK)) text.withoutFallbackAdvice() + " $note$OR_ADD_A_FALLBACK" else "$text $note."
    return withText(noted + message.orEmpty().substring(text.length))
}

/** This failure with [detail] behind its message; as it is if its message has a detail already. */
internal fun LlmException.withDetail(detail: String): LlmException = if (DETAIL in message.orEmpty()) this else withText("$message$DETAIL$detail")

/** A copy of this failure that says [text]. All else is kept, the stack trace included. */
private fun LlmException.withText(text: String): LlmException {
    if (text == message) return this
    val details = LlmException.Details(model, status, requestId, isRetryable, retryAfter)
    val changed = when (this) {
        is LlmException.Network -> LlmException.Network(text, phase, cause, details)
        is LlmException.Timeout -> LlmException.Timeout(text, phase, cause, details)
        is LlmException.StreamInterrupted -> LlmException.StreamInterrupted(text, cause, details)
        is LlmException.MalformedResponse -> LlmException.MalformedResponse(text, cause, details)
        is LlmException.NotFound -> LlmException.NotFound(text, cause, details)
        is LlmException.RateLimited -> LlmException.RateLimited(text, cause, details)
        is LlmException.QuotaExhausted -> LlmException.QuotaExhausted(text, cause, details)
        is LlmException.Overloaded -> LlmException.Overloaded(text, cause, details)
        is LlmException.ServerError -> LlmException.ServerError(text, cause, details)
        is LlmException.InvalidRequest -> LlmException.InvalidRequest(text, kind, cause, details)
        is LlmException.Authentication -> LlmException.Authentication(text, cause, details)
        is LlmException.PermissionDenied -> LlmException.PermissionDenied(text, cause, details)
        is LlmException.ContextLengthExceeded -> LlmException.ContextLengthExceeded(text, cause, details)
        is LlmException.ContentFiltered -> LlmException.ContentFiltered(text, cause, details)
        is LlmException.BudgetExceeded -> LlmException.BudgetExceeded(text, cause, details, budget, asked)
        is LlmException.Configuration -> LlmException.Configuration(text, cause, details)
        is LlmException.AllFailed -> LlmException.AllFailed(text, cause, details)
        is LlmException.Cancelled -> LlmException.Cancelled(text, cause, details)
    }
    changed.stackTrace = stackTrace
    suppressed.forEach(changed::addSuppressed)
    changed.attempts = attempts
    changed.describedAt = describedAt
    changed.rateLimits = rateLimits
    changed.partial = partial
    return changed
}
