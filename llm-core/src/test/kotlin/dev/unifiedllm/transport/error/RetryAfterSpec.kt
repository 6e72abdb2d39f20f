package dev.unifiedllm.transport.error

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.comparables.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.intOrNull
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.time.Instant
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private val file = Json.parseToJsonElement(RetryAfterSpec::class.java.getResource("/retry-after-vectors.json")!!.readText()).jsonObject
private val now = Instant.parse(file.getValue("now").jsonPrimitive.content)
private val cap = file.getValue("cap_s").jsonPrimitive.int.seconds

private fun parse(headers: Map<String, String>): Duration? = retryAfter({ name -> headers.entries.firstOrNull { it.key.equals(name, true) }?.value }, now)

class RetryAfterSpec : FunSpec({
    var right = 0
    afterSpec { println("retry-after: $right of 28 vectors") }

    context("retry-after-vectors.json, the delay that the headers ask for:") {
        val vectors = file.getValue("vectors").jsonArray.map { it.jsonObject }
        vectors.size shouldBe 28
        withData<JsonObject>({ "${it["headers"]}" }, vectors) { vector ->
            val headers = vector.getValue("headers").jsonObject.mapValues { it.value.jsonPrimitive.content }
            val asked = parse(headers)
            val expected = vector.getValue("delayMs").jsonPrimitive
            when {
                expected is JsonNull -> asked.shouldBeNull()
                expected.intOrNull != null -> asked shouldBe expected.int.milliseconds
                expected.content == "TOO_LONG" -> {
                    asked.shouldNotBeNull() shouldBeGreaterThan cap
                    asked.isFinite() shouldBe true
                }
                else -> expected.content shouldBe "NO_RETRY" // x-should-retry, which HttpErrorsSpec tests; the delay is read all the same
            }
            right++
        }
    }

    context("further forms") {
        withData<Triple<String, Map<String, String>, Duration?>>(
            { it.first },
            Triple(
                "a date is relative to the clock of the server",
                mapOf(
                    "retry-after" to "Thu, 01 Jan 2026 05:00:10 GMT",
                    "date" to "Thu, 01 Jan 2026 05:00:00 GMT",
                ),
                10.seconds,
            ),
            Triple(
                "a date in the past by the clock of the server",
                mapOf(
                    "retry-after" to "Thu, 01 Jan 2026 00:00:10 GMT",
                    "date" to "Thu, 01 Jan 2026 05:00:00 GMT",
                ),
                null,
            ),
            Triple("an invalid date of the server", mapOf("retry-after" to "Thu, 01 Jan 2026 00:00:10 GMT", "date" to "yesterday"), 10.seconds),
            Triple("the header that LiteLLM passes on", mapOf("llm_provider-retry-after" to "3"), 3.seconds),
            Triple("zero milliseconds are ignored", mapOf("retry-after-ms" to "0", "retry-after" to "2"), 2.seconds),
            Triple("a hexadecimal number", mapOf("retry-after" to "0x10"), null),
            Triple("Java's suffixes", mapOf("retry-after" to "5d"), null),
            Triple("milliseconds with a fraction", mapOf("retry-after-ms" to "12.5"), 12.5.milliseconds),
            Triple("nothing", emptyMap(), null),
        ) { (_, headers, expected) -> parse(headers) shouldBe expected }
    }
})
