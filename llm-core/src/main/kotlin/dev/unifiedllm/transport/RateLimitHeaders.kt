package dev.unifiedllm.transport

import dev.unifiedllm.chat.RateLimit
import dev.unifiedllm.chat.RateLimits
import dev.unifiedllm.chat.rateLimitsOf
import java.time.DateTimeException
import java.time.Instant
import java.time.OffsetDateTime
import kotlin.time.Duration
import kotlin.time.Duration.Companion.nanoseconds
import kotlin.time.toJavaDuration

/** The rate limits that the headers of this response state; null if they state none. Most responses have no such header, which is seen first. */
internal fun TransportResponse.rateLimits(): RateLimits? =
    if (headerNames.none { it.contains("ratelimit", ignoreCase = true) }) null else rateLimits(::header)

/**
 * Reads the rate limits that the headers of a response state. Null if they state none; a value that cannot be read counts as absent.
 *
 * Sources, read 2026-11-25: [OpenAI](https://platform.openai.com/docs/guides/rate-limits),
 * [Anthropic](https://docs.anthropic.com/en/api/rate-limits), [Groq](https://console.groq.com/docs/rate-limits),
 * [Cerebras](https://inference-docs.cerebras.ai/support/rate-limits),
 * [RateLimit header fields, draft 07](https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-07). Mistral's and Azure's are
 * as recorded in the test corpus.
 *
 * @param now the time of the response: some providers state how long it is until a reset
 */
internal fun rateLimits(header: (String) -> String?, now: Instant = Instant.now()): RateLimits? {
    fun first(all: List<RateLimitNames>) = all.firstNotNullOfOrNull { it.read(header, now) }
    return rateLimitsOf(first(REQUEST_NAMES), first(TOKEN_NAMES))
}

/** The three headers of one limit. They are read together, so that the values of different windows are never combined. */
private class RateLimitNames(val limit: String, val remaining: String, val reset: String) {
    fun read(header: (String) -> String?, now: Instant): RateLimit? {
        val limit = header(limit)?.let(::count)
        val remaining = header(remaining)?.let(::count)
        if (limit == null && remaining == null) return null
        return RateLimit(limit, remaining, header(reset)?.let { instant(it.trim(), now) })
    }
}

private fun prefixed(prefix: String, unit: String) =
    RateLimitNames("${prefix}ratelimit-limit$unit", "${prefix}ratelimit-remaining$unit", "${prefix}ratelimit-reset$unit")

private fun anthropic(unit: String) =
    RateLimitNames("anthropic-ratelimit-$unit-limit", "anthropic-ratelimit-$unit-remaining", "anthropic-ratelimit-$unit-reset")

private const val LITELLM = "llm_provider-" // LiteLLM's proxy passes the headers of the upstream on under this prefix

/** By preference: the upstream's own limits before those of a proxy, a short window before a long one, a named unit before none. */
private val REQUEST_NAMES = listOf(
    prefixed("x-", "-requests"), // OpenAI, Azure, Groq, OpenRouter and others
    anthropic("requests"),
    prefixed("x-", "-requests-minute"), // Cerebras
    prefixed("x-", "-req-minute"), // Mistral
    prefixed("x-", "-requests-day"), // Cerebras
    prefixed(LITELLM + "x-", "-requests"),
    prefixed("x-", ""), // OpenRouter, Together
    prefixed("", ""), // the IETF draft
)

private val TOKEN_NAMES = listOf(
    prefixed("x-", "-tokens"),
    anthropic("tokens"), // the most restrictive of Anthropic's limits
    anthropic("input-tokens"),
    anthropic("output-tokens"),
    prefixed("x-", "-tokens-minute"), // Cerebras, Mistral
    prefixed("x-", "-tokens-day"),
    prefixed(LITELLM + "x-", "-tokens"),
    RateLimitNames("ratelimitbysize-limit", "ratelimitbysize-remaining", "ratelimitbysize-reset"), // Mistral, until 2025
)

/** A count of requests or tokens. Azure sends -1 where it sets no limit; the draft allows policies after it: `100, 100;w=60`. */
private fun count(text: String): Long? = COUNT.matchEntire(text.trim())?.groupValues?.get(1)?.toLongOrNull()

/** A point in time (RFC 3339, or seconds or milliseconds since 1970), or the time until it (`6m0s`, `120ms`, or seconds). */
private fun instant(text: String, now: Instant): Instant? = try {
    when {
        NUMBER.matches(text) -> instant(text.toDouble(), now)
        DURATION.matches(text) -> now.plus(duration(text).toJavaDuration())
        else -> OffsetDateTime.parse(text).toInstant()
    }
} catch (_: DateTimeException) {
    null
} catch (_: ArithmeticException) {
    null // beyond what an Instant can hold
}

private fun duration(text: String): Duration = UNIT.findAll(text).sumOf { it.groupValues[1].toDouble() * NANOS.getValue(it.groupValues[2]) }.nanoseconds

private fun instant(number: Double, now: Instant): Instant? = when {
    number < FIRST_EPOCH_SECONDS -> now.plusMillis((number * MILLIS).toLong())
    number < FIRST_EPOCH_MILLIS -> Instant.ofEpochMilli((number * MILLIS).toLong())
    number < END_EPOCH_MILLIS -> Instant.ofEpochMilli(number.toLong())
    else -> null
}

private val COUNT = Regex("""(\d{1,18})(?:\.\d+)?(?:[,;].*)?""")
private val NUMBER = Regex("""\d{1,18}(\.\d{1,18})?""")
private val UNIT = Regex("""(\d{1,12}(?:\.\d{1,12})?)(ms|us|µs|ns|s|m|h|d)""")
private val DURATION = Regex("""(?:${UNIT.pattern})+""")
private val NANOS = mapOf("ns" to 1.0, "us" to 1e3, "µs" to 1e3, "ms" to 1e6, "s" to 1e9, "m" to 60e9, "h" to 3600e9, "d" to 86400e9)
private const val MILLIS = 1000.0
private const val FIRST_EPOCH_SECONDS = 1e9
private const val FIRST_EPOCH_MILLIS = 1e11
private const val END_EPOCH_MILLIS = 1e13
