package dev.unifiedllm.transport.credential

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.TransportRequest
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.long
import kotlinx.serialization.json.put
import java.net.URLDecoder
import java.security.KeyPairGenerator
import java.security.Signature
import java.time.Clock
import java.time.Instant
import java.time.ZoneId
import java.time.ZoneOffset
import java.util.Base64
import kotlin.time.Duration.Companion.seconds

private val keys by lazy { KeyPairGenerator.getInstance("RSA").apply { initialize(2048) }.generateKeyPair() }
private val pem by lazy {
    "-----BEGIN PRIVATE KEY-----\n${Base64.getMimeEncoder(64, byteArrayOf(10)).encodeToString(keys.private.encoded)}\n-----END PRIVATE KEY-----\n"
}
private val start = Instant.parse("2026-11-21T10:00:00Z")
private const val DEEP = "https://us-central1-aiplatform.googleapis.com/v1/x"

private class TestClock(var now: Instant = start) : Clock() {
    override fun instant(): Instant = now

    override fun getZone(): ZoneId = ZoneOffset.UTC

    override fun withZone(zone: ZoneId): Clock = this
}

private fun serviceAccount(tokenUri: String, vararg changed: Pair<String, String?>): String = buildJsonObject {
    val fields = mapOf(
        "type" to "service_account",
        "private_key_id" to "kid7",
        "private_key" to pem,
        "client_email" to "bot@p.iam.gserviceaccount.com",
        "token_uri" to tokenUri,
    )
    for ((name, value) in fields + changed) if (value != null) put(name, value)
}.toString()

private fun LoopbackExchange.token(number: Int) = whole("""{"access_token":"ya29.$number","expires_in":3600,"token_type":"Bearer"}""")

private fun LoopbackRequest.form(): Map<String, String> = body.split('&').associate {
    it.substringBefore('=') to
        URLDecoder.decode(it.substringAfter('='), Charsets.UTF_8)
}

private fun decoded(part: String): JsonObject = Json.parseToJsonElement(Base64.getUrlDecoder().decode(part).decodeToString()).jsonObject

private fun target() = Target(ModelId("vertex_ai", "gemini-2.5-flash"), ProviderRegistry.packed.find("vertex_ai")!!, "https://host", null)

/** Credentials whose token endpoint responds by [answer]. */
private class Fixture(val clock: TestClock = TestClock(), answer: LoopbackExchange.(LoopbackRequest) -> Unit) : AutoCloseable {
    val server = LoopbackServer(answer)
    private val transport = JdkTransport(5.seconds)
    var environment: Map<String, String> = mapOf("VERTEXAI_CREDENTIALS" to serviceAccount(server.url + "/token"))
    val credentials = Credentials(Environment { environment[it] }, transport, clock)

    suspend fun sign(url: String = DEEP): TransportRequest = credentials.of(target())!!.sign(TransportRequest(url, listOf("a" to "b"), ByteArray(0)))

    override fun close() {
        transport.close()
        server.close()
    }
}

private fun TransportRequest.header(name: String) = headers.firstOrNull { it.first == name }?.second

class GoogleCredentialSpec : FunSpec({
    val folder = tempdir()

    test("the key of a service account signs a JWT, which fetches the token for the request") {
        Fixture { token(1) }.use { fixture ->
            fixture.environment = mapOf("VERTEXAI_CREDENTIALS" to serviceAccount(fixture.server.url + "/token", "quota_project_id" to "q"))
            val signed = fixture.sign()
            signed.header("Authorization") shouldBe "Bearer ya29.1"
            signed.header("x-goog-user-project") shouldBe "q"
            signed.header("a") shouldBe "b"
            val request = fixture.server.requests.single()
            request.path shouldBe "/token"
            request.header("Content-Type")!! shouldStartWith "application/x-www-form-urlencoded"
            val form = request.form()
            form["grant_type"] shouldBe "urn:ietf:params:oauth:grant-type:jwt-bearer"
            val (head, claims, signature) = form.getValue("assertion").split('.')
            decoded(head) shouldBe buildJsonObject {
                put("alg", "RS256")
                put("typ", "JWT")
                put("kid", "kid7")
            }
            decoded(claims) shouldBe buildJsonObject {
                put("iss", "bot@p.iam.gserviceaccount.com")
                put("scope", "https://www.googleapis.com/auth/cloud-platform")
                put("aud", fixture.server.url + "/token")
                put("iat", start.epochSecond)
                put("exp", start.epochSecond + 3600)
            }
            val verifier = Signature.getInstance("SHA256withRSA")
            verifier.initVerify(keys.public)
            verifier.update("$head.$claims".encodeToByteArray())
            verifier.verify(Base64.getUrlDecoder().decode(signature)) shouldBe true
        }
    }

    test("a token is used until a minute and a half before its expiry, then another is fetched") {
        var count = 0
        Fixture { token(++count) }.use { fixture ->
            fixture.sign().header("Authorization") shouldBe "Bearer ya29.1"
            fixture.clock.now = start.plusSeconds(3500)
            fixture.sign().header("Authorization") shouldBe "Bearer ya29.1"
            fixture.clock.now = start.plusSeconds(3535)
            fixture.sign().header("Authorization") shouldBe "Bearer ya29.2"
            val claims = decoded(fixture.server.requests.last().form().getValue("assertion").split('.')[1])
            (claims["iat"] as JsonPrimitive).long shouldBe start.epochSecond + 3535
        }
    }

    test("concurrent calls fetch one token, and share a failure") {
        var refuses = true
        val answer: LoopbackExchange.(LoopbackRequest) -> Unit = {
            Thread.sleep(300)
            if (refuses) whole("""{"error":"invalid_grant","error_description":"Invalid JWT Signature."}""", 400) else token(1)
        }
        Fixture(answer = answer).use { fixture ->
            suspend fun many() = withContext(Dispatchers.Default) { List(20) { async { runCatching { fixture.sign() } } }.awaitAll() }
            val failures = many().map { it.exceptionOrNull() }
            failures.forEach { it.shouldBeInstanceOf<LlmException.Authentication>().message shouldContain "Invalid JWT Signature" }
            // Each call writes its own attempts and partial answer into its failure.
            failures.distinctBy { System.identityHashCode(it) } shouldHaveSize failures.size
            fixture.server.requests shouldHaveSize 1
            refuses = false
            many().map { it.getOrThrow().header("Authorization") }.distinct() shouldBe listOf("Bearer ya29.1")
            fixture.server.requests shouldHaveSize 2
        }
    }

    test("a refused token is an Authentication failure with the reason and the remedy, without a secret") {
        Fixture { whole("""{"error":"invalid_grant","error_description":"Invalid JWT Signature."}""", 400) }.use { fixture ->
            val failure = shouldThrow<LlmException.Authentication> { fixture.sign() }
            for (words in listOf("vertex_ai/gemini-2.5-flash", "400", "invalid_grant: Invalid JWT Signature.", "VERTEXAI_CREDENTIALS", "still active")) {
                failure.message shouldContain
                    words
            }
            failure.message shouldNotContain pem.lines()[1]
            failure.isRetryable shouldBe false
        }
        for (body in listOf("{}", "no JSON", "[1]")) {
            Fixture { whole(body) }.use {
                shouldThrow<LlmException.Authentication> { it.sign() }.message shouldContain
                    "without a token"
            }
        }
        Fixture { whole("down", 503) }.use { shouldThrow<LlmException.ServerError> { it.sign() }.message shouldContain "503" }
        Fixture { reset() }.use { shouldThrow<LlmException.Network> { it.sign() } }
    }

    test("without variables the login in gcloud's file fetches the token") {
        Fixture { if ("refresh_token" in it.body) token(5) else token(6) }.use { fixture ->
            fun login(directory: java.io.File) {
                directory.mkdirs()
                val fields = """"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r/1""""
                directory.resolve(
                    "application_default_credentials.json",
                ).writeText("""{$fields,"token_uri":"${fixture.server.url}/refresh","quota_project_id":"mine"}""")
            }
            login(folder.resolve("home/.config/gcloud"))
            login(folder.resolve("sdk"))
            for (environment in listOf("HOME" to folder.resolve("home"), "CLOUDSDK_CONFIG" to folder.resolve("sdk"))) {
                fixture.environment = mapOf(environment.first to environment.second.path)
                val signed = fixture.sign()
                signed.header("Authorization") shouldBe "Bearer ya29.5"
                signed.header("x-goog-user-project") shouldBe "mine"
            }
            val form = fixture.server.requests.single().form()
            form shouldBe mapOf("client_id" to "c", "client_secret" to "s", "refresh_token" to "r/1", "grant_type" to "refresh_token")
        }
    }

    test("VERTEXAI_CREDENTIALS precedes GOOGLE_APPLICATION_CREDENTIALS; both may be paths, and a changed file takes effect at once") {
        Fixture { token(requestNumber(it)) }.use { fixture ->
            fun file(
                name: String,
                email: String,
            ) = folder.resolve(name).apply { writeText(serviceAccount(fixture.server.url + "/token", "client_email" to email)) }.path
            val email = { decoded(fixture.server.requests.last().form().getValue("assertion").split('.')[1])["iss"] }
            fixture.environment = mapOf("GOOGLE_APPLICATION_CREDENTIALS" to file("a.json", "a@x"))
            fixture.sign()
            email() shouldBe JsonPrimitive("a@x")
            fixture.environment += "VERTEXAI_CREDENTIALS" to file("b.json", "b@x")
            fixture.sign()
            email() shouldBe JsonPrimitive("b@x")
            file("b.json", "c@x")
            fixture.sign()
            email() shouldBe JsonPrimitive("c@x")
        }
    }

    context("credentials that cannot be used fail before anything is sent") {
        withData<Pair<String, Pair<Map<String, String>, List<String>>>>(
            { it.first },
            "none" to (emptyMap<String, String>() to listOf("GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth application-default login")),
            "no file" to (mapOf("GOOGLE_APPLICATION_CREDENTIALS" to "/nowhere/key.json") to listOf("cannot be read", "/nowhere/key.json")),
            "no JSON" to (mapOf("VERTEXAI_CREDENTIALS" to "{secret") to listOf("are not JSON", "VERTEXAI_CREDENTIALS")),
            "no type" to (mapOf("VERTEXAI_CREDENTIALS" to "{}") to listOf("type is missing")),
            "another type" to (mapOf("VERTEXAI_CREDENTIALS" to """{"type":"external_account"}""") to listOf("external_account")),
            "no key" to (mapOf("VERTEXAI_CREDENTIALS" to """{"type":"service_account","client_email":"a"}""") to listOf("no private_key")),
            "no address" to (mapOf("VERTEXAI_CREDENTIALS" to """{"type":"service_account","private_key":"x"}""") to listOf("no client_email")),
            "a broken key" to
                (mapOf("VERTEXAI_CREDENTIALS" to """{"type":"service_account","client_email":"a","private_key":"secret"}""") to listOf("not an RSA key")),
            "an open token endpoint" to
                (mapOf("VERTEXAI_CREDENTIALS" to """{"type":"service_account","token_uri":"http://evil.example/t"}""") to listOf("not an https URL")),
            "half a login" to (mapOf("VERTEXAI_CREDENTIALS" to """{"type":"authorized_user","client_id":"a"}""") to listOf("no client_secret")),
        ) { (_, case) ->
            Fixture { token(1) }.use { fixture ->
                fixture.environment = case.first
                val failure = shouldThrow<LlmException.Configuration> { fixture.sign() }
                for (words in case.second) failure.message shouldContain words
                generateSequence<Throwable>(failure) { it.cause }.forEach { it.message.orEmpty() shouldNotContain "secret\"" }
                fixture.server.requests shouldHaveSize 0
            }
        }
    }

    test("a token is not sent unencrypted to another machine") {
        Fixture { token(1) }.use { shouldThrow<LlmException.Configuration> { it.sign("http://proxy.example/v1") }.message shouldContain "unencrypted" }
    }

    test("a call to Vertex AI sends the fetched token, or the one in VERTEX_ACCESS_TOKEN") {
        val usage = """{"promptTokenCount":1,"candidatesTokenCount":1}"""
        val answer = """{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":$usage}"""
        val server = LoopbackServer { if (it.path == "/token") token(1) else sse("data: $answer\n\n") }
        server.use {
            val base = mapOf("VERTEXAI_API_BASE" to server.url + "/v1/projects/p/locations/l", "VERTEXAI_CREDENTIALS" to serviceAccount(server.url + "/token"))
            for ((environment, token) in listOf(base to "ya29.1", base + ("VERTEX_ACCESS_TOKEN" to "mine") to "mine")) {
                Llm.builder().retry { maxRetries = 0 }.environment { environment[it] }.build().use { llm ->
                    repeat(2) { llm.chat("vertex_ai/gemini-2.5-flash", "hi").get().text shouldBe "hi" }
                }
                server.requests.last().header("Authorization") shouldBe "Bearer $token"
            }
            server.requests.map { it.path } shouldContain "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
            server.requests.count { it.path == "/token" } shouldBe 1
        }
    }
})

private fun requestNumber(request: LoopbackRequest): Int = request.body.hashCode()
