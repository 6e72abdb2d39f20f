package dev.unifiedllm.transport.error

import java.time.DateTimeException
import java.time.Instant
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.ZoneOffset
import java.time.ZonedDateTime
import java.time.format.DateTimeFormatter
import java.time.format.DateTimeFormatterBuilder
import java.time.temporal.ChronoField
import java.util.Locale
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toKotlinDuration

/**
 * Reads how long a response asks to wait: `retry-after-ms`, else `retry-after` in seconds or as a date
 * ([RFC 9110, section 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7), the obsolete forms as well). A date is relative to the `date` of
 * the response, else to [now]. Null if neither header has a positive time.
 */
internal fun retryAfter(header: (String) -> String?, now: Instant): Duration? {
    header("retry-after-ms")?.let(::delay)?.let { return it.milliseconds }
    // LiteLLM's proxy passes the header of its upstream on under a prefix.
    val value = header("retry-after") ?: header("llm_provider-retry-after") ?: return null
    delay(value)?.let { return it.seconds }
    val until = httpDate(value.trim()) ?: return null
    val from = header("date")?.trim()?.let(::httpDate) ?: now
    return java.time.Duration.between(from, until).toKotlinDuration().takeIf { it.isPositive() }
}

/** A positive decimal number, limited to what a duration can hold. */
private fun delay(text: String): Double? = text.trim().takeIf(NUMBER::matches)?.toDouble()?.takeIf { it > 0 }?.coerceAtMost(MAX_DELAY)

private val NUMBER = Regex("""\d+(\.\d+)?""")
private const val MAX_DELAY = 1e12

private fun httpDate(text: String): Instant? = httpDate(text, DateTimeFormatter.RFC_1123_DATE_TIME) { ZonedDateTime.from(it).toInstant() }
    ?: httpDate(text, RFC_850) { LocalDateTime.from(it).toInstant(ZoneOffset.UTC) }
    ?: httpDate(text.replace("  ", " "), ASCTIME) { LocalDateTime.from(it).toInstant(ZoneOffset.UTC) }

private fun httpDate(text: String, form: DateTimeFormatter, read: (java.time.temporal.TemporalAccessor) -> Instant): Instant? = try {
    read(form.parse(text))
} catch (_: DateTimeException) {
    null
}

private val RFC_850 = DateTimeFormatterBuilder()
    .appendPattern("EEEE, dd-MMM-")
    .appendValueReduced(ChronoField.YEAR, 2, 2, LocalDate.of(1990, 1, 1))
    .appendPattern(" HH:mm:ss 'GMT'")
    .toFormatter(Locale.US)

private val ASCTIME = DateTimeFormatter.ofPattern("EEE MMM d HH:mm:ss yyyy", Locale.US)
