package dev.unifiedllm.transport

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain

private const val SECRET = "canary0123456789"

private fun redaction(vararg headers: Pair<String, String>, url: String = "https://api.example.com/v1", form: String? = null) = HttpRedaction.of(
    TransportRequest(
        url,
        headers.toList(),
        form.orEmpty().encodeToByteArray(),
        if (form == null) "application/json" else "application/x-www-form-urlencoded",
    ),
)

class HttpRedactionSpec : FunSpec({
    context("a header that carries a credential is hidden whole") {
        withData(
            "Authorization", "authorization", "Proxy-Authorization", "api-key", "x-api-key", "X-Goog-Api-Key", "X-Amz-Security-Token", "Cookie", "Set-Cookie",
            "X-Amz-Signature", "Ocp-Apim-Subscription-Key", "X-Auth-Token", "x-client-secret", "apikey",
        ) { name -> redaction().header(name, "something $SECRET") shouldBe "***" }
    }

    context("a header that carries none is shown") {
        withData("Accept", "Content-Type", "Idempotency-Key", "x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-limit", "Retry-After") {
            redaction().header(it, "value") shouldBe "value"
        }
    }

    context("a URL without its credentials is") {
        withData(
            nameFn = { it.second },
            "https://h/v1?key=$SECRET&alt=sse" to "https://h/v1?key=***&alt=sse",
            "https://h/v1?alt=sse&api_key=$SECRET" to "https://h/v1?alt=sse&api_key=***",
            "https://h/v1?access_token=$SECRET#x" to "https://h/v1?access_token=***#x",
            "https://h/?X-Amz-Signature=$SECRET&X-Amz-Credential=$SECRET" to "https://h/?X-Amz-Signature=***&X-Amz-Credential=***",
            "https://h/?X-Amz-Security-Token=$SECRET" to "https://h/?X-Amz-Security-Token=***",
            "https://user:$SECRET@h/v1" to "https://***@h/v1",
            "https://h/v1?api-version=2024-10-21&pageToken=abc" to "https://h/v1?api-version=2024-10-21&pageToken=abc",
        ) { (url, shown) -> redaction().url(url) shouldBe shown }
    }

    context("a text has no credential any more:") {
        withData(
            """{"api_key":"$SECRET","x":1}""",
            """{"apiKey" : "$SECRET"}""",
            """{"access_token":"$SECRET","expires_in":3599}""",
            """{"refresh_token":"$SECRET"}""",
            """{"client_secret":"$SECRET"}""",
            """{"id_token":"$SECRET"}""",
            """{"AWS_SECRET_ACCESS_KEY": "x", "secret_access_key":"$SECRET"}""",
            """{"message":"bad request {\"api_key\":\"$SECRET\"}"}""",
            """{"headers":{"Authorization":"Bearer $SECRET","x":"y"}}""",
            """{"private_key":"-----BEGIN\n$SECRET\nEND"}""",
            """{"password":"$SECRET""",
            "grant_type=client_credentials&client_secret=$SECRET&scope=x",
            "assertion=$SECRET",
            "AWS_SECRET_ACCESS_KEY=$SECRET",
            """{"OPENAI_API_KEY":"$SECRET"}""",
            "apikey=$SECRET",
            "refresh_token=$SECRET&client_id=x",
            "see https://user:$SECRET@proxy.example.com:3128",
            "POST https://h/v1beta/models?key=$SECRET failed",
            "Authorization: Basic $SECRET",
            "x-api-key: $SECRET",
            "Proxy-Authorization: Basic $SECRET",
        ) { text -> redaction().text(text) shouldNotContain SECRET }
    }

    context("the credentials of the request are hidden wherever they come back:") {
        withData(
            nameFn = { it.first },
            "a bearer key" to redaction("Authorization" to "Bearer $SECRET"),
            "a key header" to redaction("x-api-key" to SECRET),
            "a parameter" to redaction(url = "https://h/v1?key=$SECRET"),
            "a form field" to redaction(form = "grant_type=x&client_secret=$SECRET"),
            "an encoded form field" to redaction(form = "apikey=${SECRET.replace("0", "%30")}"),
        ) { (_, redaction) ->
            redaction.text("you sent $SECRET, which is wrong") shouldBe "you sent ***, which is wrong"
            redaction.header("x-echo", "[$SECRET]") shouldBe "[***]"
        }
    }

    test("prose about keys and tokens stays as it is") {
        val text = """{"messages":[{"role":"user","content":"What is a token? The key is to listen. max_tokens: 100, monkey=banana"}],"max_tokens":100}"""
        redaction("Authorization" to "Bearer $SECRET").text(text) shouldBe text
    }

    test("a text of many backslashes and quotation marks takes no time") {
        val text = "\"api_key\":\"" + "\\\\".repeat(4000) + "\"".repeat(4000) + "Authorization: ".repeat(300)
        redaction().text(text) shouldContain "***"
    }

    test("a line has no line break, no control character and no character that reorders text") {
        "a\r\nb\tc\u001B[31m\u0000\u202E\u2028\uDB40\uDC41é→".inOneLine() shouldBe "a\\r\\nb\\tc\\u001b[31m\\u0000\\u202e\\u2028\\ue0041é→"
        "plain".inOneLine() shouldBe "plain"
    }
})
