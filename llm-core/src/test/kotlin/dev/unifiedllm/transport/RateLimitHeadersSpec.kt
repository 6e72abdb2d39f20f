package dev.unifiedllm.transport

import dev.unifiedllm.chat.RateLimit
import dev.unifiedllm.chat.RateLimits
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.shouldNotBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.File
import java.time.Instant
import kotlin.math.roundToLong

private val now = Instant.parse("2026-01-01T00:00:00Z")

private fun read(headers: Map<String, String>): RateLimits? = rateLimits({ name -> headers.entries.firstOrNull { it.key.equals(name, true) }?.value }, now)

private fun after(seconds: Double): Instant = now.plusNanos((seconds * 1e9).roundToLong())

private fun requests(limit: Long?, remaining: Long?, resetAt: Instant?) = RateLimits.of(RateLimit(limit, remaining, resetAt), null)

private fun tokens(limit: Long?, remaining: Long?, resetAt: Instant?) = RateLimits.of(null, RateLimit(limit, remaining, resetAt))

private class Case(val title: String, val headers: Map<String, String>, val expected: RateLimits?)

class RateLimitHeadersSpec : FunSpec({
    context("headers of providers") {
        withData<Case>(
            { it.title },
            Case(
                "OpenAI's: counts, and the time until the reset",
                mapOf(
                    "x-ratelimit-limit-requests" to "500",
                    "x-ratelimit-remaining-requests" to "499",
                    "x-ratelimit-reset-requests" to "120ms",
                    "X-RateLimit-Limit-Tokens" to "500000",
                    "x-ratelimit-remaining-tokens" to "499000",
                    "x-ratelimit-reset-tokens" to "6m0s",
                ),
                RateLimits.of(RateLimit(500, 499, after(0.12)), RateLimit(500_000, 499_000, after(360.0))),
            ),
            Case(
                "Groq's: minutes with fractions of a second",
                mapOf("x-ratelimit-limit-requests" to "14400", "x-ratelimit-remaining-requests" to "14370", "x-ratelimit-reset-requests" to "2m59.56s"),
                requests(14_400, 14_370, after(179.56)),
            ),
            Case(
                "Azure's: seconds without a unit, and -1 where there is no limit",
                mapOf(
                    "x-ratelimit-limit-requests" to "500",
                    "x-ratelimit-remaining-requests" to "499",
                    "x-ratelimit-reset-requests" to "7",
                    "x-ratelimit-limit-tokens" to "-1",
                    "x-ratelimit-remaining-tokens" to "-1",
                    "x-ratelimit-reset-tokens" to "0",
                ),
                requests(500, 499, after(7.0)),
            ),
            Case(
                "Anthropic's: the most restrictive token limit before those of input and output",
                mapOf(
                    "anthropic-ratelimit-requests-limit" to "50",
                    "anthropic-ratelimit-requests-remaining" to "49",
                    "anthropic-ratelimit-requests-reset" to "2026-01-01T00:00:01Z",
                    "anthropic-ratelimit-tokens-limit" to "58000",
                    "anthropic-ratelimit-tokens-remaining" to "57000",
                    "anthropic-ratelimit-tokens-reset" to "2026-01-01T00:01:00Z",
                    "anthropic-ratelimit-input-tokens-limit" to "50000",
                    "anthropic-ratelimit-input-tokens-remaining" to "50000",
                    "anthropic-ratelimit-input-tokens-reset" to "2026-01-01T00:00:00Z",
                ),
                RateLimits.of(RateLimit(50, 49, after(1.0)), RateLimit(58_000, 57_000, after(60.0))),
            ),
            Case(
                "Anthropic's without a sum: input tokens",
                mapOf(
                    "anthropic-ratelimit-output-tokens-limit" to "8000",
                    "anthropic-ratelimit-output-tokens-remaining" to "8000",
                    "anthropic-ratelimit-input-tokens-limit" to "50000",
                    "anthropic-ratelimit-input-tokens-remaining" to "49000",
                    "anthropic-ratelimit-input-tokens-reset" to "2026-01-01T01:00:00+01:00",
                ),
                tokens(50_000, 49_000, now),
            ),
            Case(
                "Anthropic's with output tokens only",
                mapOf("anthropic-ratelimit-output-tokens-limit" to "8000", "anthropic-ratelimit-output-tokens-remaining" to "7000"),
                tokens(8_000, 7_000, null),
            ),
            Case(
                "Mistral's: a minute, without a reset",
                mapOf(
                    "x-ratelimit-limit-req-minute" to "100",
                    "x-ratelimit-remaining-req-minute" to "97",
                    "x-ratelimit-limit-tokens-minute" to "100000",
                    "x-ratelimit-remaining-tokens-minute" to "98188",
                ),
                RateLimits.of(RateLimit(100, 97, null), RateLimit(100_000, 98_188, null)),
            ),
            Case(
                "Mistral's of before 2025",
                mapOf("ratelimitbysize-limit" to "500000", "ratelimitbysize-remaining" to "467979", "ratelimitbysize-reset" to "33"),
                tokens(500_000, 467_979, after(33.0)),
            ),
            Case(
                "Cerebras's: the day's requests, the minute's tokens, seconds with a fraction",
                mapOf(
                    "x-ratelimit-limit-requests-day" to "1000000000",
                    "x-ratelimit-remaining-requests-day" to "999997455",
                    "x-ratelimit-reset-requests-day" to "33011.382867",
                    "x-ratelimit-limit-tokens-minute" to "1000000000",
                    "x-ratelimit-remaining-tokens-minute" to "999997455",
                    "x-ratelimit-reset-tokens-minute" to "11.5",
                ),
                RateLimits.of(RateLimit(1_000_000_000, 999_997_455, after(33_011.382)), RateLimit(1_000_000_000, 999_997_455, after(11.5))),
            ),
            Case(
                "OpenRouter's: milliseconds since 1970",
                mapOf("X-RateLimit-Limit" to "20", "X-RateLimit-Remaining" to "0", "X-RateLimit-Reset" to "1767225660000"),
                requests(20, 0, after(60.0)),
            ),
            Case(
                "seconds since 1970",
                mapOf("x-ratelimit-limit" to "60", "x-ratelimit-remaining" to "56", "x-ratelimit-reset" to "1767225660"),
                requests(60, 56, after(60.0)),
            ),
            Case(
                "the IETF draft's: a policy behind the limit, seconds until the reset",
                mapOf("RateLimit-Limit" to "100, 100;w=60", "RateLimit-Remaining" to "50", "RateLimit-Reset" to "30"),
                requests(100, 50, after(30.0)),
            ),
            Case(
                "what LiteLLM's proxy passes on from its upstream",
                mapOf("llm_provider-x-ratelimit-limit-tokens" to "4000", "llm_provider-x-ratelimit-remaining-tokens" to "3900"),
                tokens(4_000, 3_900, null),
            ),
            Case(
                "one window never completes another",
                mapOf("x-ratelimit-remaining-requests" to "4", "x-ratelimit-limit" to "60", "x-ratelimit-remaining" to "56"),
                requests(null, 4, null),
            ),
            Case("no such header", mapOf("content-type" to "application/json"), null),
        ) { read(it.headers) shouldBe it.expected }
    }

    context("a value that cannot be read counts as absent") {
        withData<Pair<String, Long?>>(
            { "\"${it.first}\"" },
            "100" to 100,
            " 100 " to 100,
            "100.0" to 100,
            "100;w=60" to 100,
            "0" to 0,
            "999999999999999999" to 999_999_999_999_999_999,
            "99999999999999999999" to null,
            "-1" to null,
            "" to null,
            "unlimited" to null,
            "0x10" to null,
            "1e3" to null,
            "100 requests" to null,
        ) { (text, count) -> read(mapOf("x-ratelimit-limit-requests" to text))?.requestLimit shouldBe count }
    }

    context("a reset") {
        withData<Pair<String, Instant?>>(
            { "\"${it.first}\"" },
            "1s" to after(1.0),
            "6m0s" to after(360.0),
            "1h2m3s" to after(3723.0),
            "1d" to after(86_400.0),
            "120ms" to after(0.12),
            "1.5s" to after(1.5),
            "500us" to after(0.0005),
            "500µs" to after(0.0005),
            "7ns" to now.plusNanos(7),
            "0s" to now,
            "0" to now,
            " 7 " to after(7.0),
            "7.25" to after(7.25),
            "2026-01-01T00:00:01Z" to after(1.0),
            "2026-01-01T00:00:01.5Z" to after(1.5),
            "2026-01-01T00:00:01+00:00" to after(1.0),
            "-5" to null,
            "-5s" to null,
            "" to null,
            "soon" to null,
            "5 minutes" to null,
            "2026-01-01" to null,
            "2026-13-01T00:00:00Z" to null,
            "99999999999999" to null,
            "999999999999d" to null,
        ) { (text, at) -> read(mapOf("x-ratelimit-limit-requests" to "1", "x-ratelimit-reset-requests" to text)).shouldNotBeNull().requestsResetAt shouldBe at }
    }

    test("a reset alone is no limit") { read(mapOf("x-ratelimit-reset-requests" to "1s")).shouldBeNull() }

    test("every recorded response with rate-limit headers states its limits") {
        val recorded = File("src/test/resources/corpus").walk().filter { it.name == "response.meta.json" }
            .map { Json.parseToJsonElement(it.readText()).jsonObject["headers"] as? JsonObject }.filterNotNull()
            .map { headers -> headers.mapValues { it.value.jsonPrimitive.contentOrNull.orEmpty() } }
            .filter { headers -> headers.keys.any { it.contains("ratelimit-", true) || it.contains("ratelimitbysize-", true) } }.toList()
        recorded.size shouldBeGreaterThan 50
        recorded.filter { headers -> read(headers).let { it == null || (it.requestsRemaining == null && it.tokensRemaining == null) } }.shouldBeEmpty()
    }

    test("two with the same values are equal, and print what they have") {
        requests(1, 2, null) shouldBe requests(1, 2, null)
        requests(1, 2, null) shouldNotBe tokens(1, 2, null)
        requests(1, 2, now).toString() shouldBe "RateLimits(requestLimit=1, requestsRemaining=2, requestsResetAt=2026-01-01T00:00:00Z)"
    }
})
