package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.error.requestId
import dev.unifiedllm.transport.error.retryAfter
import dev.unifiedllm.transport.rateLimits
import java.time.Instant
import kotlin.time.Duration

/** The statuses of responses that are no error. */
internal val OK_STATUSES: IntRange = 200..299

/**
 * Reads the error that this response of [target] is.
 *
 * @param patience how long to wait for the whole body
 * @param path of the request below the base URL, if it is not for a chat; else null
 */
internal suspend fun TransportResponse.statusError(target: Target, patience: Duration, path: String?): LlmException {
    val body = readError(patience)
    val error = ProviderError.of(body).orType(header("x-amzn-errortype"))
    return HttpErrors(target, path).exception(
        error,
        status,
        requestId(::header),
        retryAfter(::header, Instant.now()),
        header("x-should-retry")?.toBooleanStrictOrNull(),
        header("location"),
    ).also { it.rateLimits = rateLimits() }
}
