package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.client
import dev.unifiedllm.saying
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import java.time.Clock
import java.util.concurrent.atomic.AtomicInteger
import kotlin.reflect.KClass
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private val ID = ModelId("azure", "gpt-4o")
private const val REMEDY = "Check the secret."

private suspend fun fetch(timeout: Duration = 5.seconds, answer: LoopbackExchange.() -> Unit): LlmException =
    LoopbackServer { answer() }.use { server ->
        JdkTransport(5.seconds).use { transport ->
            val endpoint = TokenEndpoint(transport, timeout)
            val form = mapOf("secret" to "s3cr3t-of-mine")
            shouldThrow<LlmException> { endpoint.token("${server.url}/token", form, Clock.systemUTC(), LlmException.Details(ID), REMEDY) }
        }
    }

private class Case(val status: Int, val body: String, val type: KClass<out LlmException>, val isRetryable: Boolean)

class TokenEndpointSpec : FunSpec({
    context("the failure of a token endpoint says whether the credentials are wrong or the endpoint has failed") {
        withData<Case>(
            { "status ${it.status} with ${it.body}" },
            Case(400, """{"error":"invalid_grant"}""", LlmException.Authentication::class, false),
            Case(401, """{"error":"invalid_client"}""", LlmException.Authentication::class, false),
            Case(403, "no", LlmException.Authentication::class, false),
            Case(404, "no such tenant", LlmException.Authentication::class, false),
            Case(408, "", LlmException.Timeout::class, true),
            Case(429, """{"error":"slow down"}""", LlmException.RateLimited::class, true),
            Case(500, "<html><title>Oops</title></html>", LlmException.ServerError::class, true),
            Case(503, "", LlmException.ServerError::class, true),
            Case(400, """{"error":"temporarily_unavailable"}""", LlmException.ServerError::class, true),
        ) { case ->
            val failure = fetch { whole(case.body, case.status, "Retry-After" to "7") }
            failure::class shouldBe case.type
            failure.isRetryable shouldBe case.isRetryable
            failure.message!! shouldContain "${case.status}"
            failure.message!! shouldNotContain "s3cr3t"
            if (case.isRetryable) {
                failure.status shouldBe case.status
                failure.retryAfter shouldBe 7.seconds
                failure.message!! shouldContain "add a fallback"
            } else {
                failure.message!! shouldContain REMEDY
            }
        }
    }

    test("a token endpoint that does not respond, or not to the end, is a time-out that is retried") {
        fetch(100.milliseconds) { hold() }.shouldBeInstanceOf<LlmException.Timeout>().isRetryable shouldBe true
        fetch(100.milliseconds) {
            head(200, "Content-Length" to "100")
            hold()
        }.shouldBeInstanceOf<LlmException.Timeout>().phase shouldBe LlmException.Timeout.Phase.IDLE
    }

    test("calls that wait for the same token get a failure of the same kind") {
        val cache = TokenCache(Clock.systemUTC())
        LoopbackServer { whole("", 503, "Retry-After" to "7") }.use { server ->
            JdkTransport(5.seconds).use { transport ->
                val endpoint = TokenEndpoint(transport)
                val failures = coroutineScope {
                    List(2) {
                        async {
                            shouldThrow<LlmException> {
                                cache.get { endpoint.token("${server.url}/token", emptyMap(), Clock.systemUTC(), LlmException.Details(ID), REMEDY) }
                            }
                        }
                    }.map { it.await() }
                }
                failures.forEach {
                    it.shouldBeInstanceOf<LlmException.ServerError>()
                    it.isRetryable shouldBe true
                    it.retryAfter shouldBe 7.seconds
                }
            }
        }
    }

    test("a call goes on to its fallback when the token endpoint fails, and is repeated before that") {
        val asked = AtomicInteger()
        LoopbackServer {
            asked.incrementAndGet()
            whole("", 503)
        }.use { server ->
            client(
                "AZURE_TENANT_ID" to "tenant",
                "AZURE_CLIENT_ID" to "client",
                "AZURE_CLIENT_SECRET" to "s3cr3t-of-mine",
                "AZURE_AUTHORITY_HOST" to server.url,
                "AZURE_API_BASE" to server.url,
            ) {
                retry {
                    maxRetries = 1
                    baseDelay = 1.milliseconds
                }
            }.use { llm ->
                val response = llm.chat("azure/gpt-4o") {
                    user("hello")
                    fallback(saying("test/other", "ok"))
                }.await()
                response.text shouldBe "ok"
                response.attempts.dropLast(1).forEach { it.error.shouldBeInstanceOf<LlmException.ServerError>() }
                asked.get() shouldBe 2
            }
        }
    }
})
