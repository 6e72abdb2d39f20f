package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.InvalidRequest
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.withoutFallbackAdvice
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlin.time.Duration.Companion.seconds

private val row = Provider("groq", "openai-chat", baseUrl = "https://api.groq.com/openai/v1", apiKeyEnv = listOf("GROQ_API_KEY"))
private val target = Target(ModelId("groq", "llama-3"), row, row.baseUrl!!, ApiKey.of("key-of-the-call"))

private fun read(status: Int?, body: String = "", shouldRetry: Boolean? = null, location: String? = null, at: Target = target) =
    HttpErrors(at).exception(ProviderError.of(body), status, "req-1", null, shouldRetry, location)

private class Status(val status: Int, val type: Class<out LlmException>, val isRetryable: Boolean, val body: String = "", val says: String = "")

private inline fun <reified T : LlmException> status(status: Int, isRetryable: Boolean, body: String = "", says: String = "") =
    Status(status, T::class.java, isRetryable, body, says)

private val AWS_ERRORS = listOf(
    "ModelNotReadyException", "ServiceUnavailableException", "ServiceQuotaExceededException", "ModelErrorException", "ModelTimeoutException",
    "ThrottlingException", "ExpiredTokenException", "AccessDeniedException", "ResourceNotFoundException",
)

private const val HTML = "<!DOCTYPE html><html><head><title>502: Bad gateway</title></head><body><script>alert(1)</script></body></html>"

class HttpErrorsSpec : FunSpec({
    context("the exception for a status and a body") {
        withData<Status>(
            { "${it.status} ${it.body.take(60)} -> ${it.type.simpleName}" },
            status<LlmException.Configuration>(301, false, says = "redirect"),
            status<LlmException.Configuration>(302, false),
            status<LlmException.Configuration>(303, false),
            status<LlmException.Configuration>(307, false),
            status<LlmException.Configuration>(308, false),
            status<InvalidRequest>(400, false, """{"error":{"message":"bad thing","param":"x"}}""", "bad thing"),
            status<LlmException.ContextLengthExceeded>(400, false, """{"error":{"message":"too many","code":"context_length_exceeded"}}"""),
            status<LlmException.ContextLengthExceeded>(
                400,
                false,
                """{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}""",
            ),
            status<LlmException.ContextLengthExceeded>(
                400,
                false,
                """[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]""",
            ),
            status<LlmException.ContextLengthExceeded>(
                400,
                false,
                """{"code":"invalid-argument","error":"This model's maximum prompt length is 131072 but the request contains 136973 tokens."}""",
            ),
            status<LlmException.ContextLengthExceeded>(400, false, """{"message":"too many tokens: size limit exceeded by 11326 tokens."}"""),
            status<LlmException.ContextLengthExceeded>(
                400,
                false,
                """{"error":{"message":"Invalid request: Your request exceeded model token limit: 8192","type":"invalid_request_error"}}""",
            ),
            status<LlmException.ContextLengthExceeded>(
                422,
                false,
                """{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000","error_type":"validation"}""",
            ),
            status<LlmException.ContextLengthExceeded>(
                413,
                false,
                """{"error":{"code":"tokens_limit_reached","message":"Request body too large for gpt-4o model. Max size: 8000 tokens."}}""",
            ),
            status<LlmException.ContextLengthExceeded>(400, false, """{"error":{"message":"Range of input length should be [1, 30720]"}}"""),
            status<LlmException.NotFound>(
                400,
                false,
                """{"error":{"message":"/chat/completions: Invalid model name passed in model=llama-3. Call `/v1/models`","param":"model","code":"400"}}""",
                "llama-3",
            ),
            status<LlmException.NotFound>(400, false, """{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"""),
            status<LlmException.NotFound>(400, false, """{"object":"error","message":"Invalid model: llama-3","type":"invalid_model","code":"1500"}"""),
            status<LlmException.NotFound>(400, false, """{"error":{"message":"llama-3 is not a valid model ID","code":400}}"""),
            status<LlmException.NotFound>(400, false, """{"error":{"message":"no such model","code":"model_not_found"}}"""),
            status<LlmException.PermissionDenied>(403, false, """{"error":{"message":"Project p does not have access to model m","code":"model_not_found"}}"""),
            status<InvalidRequest>(400, false, """{"error":{"message":"Unsupported value: 'temperature'","code":"unsupported_value","param":"temperature"}}"""),
            status<LlmException.ContextLengthExceeded>(400, false, "\uFEFF" + """{"error":{"message":"too many","code":"context_length_exceeded"}}"""),
            status<LlmException.ContentFiltered>(400, false, """{"error":{"code":"content_filter","message":"filtered"}}"""),
            status<LlmException.Authentication>(400, false, """{"error":{"message":"API key not valid. Please pass a valid API key."}}""", "GROQ_API_KEY"),
            status<LlmException.Authentication>(401, false, """{"error":{"message":"Incorrect API key provided: sk-abcdefgh1234"}}""", "GROQ_API_KEY"),
            status<LlmException.Authentication>(401, false, """{"error":{"message":"API key has expired"}}""", "Create a new key"),
            status<LlmException.QuotaExhausted>(402, false, says = "top it up"),
            status<LlmException.PermissionDenied>(403, false),
            status<LlmException.NotFound>(404, false, """{"error":{"message":"The model `llama-3` does not exist"}}""", "llama-3"),
            status<LlmException.NotFound>(404, false, "<html><title>404 Not Found</title></html>", "/v1"),
            status<LlmException.Configuration>(405, false),
            status<LlmException.Network>(407, false, says = "proxy"),
            status<LlmException.Timeout>(408, true),
            status<InvalidRequest>(409, true),
            status<LlmException.NotFound>(410, false),
            status<InvalidRequest>(413, false),
            status<InvalidRequest>(415, false),
            status<InvalidRequest>(418, false),
            status<InvalidRequest>(422, false, """{"detail":[{"loc":["body","messages"],"msg":"field required","type":"value_error"}]}""", "field required"),
            status<InvalidRequest>(422, false, """{"detail":[{"loc":["body","response_format","type"],"msg":"bad"}]}""", "response_format.type: bad"),
            status<LlmException.ServerError>(425, true),
            status<LlmException.RateLimited>(429, true),
            status<LlmException.QuotaExhausted>(
                429,
                false,
                """{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}""",
            ),
            status<InvalidRequest>(451, false),
            status<LlmException.RateLimited>(498, true),
            status<LlmException.ServerError>(499, true),
            status<LlmException.ServerError>(500, true),
            status<LlmException.ServerError>(501, false),
            status<LlmException.ServerError>(502, true, HTML, "502: Bad gateway"),
            status<LlmException.ServerError>(503, true),
            status<LlmException.ServerError>(504, true),
            status<LlmException.ServerError>(505, false),
            status<LlmException.ServerError>(511, false),
            status<LlmException.ServerError>(520, true, HTML, "502: Bad gateway"),
            status<LlmException.ServerError>(527, true),
            status<LlmException.Overloaded>(529, true),
            status<LlmException.MalformedResponse>(598, false),
            status<LlmException.MalformedResponse>(599, false),
            status<LlmException.MalformedResponse>(600, false),
            status<LlmException.MalformedResponse>(1000, false),
            status<LlmException.MalformedResponse>(0, false),
            status<LlmException.MalformedResponse>(99, false),
            status<LlmException.MalformedResponse>(199, false),
        ) { case ->
            val failure = read(case.status, case.body)
            failure.javaClass shouldBe case.type
            failure.isRetryable shouldBe case.isRetryable
            failure.status shouldBe case.status
            failure.requestId shouldBe "req-1"
            failure.model shouldBe target.id
            failure.provider shouldBe "groq"
            failure.message shouldContain case.says
            for (never in listOf("<script", "<html", "key-of-the-call", "sk-abcdefgh")) failure.message shouldNotContain never
            withClue("the message is sentences: ${failure.message}") { (failure.message!!.last() in ".?!") shouldBe true }
        }
    }

    test("kinds of invalid requests") {
        val kinds = mapOf(400 to "BAD_REQUEST", 409 to "CONFLICT", 413 to "TOO_LARGE", 415 to "UNPROCESSABLE", 422 to "UNPROCESSABLE", 418 to "BAD_REQUEST")
        for ((status, kind) in kinds) read(status).shouldBeInstanceOf<InvalidRequest>().kind.name shouldBe kind
    }

    context("x-should-retry overrides the status:") {
        withData(400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 501, 503, 529) { status ->
            read(status, shouldRetry = false).isRetryable shouldBe false
            read(status, shouldRetry = true).isRetryable shouldBe true
        }
    }

    test("a redirect names the host of its location, and nothing else of it") {
        val failure = read(302, location = "https://user:pw@login.example.com/sign-in?key=key-of-the-call")
        failure.message shouldContain "login.example.com"
        for (never in listOf("user", "pw@", "sign-in", "key-of-the-call")) failure.message shouldNotContain never
        read(301, location = "/relative").message shouldContain "another address"
        read(301).message shouldContain "another address"
    }

    context("the exception for an error inside of a stream, by its type or code:") {
        withData<Pair<String, Class<out LlmException>>>(
            { it.first },
            "rate_limit_error" to LlmException.RateLimited::class.java,
            "rate_limit_exceeded" to LlmException.RateLimited::class.java,
            "overloaded_error" to LlmException.Overloaded::class.java,
            "invalid_request_error" to InvalidRequest::class.java,
            "authentication_error" to LlmException.Authentication::class.java,
            "permission_error" to LlmException.PermissionDenied::class.java,
            "not_found_error" to LlmException.NotFound::class.java,
            "insufficient_quota" to LlmException.QuotaExhausted::class.java,
            "context_length_exceeded" to LlmException.ContextLengthExceeded::class.java,
            "content_filter" to LlmException.ContentFiltered::class.java,
            "server_error" to LlmException.ServerError::class.java,
            "api_error" to LlmException.ServerError::class.java,
        ) { (type, expected) ->
            read(null, """{"error":{"type":"$type","message":"said"}}""").javaClass shouldBe expected
            read(null, """{"error":{"code":"$type","message":"said"}}""").javaClass shouldBe expected
        }
    }

    context("with any body the status decides, and the message is short:") {
        withData<Pair<String, String>>(
            { it.first },
            "empty" to "",
            "blank" to " \n",
            "a text" to "upstream connect error",
            "HTML" to HTML,
            "HTML of 10 MiB" to "<html>" + "x".repeat(10 shl 20),
            "a text of 10 MiB" to "x".repeat(10 shl 20),
            "a long message" to """{"error":{"message":"${"y".repeat(100_000)}"}}""",
            "a list" to """[{"error":{"message":"in a list"}}]""",
            "an empty list" to "[]",
            "a text in JSON" to "\"just said\"",
            "null" to "null",
            "a number" to "42",
            "error is a text" to """{"error":"just said"}""",
            "error is an empty object" to """{"error":{}}""",
            "error is null" to """{"error":null}""",
            "error is a list" to """{"error":[{"message":"one"},{"message":"two"}]}""",
            "message is an object" to """{"error":{"message":{"detail":"deep"}}}""",
            "message is a list" to """{"error":{"message":["a","b"]}}""",
            "code is a number" to """{"error":{"code":500,"message":"said"}}""",
            "cut JSON" to """{"error":{"mess""",
            "invalid UTF-8" to byteArrayOf(-1, -2, 123, 34).toString(Charsets.UTF_8),
            "lists in lists" to "[".repeat(60_000),
            "objects in objects" to """{"error":""".repeat(7_000),
            "closed objects in objects" to """{"error":""".repeat(5_000) + "1" + "}".repeat(5_000),
            "control characters" to "a\u0000b\u001b[31mc",
        ) { (_, body) ->
            val failure = read(500, body)
            failure.shouldBeInstanceOf<LlmException.ServerError>()
            failure.message!!.length shouldBeLessThan 2_048 + 300
        }
    }

    test("a message quotes at most 2 KiB of the provider's, and no part of the key at the cut") {
        for (at in 2_030..2_050) {
            val said = read(500, """{"error":{"message":"${"y".repeat(at)} key-of-the-call"}}""").message!!
            for (length in 4..15) said shouldNotContain "key-of-the-call".take(length)
        }
        val said = read(500, """{"error":{"message":"${"ü".repeat(3_000)}"}}""").message!!
        said.count { it == 'ü' } * 2 shouldBeLessThan 2_049
    }

    test("a message quotes the provider's, and then gives the remedy") {
        val failure = read(429, """{"error":{"message":"Rate limit reached"}}""")
        failure.message shouldContain "groq/llama-3 responded with status 429: Rate limit reached."
        failure.message!! shouldEndWith ": wait, or add a fallback."
        failure.message!!.withoutFallbackAdvice() shouldEndWith ": wait."
        HttpErrors(target).exception(ProviderError(null), 429, null, 7.seconds).let {
            it.message shouldContain "7s"
            it.shouldBeInstanceOf<LlmException.RateLimited>().retryAfter shouldBe 7.seconds
        }
    }

    test("the advice to add a fallback is always at the end of a message, so that AllFailed can leave it out") {
        val messages = ((300..599) + null).map { read(it).message!! } + AWS_ERRORS.map { name ->
            val aws = Target(ModelId("bedrock", "m"), row.copy(id = "bedrock", auth = Provider.Auth.AWS), row.baseUrl!!, null)
            read(null, """{"__type":"$name","message":"said"}""", at = aws).message!!
        }
        messages.filter { "fallback" in it }.size shouldBeGreaterThan 100
        for (message in messages) message.withoutFallbackAdvice() shouldNotContain "fallback"
        "Try again, or add a fallback.".withoutFallbackAdvice() shouldBe "Try again."
        "Add a fallback, or not.".withoutFallbackAdvice() shouldBe "Add a fallback, or not."
    }

    test("a 407 is the proxy's: its phase is PROXY") {
        val failure = read(407).shouldBeInstanceOf<LlmException.Network>()
        failure.phase shouldBe LlmException.Network.Phase.PROXY
        for (text in listOf("groq/llama-3", "status 407", "https.proxyHost", "http.nonProxyHosts", "httpClient")) failure.message shouldContain text
    }

    context("a 401 says how to set the key: the variable, then Kotlin, then Java") {
        withData<Pair<String, String>>(
            { it.first },
            "a refused key" to """{"error":{"message":"Invalid API Key"}}""",
            "an expired key" to """{"error":{"message":"API key expired"}}""",
        ) { (_, body) ->
            val said = read(401, body).message!!
            val parts =
                listOf(
                    "where it is set: the variable GROQ_API_KEY",
                    """provider("groq") { apiKey = "…" } in Kotlin""",
                    """provider("groq", p -> p.apiKey("…")) in Java""",
                )
            parts.map(said::indexOf).let { it.sorted() shouldBe it }
            for (part in parts) said shouldContain part
        }

        test("of a server without a variable: code only") {
            val own = Target(ModelId("own", "m"), Provider("own", "openai-chat"), "http://localhost:8000/v1", ApiKey.of("k"))
            read(401, at = own).message shouldContain """where it is set: in code: provider("own") { apiKey = "…" } in Kotlin"""
        }

        test("where there is no key, it says that one is required") {
            val bare = Target(target.id, row, row.baseUrl!!, null)
            read(401, at = bare).message shouldContain "It requires a key: set the variable GROQ_API_KEY"
        }

        test("where Entra or Google issued a token, it names the source of the token") {
            fun at(auth: Provider.Auth) = Target(ModelId("p", "m"), row.copy(id = "p", auth = auth), row.baseUrl!!, null)
            read(401, at = at(Provider.Auth.API_KEY)).message shouldContain "Entra"
            read(401, at = at(Provider.Auth.GOOGLE)).message shouldContain "gcloud auth application-default login"
        }
    }

    test("a model that Ollama has not installed is pulled") {
        val ollama = Provider("ollama", "ollama-chat", baseUrl = "http://localhost:11434", auth = Provider.Auth.OPTIONAL, local = true)
        val failure = read(404, """{"error":"model 'llama9' not found"}""", at = Target(ModelId("ollama", "llama9"), ollama, ollama.baseUrl!!, null))
        failure.message shouldContain "ollama pull llama9"
    }

    test("a missing /v1 is suspected only where the base URL has none") {
        fun at(wire: String, url: String) = Target(ModelId("p", "m"), Provider("p", wire, baseUrl = url, auth = Provider.Auth.OPTIONAL), url, null)
        read(404, at = at("openai-chat", "http://localhost:4000")).message shouldContain "(is \"/v1\" missing?)"
        read(404, at = at("openai-chat", "http://localhost:4000/v1")).message shouldEndWith "http://localhost:4000/v1 is its address."
        read(404, at = at("cohere-chat", "http://localhost:4000/v2")).message shouldEndWith "http://localhost:4000/v2 is its address."
    }

    test("a 401 without a key names its variable") {
        val proxy = Provider("proxy", "openai-chat", baseUrl = "http://localhost:4000", apiKeyEnv = listOf("PROXY_KEY"), auth = Provider.Auth.OPTIONAL)
        read(401, at = Target(ModelId("proxy", "m"), proxy, proxy.baseUrl!!, null)).message shouldContain "set the variable PROXY_KEY"
    }
})
