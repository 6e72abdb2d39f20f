package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.transport.error.requestId
import dev.unifiedllm.transport.error.retryAfter
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import java.time.Clock
import java.time.Duration
import java.time.Instant

/** An access token that is valid until [expiresAt]. */
internal class AccessToken(val value: String, val expiresAt: Instant) {
    override fun toString(): String = "AccessToken(until $expiresAt)"
}

/**
 * Keeps a token until shortly before it expires. Calls during a refresh wait for it and share its token or its failure. Thread-safe.
 *
 * @param margin how long before its expiry a token is replaced
 */
internal class TokenCache(private val clock: Clock, private val margin: Duration = MARGIN) {
    private val mutex = Mutex()

    @Volatile
    private var token: AccessToken? = null

    @Volatile
    private var refreshes = 0
    private var failure: LlmException? = null

    /** Returns the token, after [fetch] if there is none that is still valid. */
    suspend fun get(fetch: suspend () -> AccessToken): String {
        valid()?.let { return it.value }
        val seen = refreshes
        return mutex.withLock { (valid() ?: refresh(seen, fetch)).value }
    }

    private suspend fun refresh(seen: Int, fetch: suspend () -> AccessToken): AccessToken {
        failure?.let { if (refreshes != seen) throw copy(it) }
        try {
            return fetch().also {
                token = it
                failure = null
                refreshes++
            }
        } catch (failed: LlmException) {
            failure = failed
            refreshes++
            throw failed
        }
    }

    /** A copy of [failure] for another caller: each call records its own attempts and partial response in its failure. */
    private fun copy(failure: LlmException): LlmException {
        val details = LlmException.Details(failure.model, failure.status, failure.requestId, failure.isRetryable, failure.retryAfter)
        val message = failure.message.orEmpty()
        return when (failure) {
            is LlmException.Network -> LlmException.Network(message, failure.phase, failure.cause, details)
            is LlmException.Timeout -> LlmException.Timeout(message, failure.phase, failure.cause, details)
            is LlmException.Configuration -> LlmException.Configuration(message, failure.cause, details)
            is LlmException.RateLimited -> LlmException.RateLimited(message, failure.cause, details)
            is LlmException.ServerError -> LlmException.ServerError(message, failure.cause, details)
            is LlmException.MalformedResponse -> LlmException.MalformedResponse(message, failure.cause, details)
            else -> LlmException.Authentication(message, failure.cause, details)
        }
    }

    private fun valid(): AccessToken? = token?.takeIf { clock.instant() < it.expiresAt - margin }

    private companion object {
        val MARGIN: Duration = Duration.ofSeconds(90)
    }
}
