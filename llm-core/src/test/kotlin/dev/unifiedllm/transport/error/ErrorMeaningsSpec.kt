package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Authentication
import dev.unifiedllm.LlmException.ContextLengthExceeded
import dev.unifiedllm.LlmException.InvalidRequest
import dev.unifiedllm.LlmException.NotFound
import dev.unifiedllm.LlmException.Overloaded
import dev.unifiedllm.LlmException.PermissionDenied
import dev.unifiedllm.LlmException.QuotaExhausted
import dev.unifiedllm.LlmException.RateLimited
import dev.unifiedllm.LlmException.ServerError
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlin.reflect.KClass
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

private fun target(provider: String = "groq", key: String? = "key-of-the-call", url: String? = null): Target {
    val row = ProviderRegistry.packed.find(provider)!!
    return Target(ModelId(provider, "m"), row, url ?: row.baseUrl ?: "http://localhost:8000/v1", key?.let(ApiKey::of))
}

private fun read(status: Int?, body: String, at: Target = target()) = HttpErrors(at).exception(ProviderError.of(body), status)

/** @param status of the response; null for an error inside of a stream */
private class Meaning(val status: Int?, val body: String, val type: KClass<out LlmException>) {
    override fun toString(): String = "${status ?: "stream"} ${body.take(110)} -> ${type.simpleName}"
}

private inline fun <reified T : LlmException> means(status: Int?, body: String) = Meaning(status, body, T::class)

/** How servers say that the context is too short. */
private val CONTEXT = listOf(
    "This model's maximum context length is 1024 tokens. However, you requested 1029 tokens",
    "Input length (600013 tokens) exceeds the maximum allowed length (536826 tokens).",
    "Trying to keep the first 14538 tokens when context the overflows. However, the model is loaded with context length of only 2048 tokens",
    "The number of tokens to keep from the initial prompt is greater than the context length.",
    "The prompt (total length 25938) is too long to fit into the model (context length 4096).",
    "The decoder prompt (length 40971) is longer than the maximum model length of 32768.",
    "The input (12345 tokens) is longer than the model's context length (8192 tokens).",
    "Context size has been exceeded.",
    "Reached context length of 4096 tokens with this model, but the chat has more.",
    "The prompt exceeds the maximum supported sequence length of 8192.",
    "You passed 40001 input tokens. However, the model's context length is only 40000 tokens.",
    "Prompt exceeds max length",
    "prompt too long; exceeded max context length by 13 tokens",
    "the input length exceeds the context length",
    "the request exceeds the available context size. try increasing the context size or enable context shift",
    "Requested tokens (2050) exceed context window of 2048",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "The conversation is too long for the context window",
    "Input tokens exceed the configured limit of 272000 tokens.",
    "prompt token count of 128500 exceeds the limit of 128000",
    "Unable to submit request because the input token count is 1110000 but model only supports up to 1048576.",
    "the number of input tokens 5000 cannot exceed the total tokens limit 4096 for this model",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    "Input validation error: `inputs` must have less than 1024 tokens. Given: 1500",
    "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
    "too many input tokens. Max input tokens: 8192",
)

private val STATUS_MEANINGS: Map<Int, KClass<out LlmException>> = mapOf(
    400 to InvalidRequest::class,
    401 to Authentication::class,
    402 to QuotaExhausted::class,
    403 to PermissionDenied::class,
    404 to NotFound::class,
    408 to LlmException.Timeout::class,
    409 to InvalidRequest::class,
    413 to InvalidRequest::class,
    422 to InvalidRequest::class,
    429 to RateLimited::class,
    498 to RateLimited::class,
    499 to ServerError::class,
    500 to ServerError::class,
    502 to ServerError::class,
    503 to ServerError::class,
    504 to ServerError::class,
    529 to Overloaded::class,
)

class ErrorMeaningsSpec : FunSpec({
    context("a code inside of a stream means what the same status means:") {
        withData(STATUS_MEANINGS.keys) { code ->
            val expected = read(code, """{"error":{"message":"said"}}""")
            expected::class shouldBe STATUS_MEANINGS.getValue(code)
            val forms = listOf(
                """{"error":{"message":"said","code":$code}}""",
                """{"error":{"message":"said","code":"$code"}}""",
                """{"error":{"message":"said","type":"$code"}}""",
                """{"error":{"message":"said","status":$code}}""",
                """{"error":{"message":"said","type":"some_type"},"status_code":$code}""",
                """{"error":{"message":"said","code":"some_code"},"status":$code}""",
                """{"code":$code,"message":"said"}""",
                """{"code":$code,"details":"said"}""",
                """[{"error":{"code":$code,"message":"said"}}]""",
            )
            for (form in forms) {
                val failure = read(null, form)
                failure::class shouldBe expected::class
                failure.isRetryable shouldBe expected.isRetryable
                failure.status shouldBe null
                failure.message shouldContain "groq/m responded with an error in its stream: said"
                failure.message!!.substringAfter("said") shouldBe expected.message!!.substringAfter("said")
            }
        }
    }

    context("a code that is no status means nothing:") {
        withData("1261x", "20015", "0", "-1", "200", "302", "407", "99999999999999999999") { code ->
            read(null, """{"error":{"message":"said","code":"$code"}}""").shouldBeInstanceOf<ServerError>().isRetryable shouldBe true
        }
    }

    context("a name means the same in each of its spellings:") {
        withData<Pair<String, KClass<out LlmException>>>(
            { it.first },
            "BAD_REQUEST" to InvalidRequest::class,
            "BadRequestError" to InvalidRequest::class,
            "badRequestException" to InvalidRequest::class,
            "litellm.BadRequestError" to InvalidRequest::class,
            "INVALID_ARGUMENT" to InvalidRequest::class,
            "invalid_prompt" to InvalidRequest::class,
            "validationException" to InvalidRequest::class,
            "request_too_large" to InvalidRequest::class,
            "UNAUTHENTICATED" to Authentication::class,
            "AuthenticationError" to Authentication::class,
            "PERMISSION_DENIED" to PermissionDenied::class,
            "PermissionDeniedError" to PermissionDenied::class,
            "NOT_FOUND" to NotFound::class,
            "NotFoundError" to NotFound::class,
            "RESOURCE_EXHAUSTED" to RateLimited::class,
            "RateLimitError" to RateLimited::class,
            "throttlingException" to RateLimited::class,
            "Too Many Requests" to RateLimited::class,
            "UNAVAILABLE" to ServerError::class,
            "DEADLINE_EXCEEDED" to ServerError::class,
            "CANCELLED" to ServerError::class,
            "InternalServerError" to ServerError::class,
            "engine_overloaded_error" to Overloaded::class,
            "Overloaded" to Overloaded::class,
        ) { (name, expected) ->
            for (field in listOf("type", "code", "status")) read(null, """{"error":{"$field":"$name","message":"said"}}""")::class shouldBe expected
        }
    }

    context("a context that is too short, in the words of a server:") {
        withData(CONTEXT) { words ->
            val said = words.replace("\"", "\\\"")
            val bodies = listOf(
                """{"error":{"message":"$said","type":"BadRequestError","code":400}}""",
                """{"error":{"message":"$said"}}""",
                """{"error":{"message":"$said","code":500}}""",
                """{"error":"$said"}""",
                """{"message":"$said"}""",
                """{"object":"error","message":"$said"}""",
                """{"type":"error","error":{"type":"invalid_request_error","message":"$said"}}""",
                """{"error":{"code":400,"message":"$said","status":"INVALID_ARGUMENT"}}""",
                """{"error":{"code":400,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"$said\"}}"}}}""",
                said,
            )
            for (status in listOf(400, 403, 413, 422, 500, null)) {
                for (body in bodies) read(status, body).shouldBeInstanceOf<ContextLengthExceeded>().isRetryable shouldBe false
            }
        }
    }

    test("a status 500 whose type is that of an overload is one") {
        read(500, """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""").shouldBeInstanceOf<LlmException.Overloaded>()
    }

    test("the address of a redirect is quoted without the key") {
        val failure = HttpErrors(target()).exception(ProviderError(null), 302, location = "https://key-of-the-call.example/v1")
        failure.message!! shouldNotContain "key-of-the-call"
    }

    context("what a server says decides where its status does not:") {
        withData<Meaning>(
            { "$it" },
            means<ContextLengthExceeded>(400, """{"error":{"code":"1261","message":"Prompt 超长"}}"""),
            means<ContextLengthExceeded>(400, """{"error":{"code":"model_max_prompt_tokens_exceeded","message":"too many"}}"""),
            means<Authentication>(400, """{"error":{"message":"API key expired. Please renew the API key.","status":"INVALID_ARGUMENT"}}"""),
            means<Authentication>(400, """{"error":{"message":"API Key not found. Please pass a valid API key."}}"""),
            means<Authentication>(400, """{"error":{"message":"?","status":"INVALID_ARGUMENT","details":[{"@type":"x"},{"reason":"API_KEY_INVALID"}]}}"""),
            means<Authentication>(400, """{"code":"invalid-argument","error":"Incorrect API key provided: xa***"}"""),
            means<Authentication>(
                403,
                """{"error":{"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}""",
            ),
            means<Authentication>(403, """{"error":{"message":"Method doesn't allow unregistered callers. Please use API Key."}}"""),
            means<Authentication>(403, """{"message":"Invalid API key"}"""),
            means<Authentication>(null, """{"error":{"message":"API key expired."}}"""),
            means<PermissionDenied>(403, """{"error":{"message":"Your API key does not have access to this model"}}"""),
            means<PermissionDenied>(403, """{"error":{"message":"The model is not enabled for this api key: it is disabled"}}"""),
            means<QuotaExhausted>(403, """{"error":{"message":"Key limit exceeded (total limit)","code":403}}"""),
            means<QuotaExhausted>(429, """{"error":{"message":"Insufficient balance or no resource package. Please recharge.","code":"1113"}}"""),
            means<QuotaExhausted>(429, """{"error":{"message":"You exceeded your quota","type":"exceeded_current_quota_error"}}"""),
            means<RateLimited>(
                413,
                """{"error":{"message":"Request too large: tokens per minute (TPM): Limit 12000, Requested 19000","code":"rate_limit_exceeded"}}""",
            ),
            means<RateLimited>(403, """{"error":{"code":403,"message":"Slow down","errors":[{"message":"Slow down","reason":"rateLimitExceeded"}]}}"""),
            means<RateLimited>(400, """{"error":{"message":"Slow down","type":"RateLimitError"}}"""),
            means<InvalidRequest>(413, """{"error":{"message":"Request Entity Too Large","code":"request_too_large"}}"""),
            means<PermissionDenied>(403, """{"error":{"message":"Your organization does not have access to the 1M context window."}}"""),
            means<InvalidRequest>(400, """{"error":{"message":"Tool name exceeds the maximum allowed length of 64"}}"""),
            means<InvalidRequest>(
                400,
                """{"message":"[{'type':'extra_forbidden','loc':('body','foo'),'input':'does the prompt exceed context length?'}]"}""",
            ),
            means<RateLimited>(429, """{"error":{"message":"Per-API-key limit exceeded, retry in 20s"}}"""),
            means<RateLimited>(429, """{"error":{"message":"Key limit exceeded, try again in 20s"}}"""),
            means<QuotaExhausted>(403, """{"error":{"message":"Key limit exceeded (monthly limit).","code":403}}"""),
            means<RateLimited>(498, """{"error":{"message":"Flex tier capacity exceeded.","code":"capacity_exceeded"}}"""),
            means<ServerError>(499, """[{"error":{"code":499,"message":"Cancelled","errors":[{"reason":"backendError"}],"status":"CANCELLED"}}]"""),
            means<Overloaded>(null, """{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"""),
            means<LlmException.ContentFiltered>(null, """{"error":{"code":"image_content_policy_violation","message":"no"}}"""),
        ) { read(it.status, it.body)::class shouldBe it.type }
    }

    context("a gateway's error has the words of its upstream:") {
        withData<Meaning>(
            { "$it" },
            means<InvalidRequest>(
                400,
                """{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"one image\"}}"}}}""",
            ),
            means<InvalidRequest>(400, """{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":{"error":{"message":"one image"}}}}}"""),
            means<InvalidRequest>(400, """{"error":{"message":"Provider returned error","metadata":{"raw":"one image"}}}"""),
            means<InvalidRequest>(400, """{"error":{"message":"Provider returned error","metadata":{"raw":"[{\"error\":{\"message\":\"one image\"}}]"}}}"""),
            means<InvalidRequest>(400, """{"error":{"message":"{\"error\":{\"message\":\"one image\",\"code\":400}}","code":400}}"""),
            means<ServerError>(null, """{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"one image"}}}"""),
            means<ServerError>(null, """{"message":"It failed","originalStatusCode":500,"originalMessage":"one image"}"""),
            means<RateLimited>(
                null,
                """{"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"one image\",\"code\":429}}"}}}""",
            ),
            means<Overloaded>(null, """{"error":{"message":"{\"error\":{\"message\":\"one image: overloaded\",\"status\":\"UNAVAILABLE\"}}"}}"""),
        ) {
            val failure = read(it.status, it.body, target("openrouter"))
            failure::class shouldBe it.type
            failure.message shouldContain "one image"
            failure.message shouldNotContain "{"
        }
    }

    test("an upstream's words are not repeated, and raw values that say nothing change nothing") {
        read(400, """{"error":{"message":"Failed: one image","metadata":{"raw":"one image"}}}""").message shouldContain "400: Failed: one image."
        for (raw in listOf("\"\"", "null", "{}", "[]", "\"<html></html>\"")) {
            read(400, """{"error":{"message":"Provider returned error","metadata":{"raw":$raw}}}""").message shouldContain "400: Provider returned error."
        }
    }

    test("a name beside a message is the code, and a title stands before the message") {
        read(null, """{"error":"rate_limit_exceeded","message":"Slow down"}""").shouldBeInstanceOf<RateLimited>().message shouldContain "stream: Slow down."
        read(400, """{"error":"Bad Request","message":"No such field"}""").message shouldContain "400: Bad Request: No such field."
    }

    context("how long to wait stands in fields and in words:") {
        withData<Pair<String, Duration?>>(
            { it.first },
            """{"error":{"message":"Rate limit reached. Please try again in 7.66s. Visit https://x.y"}}""" to 7.66.seconds,
            """{"error":{"message":"Please try again in 6ms."}}""" to 6.milliseconds,
            """{"error":{"message":"Please try again in 1m13.5s"}}""" to 73.5.seconds,
            """{"error":{"message":"Please try again in 1h2m3s"}}""" to 1.hours + 2.minutes + 3.seconds,
            """{"error":{"message":"Please retry after 20 seconds."}}""" to 20.seconds,
            """{"error":{"message":"Please retry in 34.074824224s."}}""" to 34.074824224.seconds,
            """{"error":{"message":"Wait for 2 minutes and 5 seconds, please"}}""" to 125.seconds,
            """{"message":"try again in 3 minutes"}""" to 3.minutes,
            """{"error":{"message":"said","details":[{"@type":"x"},{"@type":"RetryInfo","retryDelay":"34.5s"}]}}""" to 34.5.seconds,
            """{"error":{"message":"said","retry_after":12}}""" to 12.seconds,
            """{"error":{"message":"said","retry_after":"12"}}""" to 12.seconds,
            """{"error":{"message":"said"},"retry_after_ms":1500}""" to 1.5.seconds,
            """{"error":{"message":"said","metadata":{"retry_after_seconds":1.5}}}""" to 1.5.seconds,
            """{"error":{"message":"said","metadata":{"headers":{"Retry-After":"9"}}}}""" to 9.seconds,
            """{"error":"Model is loading","estimated_time":20.0}""" to 20.seconds,
            """{"error":{"message":"try again in 5s","retry_after":12}}""" to 12.seconds,
            """{"error":{"message":"said","retry_after":1767225600}}""" to null,
            """{"error":{"message":"said","retry_after":0}}""" to null,
            """{"error":{"message":"said","retry_after":-3}}""" to null,
            """{"error":{"message":"said","retry_after":"soon"}}""" to null,
            """{"error":{"message":"Try again later, in an hour"}}""" to null,
            """{"error":{"message":"Try again in 5 shapes"}}""" to null,
            """{"error":{"message":"The limit is 20 seconds"}}""" to null,
        ) { (body, expected) ->
            for (status in listOf(429, 503, null)) read(status, body).retryAfter shouldBe expected
        }
    }

    test("a header's delay counts before that of the body") {
        val error = ProviderError.of("""{"error":{"message":"try again in 5s","code":429}}""")
        HttpErrors(target()).exception(error, 429, retryAfter = 2.seconds).retryAfter shouldBe 2.seconds
    }

    context("AWS's errors without their header, as proxies pass them on:") {
        withData<Meaning>(
            { "$it" },
            means<NotFound>(400, """{"message":"The provided model identifier is invalid."}"""),
            means<NotFound>(400, """{"message":"Invocation of model ID x with on-demand throughput isn't supported."}"""),
            means<InvalidRequest>(400, """{"message":"2 validation errors detected"}"""),
            means<ContextLengthExceeded>(400, """{"message":"Input is too long for requested model."}"""),
            means<Authentication>(403, """{"message":"The security token included in the request is expired"}"""),
            means<Authentication>(403, """{"message":"The security token included in the request is invalid."}"""),
            means<Authentication>(403, """{"message":"The request signature we calculated does not match the signature you provided."}"""),
            means<Authentication>(403, """{"Message":"Invalid API Key format: Must start with pre-defined prefix"}"""),
            means<PermissionDenied>(403, """{"message":"You don't have access to the model with the specified model ID."}"""),
            means<NotFound>(404, """{"message":"Model use case details have not been submitted for this account."}"""),
            means<ServerError>(424, """{"message":"The model failed"}"""),
            means<RateLimited>(429, """{"message":"Too many requests, please wait before trying again."}"""),
            means<Overloaded>(503, """{"message":"Service Unavailable"}"""),
        ) { read(it.status, it.body, target("bedrock", url = "https://bedrock-runtime.us-east-1.amazonaws.com"))::class shouldBe it.type }
    }

    test("a missing /v1 is no hint where the provider's own base URL has none") {
        for (provider in listOf("litellm_proxy", "deepseek")) {
            for (status in listOf(404, 405)) read(status, "{}", target(provider, url = "http://localhost:4000")).message shouldNotContain "/v1"
        }
        for (provider in listOf("groq", "hosted_vllm", "custom_openai")) {
            for (status in listOf(404, 405)) read(status, "{}", target(provider, url = "http://localhost:4000")).message shouldContain "\"/v1\" missing"
        }
    }

    test("who is denied has a key, or credentials") {
        read(403, "{}").message shouldContain "The key is valid but does not allow this."
        read(403, "{}", target(key = null)).message shouldContain "The credentials do not allow this. Check their permissions and the region."
    }

    test("a status that HTTP does not define") {
        read(612, "{}").message shouldContain "612 is not a status that this client understands."
    }

    test("an error that states neither a status nor a delay has none") {
        val error = ProviderError.of("""{"error":{"message":"said","type":"tokens"}}""")
        error.status.shouldBeNull()
        error.retryDelay.shouldBeNull()
    }
})
