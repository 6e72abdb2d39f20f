package dev.unifiedllm.transport

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Timeout
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import io.ktor.client.HttpClient
import io.ktor.client.HttpClientConfig
import io.ktor.client.call.replaceResponse
import io.ktor.client.engine.java.Java
import io.ktor.client.engine.java.JavaHttpConfig
import io.ktor.client.plugins.HttpRedirect
import io.ktor.client.plugins.HttpRequestRetry
import io.ktor.client.plugins.HttpTimeout
import io.ktor.client.plugins.defaultRequest
import io.ktor.client.request.get
import io.ktor.client.request.header
import io.ktor.client.statement.HttpReceivePipeline
import io.ktor.client.statement.bodyAsText
import io.ktor.http.HttpHeaders
import io.ktor.http.headers
import io.ktor.utils.io.InternalAPI
import io.ktor.utils.io.jvm.javaio.toByteReadChannel
import io.ktor.utils.io.jvm.javaio.toInputStream
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.job
import kotlinx.coroutines.withTimeout
import java.io.ByteArrayOutputStream
import java.util.zip.GZIPInputStream
import java.util.zip.GZIPOutputStream
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTimedValue

private const val HELLO = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}""" + "\n\n"
private const val STOP = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n"
private const val DONE = "data: [DONE]\n\n"

private fun java(block: HttpClientConfig<JavaHttpConfig>.() -> Unit = {}) = HttpClient(Java, block)

private fun HttpClient.llm(url: String): Llm = Llm.builder().retry { maxRetries = 0 }.environment { null }.httpClient(this).provider("own") {
    baseUrl = url
    apiKey = "secret-key"
}.build()

private fun gzip(text: String): ByteArray = ByteArrayOutputStream().also { bytes ->
    GZIPOutputStream(bytes).use { it.write(text.encodeToByteArray()) }
}.toByteArray()

/** What Ktor's ContentEncoding does: requests gzip, decodes the body, and removes the header. */
@OptIn(InternalAPI::class)
private fun HttpClientConfig<*>.decodeGzip() {
    defaultRequest { header(HttpHeaders.AcceptEncoding, "gzip") }
    install("gzip") {
        receivePipeline.intercept(HttpReceivePipeline.State) { response ->
            if (response.headers[HttpHeaders.ContentEncoding] != "gzip") return@intercept
            val headers = headers {
                response.headers.forEach { name, values -> if (!name.equals(HttpHeaders.ContentEncoding, ignoreCase = true)) appendAll(name, values) }
            }
            val call = response.call.replaceResponse(headers) { GZIPInputStream(rawContent.toInputStream()).toByteReadChannel() }
            proceedWith(call.response)
        }
    }
}

class KtorClientSpec : FunSpec({
    test("the user's client sends the requests with its plugins, and stays open") {
        LoopbackServer { if (it.line.startsWith("GET")) whole("still open") else sse(HELLO, STOP, DONE) }.use { server ->
            java { defaultRequest { header("X-Gateway", "mine") } }.use { client ->
                client.llm(server.url).use { it.chat("own/m", "hi").get().text shouldBe "Hello" }
                val request = server.requests.single()
                request.header("X-Gateway") shouldBe "mine"
                request.header("Authorization") shouldBe "Bearer secret-key"
                client.get(server.url).bodyAsText() shouldBe "still open"
            }
        }
    }

    test("closing both ends the engine, in whichever order") {
        for (userFirst in listOf(true, false)) {
            LoopbackServer { sse(HELLO, STOP, DONE) }.use { server ->
                val client = java()
                val llm = client.llm(server.url)
                llm.chat("own/m", "hi").get().text shouldBe "Hello"
                if (userFirst) {
                    client.close()
                    llm.chat("own/m", "hi").get().text shouldBe "Hello"
                    llm.close()
                } else {
                    llm.close()
                    client.engine.coroutineContext.job.isActive shouldBe true
                    client.close()
                }
                withTimeout(5.seconds) { client.engine.coroutineContext.job.join() }
            }
        }
    }

    test("a client that was closed before the first call is a Configuration failure") {
        LoopbackServer { sse(HELLO, STOP, DONE) }.use { server ->
            val client = java()
            client.llm(server.url).use { llm ->
                client.close()
                shouldThrow<LlmException.Configuration> { llm.chat("own/m", "hi").get() }.message shouldContain "closed"
            }
            server.requests.shouldBeEmpty()
        }
    }

    test("a client that follows redirects does not, and one that throws on error statuses does not") {
        LoopbackServer { sse(HELLO, STOP, DONE) }.use { other ->
            LoopbackServer { whole("", 307, "Location" to "${other.url}/chat/completions") }.use { server ->
                java { followRedirects = true }.use { client ->
                    client.llm(server.url).use { llm -> shouldThrow<LlmException.Configuration> { llm.chat("own/m", "hi").get() }.status shouldBe 307 }
                }
            }
            other.requests.shouldBeEmpty()
        }
        LoopbackServer { whole("""{"error":{"message":"Slow down"}}""", 429, "Retry-After" to "7") }.use { server ->
            java { expectSuccess = true }.use { client ->
                client.llm(server.url).use { llm ->
                    val failure = shouldThrow<LlmException.RateLimited> { llm.chat("own/m", "hi").get() }
                    failure.message shouldContain "Slow down"
                    failure.retryAfter shouldBe 7.seconds
                }
            }
        }
    }

    test("HttpRedirect, installed by the user for all methods, does not take the key to another host") {
        LoopbackServer { sse(HELLO, STOP, DONE) }.use { other ->
            LoopbackServer { whole("", 307, "Location" to "${other.url}/chat/completions") }.use { server ->
                java { install(HttpRedirect) { checkHttpMethod = false } }.use { client ->
                    client.llm(server.url).use { llm ->
                        shouldThrow<LlmException.Configuration> { llm.chat("own/m", "hi").get() }.message shouldContain "HttpRedirect"
                    }
                }
            }
            other.requests.shouldBeEmpty()
        }
    }

    test("a plugin that retries repeats the request on the same host") {
        var count = 0
        LoopbackServer { if (++count < 3) whole("", 503) else sse(HELLO, STOP, DONE) }.use { server ->
            java {
                install(HttpRequestRetry) {
                    retryOnServerErrors(3)
                    constantDelay(1, 1)
                }
            }.use { client -> client.llm(server.url).use { it.chat("own/m", "hi").get().text shouldBe "Hello" } }
            server.requests shouldHaveSize 3
            server.requests.map { it.body }.distinct() shouldHaveSize 1
        }
    }

    test("a plugin that decodes gzip delivers an answer and an error") {
        LoopbackServer { request ->
            request.header("Accept-Encoding") shouldBe "gzip"
            val body = gzip(if ("bad" in request.body) """{"error":{"message":"No such thing"}}""" else HELLO + STOP + DONE)
            val type = if ("bad" in request.body) "application/json" else "text/event-stream"
            head(if ("bad" in request.body) 400 else 200, "Content-Type" to type, "Content-Encoding" to "gzip")
            write(body)
        }.use { server ->
            java { decodeGzip() }.use { client ->
                client.llm(server.url).use { llm ->
                    llm.chat("own/m", "hi").get().text shouldBe "Hello"
                    shouldThrow<LlmException.InvalidRequest> { llm.chat("own/m", "bad").get() }.message shouldContain "No such thing"
                }
            }
        }
    }

    test("HttpTimeout before the response is a Timeout, and within the stream an interruption with what arrived") {
        LoopbackServer { request ->
            if ("begin" in request.body) sse(HELLO)
            hold()
        }.use { server ->
            java { install(HttpTimeout) { requestTimeoutMillis = 1000 } }.use { client ->
                client.llm(server.url).use { llm ->
                    val (before, took) = measureTimedValue { shouldThrow<Timeout> { llm.chat("own/m", "hi").get() } }
                    before.phase shouldBe Timeout.Phase.FIRST_BYTE
                    before.message shouldContain "Ktor client"
                    took shouldBeLessThan 10.seconds
                    val within = shouldThrow<LlmException.StreamInterrupted> { llm.chat("own/m", "begin").get() }
                    "Hello" shouldStartWith within.partial?.text.orEmpty()
                }
            }
        }
    }

    test("the connect timeout of the user's client is a Timeout with the phase CONNECT") {
        UnacceptingServer().use { server ->
            for (client in listOf(ktorClient(200.milliseconds), java { install(HttpTimeout) { connectTimeoutMillis = 200 } })) {
                client.use {
                    it.llm(server.url).use { llm ->
                        val failure = shouldThrow<Timeout> { llm.chat("own/m", "hi").get() }
                        failure.phase shouldBe Timeout.Phase.CONNECT
                        failure.message shouldContain "connect timeout of your Ktor client"
                    }
                }
            }
        }
    }

    test("a consumer that takes the first delta ends the call, and the next call succeeds") {
        LoopbackServer { sse(HELLO, HELLO, STOP, DONE) }.use { server ->
            java().use { client ->
                client.llm(server.url).use { llm ->
                    llm.chat("own/m", "hi").deltas().first() shouldBe "Hello"
                    llm.chat("own/m", "hi").deltas().toList() shouldContainExactly listOf("Hello", "Hello")
                }
            }
        }
    }
})
