package dev.unifiedllm.faults

import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.InvalidRequest.Kind
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldBeIn
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.comparables.shouldBeGreaterThanOrEqualTo
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.flow.toList
import kotlin.reflect.KClass
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlin.time.toKotlinDuration

private const val PAGE = "<!DOCTYPE html><html><head><title>It is out of order</title></head><body><script>alert(1)</script>the rest</body></html>"

/** Section D of the list of faults: the status of a response. */
internal object FaultsStatus : FaultSection("D status") {
    private suspend inline fun <reified F : LlmException> FaultRun.failsAtOnce(code: Int, body: String = wire.error("It is wrong")): F {
        val outcome = call { status(code, body = body) }
        outcome.served shouldBe 1
        return outcome.shouldFailAtOnce<F>().also { it.status shouldBe code }
    }

    private suspend inline fun <reified F : LlmException> FaultRun.failsOnAll(code: Int, body: String = wire.error("It is wrong")): F {
        val outcome = call { status(code, body = body) }
        outcome.served shouldBe ALL_ATTEMPTS
        return outcome.shouldFailOnAll<F>().also { it.status shouldBe code }
    }

    /** And it succeeds if the next attempt does. */
    private suspend inline fun <reified F : LlmException> FaultRun.isRepeated(code: Int, body: String = wire.error("It is wrong")): F {
        val outcome = call { attempt -> if (attempt == 1) status(code, body = body) else answer() }
        outcome.shouldAnswer(attempts = 2)
        outcome.served shouldBe 2
        return failsOnAll<F>(code, body)
    }

    private val failures: List<KClass<out LlmException>> = listOf(LlmException.ServerError::class, LlmException.Overloaded::class)

    init {
        fault(57, "301, 302 and 303 are not followed, and the key stays here") { redirects(301, 302, 303) }
        fault(58, "307 and 308 to another host are not followed") { redirects(307, 308) }

        fault(59, "a redirect to itself ends the call at once") {
            val outcome = call { status(302, "Location" to request.path, body = "") }
            outcome.shouldFailAtOnce<LlmException.Configuration>()
            outcome.served shouldBe 1
        }

        fault(60, "400 is a bad request, with the provider's words") {
            val failure = failsAtOnce<LlmException.InvalidRequest>(400, wire.error("temperature must be at most 2"))
            failure.kind shouldBe Kind.BAD_REQUEST
            failure.message!! shouldContain "temperature must be at most 2"
        }
        fault(60, "400 names the parameter") {
            val body = """{"error":{"message":"Invalid value","type":"invalid_request_error","param":"messages[2].content","code":null}}"""
            failsAtOnce<LlmException.InvalidRequest>(400, body).message!! shouldContain "messages[2].content"
        }

        fault(61, "a request that is longer than the context, as OpenAI, Anthropic and Google say it") {
            val bodies = listOf(
                """{"error":{"message":"Too much.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""",
                """{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}""",
                """{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                    "status":"INVALID_ARGUMENT"}}""",
            )
            for (body in bodies) failsAtOnce<LlmException.ContextLengthExceeded>(400, body).message!! shouldContain "larger context"
        }
        fault(61, "a model with a larger context answers, if one is set for this case") {
            FaultServer(Wire.named("openai-chat"), delivery) { answer() }.use { larger ->
                val configure: LlmBuilder.() -> Unit = {
                    provider("larger") { baseUrl = larger.url }
                    contextWindowFallback("larger/m")
                }
                val outcome = call(configure) { status(400, body = wire.error("prompt is too long: 208310 tokens > 200000 maximum")) }
                outcome.shouldAnswer(attempts = 2).fallbackUsed shouldBe true
                outcome.served shouldBe 1
            }
        }

        fault(62, "400 for a parameter that the model does not have fails at once: what a provider is known not to have is left out before, with a warning") {
            failsAtOnce<LlmException.InvalidRequest>(400, wire.error("Unsupported parameter: temperature")).message!! shouldContain "temperature"
        }

        fault(63, "401 says where the key is set, and does not show it") {
            val failure = failsAtOnce<LlmException.Authentication>(401, wire.error("Incorrect API key provided: $SECRET"))
            failure.message!! shouldNotContain SECRET.take(12)
            withClue(failure.message) { KEY_PLACES.filter { it in failure.message!! }.shouldNotBeEmpty() }
        }

        fault(64, "402, and 429 for a quota that is used up, are not repeated") {
            failsAtOnce<LlmException.QuotaExhausted>(402)
            val body = """{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"""
            failsAtOnce<LlmException.QuotaExhausted>(429, body).message!! shouldContain "top it up"
        }

        fault(65, "403 is a missing permission") { failsAtOnce<LlmException.PermissionDenied>(403).message!! shouldContain "permission" }

        fault(66, "404 names the model") {
            val failure = failsAtOnce<LlmException.NotFound>(404, wire.error("The model does not exist"))
            failure.message!! shouldContain wire.model.substringAfter('/').substringAfter('/')
        }

        faultOnce(66, "404 for a name that is like that of a model suggests the model") {
            FaultServer(wire, delivery) { status(404, body = wire.error("The model does not exist")) }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    shouldThrow<LlmException.NotFound> { llm.chat("openai/gpt-4o-minni", "Hi").await() }.message!! shouldContain "\"gpt-4o-mini\""
                }
            }
            call { answer() }.shouldAnswer()
        }

        fault(67, "404 with a web page names the base URL") {
            val failure = failsAtOnce<LlmException.NotFound>(404, PAGE)
            failure.message!! shouldContain "http://127.0.0.1:"
            failure.message!! shouldContain "It is out of order"
            failure.message!! shouldNotContain "<"
        }
        faultOnce(67, "404 where the base URL has no /v1 says that") {
            FaultServer(wire, delivery) { status(404, body = PAGE) }.use { server ->
                val outcome = callAt(server.url, { provider("openai") { baseUrl = server.url } }) { server.served }
                outcome.shouldFailAtOnce<LlmException.NotFound>().message!! shouldContain "/v1"
            }
        }

        fault(68, "405 is a wrong base URL") {
            val outcome = call { status(405, body = "") }
            val failure = outcome.failure!!
            // Of a wire that not every server has: a server without it says so by this status.
            listOf(LlmException.Configuration::class, LlmException.NotFound::class).contains(failure::class) shouldBe true
            failure.isRetryable shouldBe false
            outcome.served shouldBe 1
            failure.message!! shouldContain "http://127.0.0.1:"
        }

        fault(69, "408 is repeated") { isRepeated<LlmException.Timeout>(408) }
        fault(70, "409 is repeated") { isRepeated<LlmException.InvalidRequest>(409).kind shouldBe Kind.CONFLICT }
        fault(71, "410 is a model that is gone") { failsAtOnce<LlmException.NotFound>(410) }
        fault(72, "413 says to send less") {
            val failure = failsAtOnce<LlmException.InvalidRequest>(413, wire.error("Payload of 40 MB"))
            failure.kind shouldBe Kind.TOO_LARGE
            failure.message!! shouldContain "Send less"
        }
        fault(73, "415 and 422 are requests that cannot be processed") {
            for (code in listOf(415, 422)) failsAtOnce<LlmException.InvalidRequest>(code).kind shouldBe Kind.UNPROCESSABLE
        }
        fault(74, "418, 444 and 451 are bad requests that keep their status") {
            for (code in listOf(418, 444, 451)) failsAtOnce<LlmException.InvalidRequest>(code).kind shouldBe Kind.BAD_REQUEST
        }
        fault(74, "499, a request that was cancelled on the way, and 498, a lack of capacity, are repeated") {
            isRepeated<LlmException.ServerError>(499)
            isRepeated<LlmException.RateLimited>(498)
        }
        fault(75, "425 is repeated") { isRepeated<LlmException.ServerError>(425) }

        fault(76, "429 without a header is repeated after a growing wait") {
            val outcome = call { status(429, body = wire.error("Too many requests")) }
            val failure = outcome.shouldFailOnAll<LlmException.RateLimited>()
            failure.retryAfter.shouldBeNull()
            outcome.served shouldBe ALL_ATTEMPTS
            val delays = failure.attempts.mapNotNull { it.delay?.toKotlinDuration() }
            delays.size shouldBe 2
            (delays[0] in 0.5.milliseconds..1.milliseconds) shouldBe true
            (delays[1] in 1.milliseconds..2.milliseconds) shouldBe true
        }

        fault(77, "429 with Retry-After in seconds waits that long") {
            waits(40.milliseconds) { status(429, "Retry-After" to "0.04", body = wire.error("Too many requests")) }
        }
        fault(78, "429 with retry-after-ms waits that long, whatever Retry-After says") {
            waits(25.milliseconds) { status(429, "Retry-After" to "60", "retry-after-ms" to "25", body = wire.error("Too many requests")) }
        }
        fault(79, "429 with a date is read by the clock of the server") {
            val outcome = call {
                status(429, "Date" to "Thu, 01 Jan 2026 05:00:00 GMT", "Retry-After" to "Thu, 01 Jan 2026 05:05:00 GMT", body = wire.error("Too many requests"))
            }
            outcome.shouldFail<LlmException.RateLimited>().retryAfter shouldBe 300.seconds
            outcome.served shouldBe 1
        }
        fault(80, "429 with a time that is none, or is over, is repeated after the usual wait") {
            for (value in listOf("Thu, 01 Jan 2015 00:00:00 GMT", "0", "-5", "NaN", "inf", "1e99", "soon", "")) {
                val outcome = call { attempt -> if (attempt == 1) status(429, "Retry-After" to value) else answer() }
                withClue(value) {
                    outcome.shouldAnswer(attempts = 2)
                    val delay = outcome.attempts.first().delay!!.toKotlinDuration()
                    (delay in 0.5.milliseconds..1.milliseconds) shouldBe true
                }
            }
        }
        fault(81, "429 with a day in Retry-After fails at once, and says it") {
            val outcome = call { status(429, "Retry-After" to "86400", body = wire.error("Too many requests")) }
            val failure = outcome.shouldFail<LlmException.RateLimited>()
            failure.retryAfter shouldBe 86_400.seconds
            failure.isRetryable shouldBe true
            failure.message!! shouldContain "1d"
            outcome.served shouldBe 1
        }

        faultOnce(82, "429 whose headers say that nothing remains has the next call wait until one request is there again") {
            val headers = arrayOf("x-ratelimit-limit-requests" to "10", "x-ratelimit-remaining-requests" to "0", "x-ratelimit-reset-requests" to "800ms")
            FaultServer(wire, delivery) { attempt -> if (attempt == 1) status(429, *headers) else answer() }.use { server ->
                faultClient(wire, server.url) { retry { maxRetries = 0 } }.use { llm ->
                    val begin = TimeSource.Monotonic.markNow()
                    shouldThrow<LlmException.RateLimited> { llm.chat(wire.model, "Hi").await() }.retryAfter.shouldBeNull()
                    val reply = llm.chat(wire.model, "Hi")
                    reply.events().toList().filterIsInstance<Delta.Waiting>().size shouldBe 1
                    begin.elapsedNow() shouldBeGreaterThanOrEqualTo 50.milliseconds
                    server.served shouldBe 2
                }
            }
            call { answer() }.shouldAnswer()
        }

        fault(83, "500, 502, 503 and 504 are repeated") {
            for (code in listOf(500, 502, 503, 504)) isRepeated<LlmException>(code)::class shouldBeIn failures
        }
        fault(83, "503 with Retry-After waits that long") { waits(30.milliseconds) { status(503, "retry-after-ms" to "30") } }
        fault(84, "501, 505 and 511 are not repeated") {
            for (code in listOf(501, 505, 511)) failsAtOnce<LlmException.ServerError>(code)
        }
        fault(85, "520 to 527 with the page of Cloudflare are repeated; the message has its title only") {
            for (code in 520..527) {
                val failure = failsOnAll<LlmException.ServerError>(code, PAGE)
                failure.message!! shouldContain "It is out of order"
                failure.message!! shouldNotContain "script"
            }
        }
        fault(86, "529 is an overload, and is repeated") { isRepeated<LlmException.Overloaded>(529) }

        fault(87, "598, 599 and what is no status are not understood, and not repeated") {
            for (code in listOf(598, 599, 600, 700, 999)) {
                val failure = failsAtOnce<LlmException.MalformedResponse>(code)
                failure.message!! shouldContain "$code"
            }
        }
        fault(87, "a status of other than three digits, or below 100, is invalid HTTP") {
            for (line in listOf("HTTP/1.1 099 No", "HTTP/1.1 000 No", "HTTP/1.1 1000 No", "HTTP/1.1 20 No")) {
                val outcome = call {
                    raw("$line\r\nContent-Length: 2\r\n\r\n{}")
                    cut()
                }
                withClue(line) {
                    // The JDK's client takes "1000" for an interim 100, and drops the connection of a line that it cannot read.
                    outcome.failure!!::class shouldBeIn listOf(LlmException.MalformedResponse::class, LlmException.Network::class)
                }
            }
        }

        fault(88, "x-should-retry: false keeps 500 from being repeated") {
            val outcome = call { status(500, "x-should-retry" to "false") }
            outcome.failure!!.isRetryable shouldBe false
            outcome.failure::class shouldBeIn failures
            outcome.served shouldBe 1
        }
        fault(89, "x-should-retry: true has 400 repeated") {
            call { attempt -> if (attempt == 1) status(400, "x-should-retry" to "true") else answer() }.shouldAnswer(attempts = 2)
        }

        fault(90, "attempts that fail in different ways are all told") {
            val outcome = call { attempt -> status(listOf(500, 429, 504)[attempt - 1]) }
            outcome.failure!!.attempts.map { it.error?.status } shouldContainExactly listOf(500, 429, 504)
            outcome.failure.status shouldBe 504
            outcome.served shouldBe ALL_ATTEMPTS
        }
        fault(90, "models that fail in different ways are all told") {
            FaultServer(Wire.named("openai-chat"), delivery) { status(502) }.use { second ->
                val configure: LlmBuilder.() -> Unit = {
                    provider("second") { baseUrl = second.url }
                    fallback("second/m")
                }
                val outcome = call(configure) { attempt -> status(listOf(500, 429, 504)[attempt - 1]) }
                val failure = outcome.failure.shouldBeInstanceOf<LlmException.AllFailed>()
                failure.attempts.map { it.error?.status } shouldContainExactly listOf(500, 429, 504, 502, 502, 502)
                failure.attempts.map { it.model.toString() }.toSet() shouldBe setOf(failure.attempts.first().model.toString(), "second/m")
                failure.isRetryable shouldBe true
            }
        }

        fault(91, "the body of an error may be anything: its status tells the type, its words are short") {
            for ((name, body) in BODIES) {
                val outcome = call { attempt ->
                    check(attempt == 1)
                    exchange.head(422, "Content-Type" to "application/json")
                    write(body)
                }
                withClue(name) {
                    val failure = outcome.shouldFailAtOnce<LlmException.InvalidRequest>()
                    failure.kind shouldBe Kind.UNPROCESSABLE
                    failure.status shouldBe 422
                    failure.message!!.encodeToByteArray().size shouldBeLessThan 2048 + 500
                    if (name != "random bytes") failure.message!! shouldNotContain "<"
                    failure.message!!.none { it.isISOControl() && !it.isWhitespace() } shouldBe true
                }
            }
        }
        fault(91, "a body of 10 MiB, or one that does not end, does not keep the error") {
            val outcome = call {
                exchange.head(422, "Content-Type" to "text/plain")
                val words = "It is wrong. ".repeat(5000).encodeToByteArray()
                repeat(160) { write(words) }
            }
            val failure = outcome.shouldFailAtOnce<LlmException.InvalidRequest>()
            failure.message!! shouldContain "It is wrong."
            failure.message!!.length shouldBeLessThan 2048 + 500
            val endless = call({ timeouts { idle = 50.milliseconds } }) {
                exchange.head(422, "Content-Type" to "application/json")
                write("""{"error":{"message":"It is wro""".encodeToByteArray())
                hold()
            }
            endless.shouldFailAtOnce<LlmException.InvalidRequest>().kind shouldBe Kind.UNPROCESSABLE
        }
    }

    private suspend fun FaultRun.redirects(vararg codes: Int) {
        LoopbackServer { whole("{}") }.use { target ->
            for (code in codes) {
                val outcome = call { status(code, "Location" to "http://user:pass@127.0.0.1:${target.port}/v1?key=x", body = "") }
                val message = outcome.shouldFailAtOnce<LlmException.Configuration>().message!!
                message shouldContain "127.0.0.1:${target.port}"
                message shouldNotContain "pass@"
                outcome.served shouldBe 1
            }
            target.connections shouldBe 0
        }
    }

    /** That the next attempt waits for [delay]. */
    private suspend fun FaultRun.waits(delay: Duration, fail: FaultExchange.() -> Unit) {
        val outcome = call { attempt -> if (attempt == 1) fail() else answer() }
        outcome.shouldAnswer(attempts = 2)
        outcome.deltas.filterIsInstance<Delta.Attempt>().first().delay!!.toKotlinDuration() shouldBe delay
        outcome.elapsed shouldBeGreaterThanOrEqualTo delay
        outcome.served shouldBe 2
    }

    private val KEY_PLACES = listOf(
        "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "VERTEX", "gcloud", "GOOGLE", "AWS_", "COHERE_API_KEY", "OLLAMA_API_KEY", "WATSONX",
        "REPLICATE",
    )

    private val BODIES: Map<String, ByteArray> = mapOf(
        "a web page" to PAGE,
        "nothing" to "",
        "white space" to " \r\n\t",
        "a list" to """[{"error":{"message":"It is wrong"}},2]""",
        "an empty list" to "[]",
        "a list of lists" to "[[],[[]]]",
        "a text" to "\"It is wrong\"",
        "a number" to "17",
        "null" to "null",
        "an error that is a text" to """{"error":"It is wrong"}""",
        "an error that is a number" to """{"error":17}""",
        "an error that is a list" to """{"error":[null,{"message":"It is wrong"}]}""",
        "a message that is an object" to """{"error":{"message":{"text":"It is wrong","more":[1,2]}}}""",
        "a message that is null" to """{"error":{"message":null,"type":null,"code":null}}""",
        "a code that is an object" to """{"error":{"message":"It is wrong","code":{"a":1},"type":["b"],"param":[]}}""",
        "JSON that is cut" to """{"error":{"message":"It is wro""",
        "JSON in JSON" to """{"error":{"message":"{\"error\":{\"message\":\"It is wrong\"}}"}}""",
        "a long message" to """{"error":{"message":"${"It is wrong. ".repeat(4000)}"}}""",
        "deep JSON" to """{"error":""".repeat(10_000),
        "deep lists" to "[".repeat(30_000),
        "control characters" to "\u0000\u0001\u001b[31mIt is wrong\u0007",
        "a byte order mark" to "\uFEFF{\"error\":{\"message\":\"It is wrong\"}}",
    ).mapValues { it.value.encodeToByteArray() } + mapOf(
        "invalid UTF-8" to byteArrayOf(0x7B, 0xFF.toByte(), 0xC3.toByte(), 0x28, 0x7D),
        "UTF-16" to "{\"error\":\"It is wrong\"}".toByteArray(Charsets.UTF_16),
        "random bytes" to ByteArray(5000) { (it * 37).toByte() },
    )
}

internal class FaultsStatusSpec : FaultSectionSpec(FaultsStatus)
