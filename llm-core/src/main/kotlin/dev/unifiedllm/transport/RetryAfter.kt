package dev.unifiedllm.transport

import java.time.DateTimeException
import java.time.Instant
import java.time.ZonedDateTime
import java.time.format.DateTimeFormatter
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toKotlinDuration

/**
 * How long a response asks to wait: `retry-after-ms`, else `retry-after` in seconds or as a date, measured from the response's own `date`.
 * Null if it does not ask, or asks for something that is not a positive time.
 */
internal fun retryAfter(header: (String) -> String?, now: Instant): Duration? {
    header("retry-after-ms")?.trim()?.toDoubleOrNull()?.takeIf(::isDelay)?.let { return it.milliseconds }
    // A proxy of LiteLLM's hands an upstream's header on under its own prefix.
    val value = (header("retry-after") ?: header("llm_provider-retry-after"))?.trim() ?: return null
    value.toDoubleOrNull()?.let { return if (isDelay(it)) it.seconds else null }
    val until = httpDate(value) ?: return null
    val from = header("date")?.let(::httpDate) ?: now
    return java.time.Duration.between(from, until).toKotlinDuration().takeIf { it.isPositive() }
}

private fun isDelay(value: Double) = value.isFinite() && value > 0

private fun httpDate(text: String): Instant? = try {
    ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant()
} catch (_: DateTimeException) {
    null
}
