package dev.unifiedllm.transport.credential

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
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.net.URLDecoder
import java.time.Clock
import java.time.Instant
import java.time.ZoneId
import java.time.ZoneOffset
import kotlin.time.Duration.Companion.seconds

private class MovingClock(var now: Instant = Instant.parse("2026-01-01T00:00:00Z")) : Clock() {
    override fun instant(): Instant = now

    override fun getZone(): ZoneId = ZoneOffset.UTC

    override fun withZone(zone: ZoneId): Clock = this
}

private class EntraFixture(answer: LoopbackExchange.(LoopbackRequest) -> Unit) : AutoCloseable {
    val clock = MovingClock()
    val server = LoopbackServer(answer)
    private val transport = JdkTransport(5.seconds)
    var environment: Map<String, String> = mapOf(
        "AZURE_TENANT_ID" to "tenant",
        "AZURE_CLIENT_ID" to "client",
        "AZURE_CLIENT_SECRET" to "s3cr+t",
        "AZURE_AUTHORITY_HOST" to server.url,
    )
    private val credentials = Credentials(Environment { environment[it] }, transport, clock)
    private val target = Target(ModelId("azure", "gpt-4o"), ProviderRegistry.packed.find("azure")!!, "https://res.openai.azure.com", null)

    suspend fun header(url: String = "https://res.openai.azure.com/openai"): String? =
        credentials.of(target)!!.sign(TransportRequest(url, emptyList(), ByteArray(0))).headers.toMap()["Authorization"]

    override fun close() {
        transport.close()
        server.close()
    }
}

private fun LoopbackExchange.token(text: String) = whole("""{"token_type":"Bearer","access_token":"$text","expires_in":3599}""")

class EntraCredentialSpec : FunSpec({
    test("the token in AZURE_AD_TOKEN is sent, and none is fetched") {
        EntraFixture { token("no") }.use { fixture ->
            fixture.environment += "AZURE_AD_TOKEN" to "mine"
            fixture.header() shouldBe "Bearer mine"
            fixture.server.requests.size shouldBe 0
        }
    }

    test("the secret of an application fetches a token, which is kept until shortly before it expires") {
        var number = 0
        EntraFixture { token("t${++number}") }.use { fixture ->
            fixture.header() shouldBe "Bearer t1"
            fixture.header() shouldBe "Bearer t1"
            fixture.clock.now = fixture.clock.now.plusSeconds(3598)
            fixture.header() shouldBe "Bearer t2"
            val request = fixture.server.requests.first()
            request.path shouldBe "/tenant/oauth2/v2.0/token"
            request.body.split('&').associate { it.substringBefore('=') to URLDecoder.decode(it.substringAfter('='), Charsets.UTF_8) } shouldBe mapOf(
                "grant_type" to "client_credentials",
                "client_id" to "client",
                "client_secret" to "s3cr+t",
                "scope" to "https://cognitiveservices.azure.com/.default",
            )
        }
    }

    test("a refused token is an Authentication failure whose message does not contain the secret") {
        EntraFixture {
            whole("""{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}""", status = 401)
        }.use { fixture ->
            val error = shouldThrow<LlmException.Authentication> { fixture.header() }
            error.message shouldContain "AADSTS7000215"
            error.message shouldContain "AZURE_CLIENT_SECRET"
            error.message shouldNotContain "s3cr"
        }
    }

    test("a missing variable is named") {
        EntraFixture { token("no") }.use { fixture ->
            fixture.environment -= "AZURE_CLIENT_ID"
            shouldThrow<LlmException.Configuration> { fixture.header() }.message shouldContain "AZURE_CLIENT_ID"
        }
    }

    test("a token is not sent unencrypted") {
        EntraFixture { token("no") }.use { fixture ->
            shouldThrow<LlmException.Configuration> { fixture.header("http://res.openai.azure.com/openai") }.message shouldContain "unencrypted"
        }
    }
})
