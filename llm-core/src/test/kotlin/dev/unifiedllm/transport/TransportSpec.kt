package dev.unifiedllm.transport

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.requestId
import dev.unifiedllm.transport.error.retryAfter
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.core.spec.style.scopes.FunSpecContainerScope
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import java.net.InetAddress
import java.net.ServerSocket
import java.util.concurrent.CountDownLatch
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTimedValue

private const val HELLO = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}""" + "\n\n"
private const val STOP = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n"
private const val USAGE = """data: {"id":"1","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}""" + "\n\n"
private const val DONE = "data: [DONE]\n\n"
private const val WHOLE = """{"id":"1","model":"m","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]""" +
    ""","usage":{"prompt_tokens":3,"completion_tokens":1}}"""
private val LONG = 10.seconds

private fun deadlines(block: Timeouts.Builder.() -> Unit): Timeouts = Timeouts.Builder(null).apply(block).build()

private suspend fun ask(
    url: String,
    transport: Transport,
    timeouts: Timeouts = NO_TIMEOUTS,
    delivery: Delivery = Delivery.STREAM,
    watch: (Delta) -> Unit = {},
): Answer {
    val target = Target(ModelId("p", "m"), Provider("p", OpenAiChat.name), url, ApiKey.of("sk-secret-of-mine"))
    return answer(ProtocolModel(target, OpenAiChat, transport, timeouts), delivery, watch)
}

/** The same server scripts, whatever sends the requests. */
private class Client(val carrier: Carrier) {
    suspend fun answered(
        timeouts: Timeouts = NO_TIMEOUTS,
        delivery: Delivery = Delivery.STREAM,
        watch: (Delta) -> Unit = {},
        script: LoopbackExchange.(LoopbackRequest) -> Unit,
    ): Answer = LoopbackServer(script).use { server -> carrier.transport(LONG).use { ask(server.url, it, timeouts, delivery, watch) } }
}

private fun Answer.checkHello() {
    failure shouldBe null
    response.text shouldBe "Hello"
    response.finishReason?.kind shouldBe Kind.STOP
}

private inline fun <reified T : LlmException> Answer.checkFailure(): T {
    val error = failure.shouldBeInstanceOf<T>()
    generateSequence<Throwable>(error) { it.cause }.forEach { it.toString() shouldNotContain "sk-secret" }
    return error
}

class TransportSpec : FunSpec({
    test("the JDK's client sends our headers and no others: no offer of h2c, of gzip or of charsets") {
        LoopbackServer { sse(HELLO, STOP, USAGE, DONE) }.use { server ->
            JdkTransport(LONG).use { ask(server.url, it).checkHello() }
            val request = server.requests.single()
            request.line shouldBe "POST /chat/completions HTTP/1.1"
            request.headers.map { it.first.lowercase() } shouldContainExactlyInAnyOrder
                listOf("host", "content-length", "content-type", "accept", "user-agent", "authorization")
            request.header("accept") shouldBe "text/event-stream"
            request.header("content-type") shouldBe "application/json"
            request.header("authorization") shouldBe "Bearer sk-secret-of-mine"
            request.header("user-agent")!! shouldContain "unified-llm/"
            request.header("host") shouldBe server.url.removePrefix("http://")
        }
    }

    for (carrier in Carrier.entries) {
        context("over $carrier:") { contract(Client(carrier)) }
    }
})

/** What every transport does. */
private suspend fun FunSpecContainerScope.contract(client: Client) {
    val carrier = client.carrier

    test("the key and the user agent are sent, and no offer of h2c") {
        LoopbackServer { sse(HELLO, STOP, USAGE, DONE) }.use { server ->
            carrier.transport(LONG).use { ask(server.url, it).checkHello() }
            val request = server.requests.single()
            request.line shouldBe "POST /chat/completions HTTP/1.1"
            (request.headers.map { it.first.lowercase() } intersect setOf("upgrade", "http2-settings", "accept-encoding")).shouldBeEmpty()
            request.header("authorization") shouldBe "Bearer sk-secret-of-mine"
            request.header("user-agent")!! shouldContain "unified-llm/"
            request.header("accept") shouldBe "text/event-stream"
            request.header("content-type") shouldBe "application/json"
        }
    }

    test("a redirect is not followed, so that no other host gets the key") {
        LoopbackServer { sse(HELLO, STOP, DONE) }.use { other ->
            for (status in listOf(301, 302, 303, 307, 308)) {
                val answer = client.answered { whole("", status, "Location" to "${other.url}/chat/completions") }
                answer.checkFailure<LlmException.Configuration>().message shouldContain other.url.removePrefix("http://")
            }
            other.requests.shouldBeEmpty()
        }
    }

    test("twenty streamed calls in sequence use one connection") {
        LoopbackServer { sse(HELLO, STOP, USAGE, DONE) }.use { server ->
            carrier.transport(LONG).use { transport -> repeat(20) { ask(server.url, transport).checkHello() } }
            server.requests.size shouldBe 20
            server.connections shouldBe 1
        }
    }

    context("before the head") {
        test("a refused connection") {
            val port = ServerSocket(0, 1, InetAddress.getByName("127.0.0.1")).use { it.localPort }
            carrier.transport(LONG).use { ask("http://127.0.0.1:$port", it) }.checkFailure<Network>().phase shouldBe Network.Phase.CONNECT
        }

        test("an unknown host") {
            carrier.transport(LONG).use { ask("http://no-such-host.invalid/v1", it) }.checkFailure<Network>().phase shouldBe Network.Phase.DNS
        }

        test("a connection that is closed without a response") {
            client.answered { cut() }.checkFailure<Network>().phase shouldBe Network.Phase.SEND
        }

        test("a connection that is reset") {
            client.answered { reset() }.checkFailure<Network>().phase shouldBe Network.Phase.SEND
        }

        test("a connection that is closed within the head") {
            client.answered {
                raw("HTTP/1.1 200 OK\r\nContent-Ty")
                cut()
            }.checkFailure<Network>().phase shouldBe Network.Phase.SEND
        }

        context("what is not HTTP") {
            withData("HTTP/1.1 abc\r\n\r\n", "\u0016\u0003\u0001 binary \u0000\u0001\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n") { head ->
                val error = client.answered {
                    raw(head)
                    cut()
                }.failure
                withClue({ error }) { (error is LlmException.MalformedResponse || error is Network) shouldBe true }
            }
        }

        test("a length that is not a number") {
            val answer = client.answered {
                raw("HTTP/1.1 200 OK\r\nContent-Length: 1e9\r\n\r\n")
                cut()
            }
            answer.checkFailure<LlmException.MalformedResponse>().message shouldContain "1e9"
        }

        test("a key in the status line is neither in the message nor in a cause") {
            val error = client.answered {
                raw("BAD sk-secret-of-mine x\r\n\r\n")
                cut()
            }.checkFailure<LlmException>()
            error.stackTraceToString() shouldNotContain "sk-secret-of-mine"
        }

        test("a TLS alert: use https://") {
            val error = client.answered {
                raw(byteArrayOf(0x15, 3, 1, 0, 2, 2, 40))
                cut()
            }.checkFailure<Network>()
            error.phase shouldBe Network.Phase.TLS
            error.message shouldContain "https://"
        }

        test("a header of 1 MiB is refused or read, never a raw failure") {
            val answer = client.answered {
                head(200, "Content-Type" to "text/event-stream", "X-Long" to "x".repeat(1 shl 20))
                for (event in listOf(HELLO, STOP, DONE)) write(event)
            }
            withClue({ answer.failure }) {
                (answer.failure == null || answer.failure is Network || answer.failure is LlmException.MalformedResponse) shouldBe
                    true
            }
        }

        test("no response within the first-byte deadline") {
            client.answered(deadlines { firstByte = 50.milliseconds }) { hold() }.checkFailure<Timeout>().phase shouldBe Timeout.Phase.FIRST_BYTE
        }

        test("a head that arrives byte by byte does not extend the first-byte deadline") {
            client.answered(deadlines { firstByte = 80.milliseconds }) {
                for (char in "HTTP/1.1 200 OK\r\nX-Slow: ${"x".repeat(1000)}") {
                    raw(char.toString())
                    Thread.sleep(5)
                }
            }.checkFailure<Timeout>().phase shouldBe Timeout.Phase.FIRST_BYTE
        }
    }

    context("after the head") {
        test("silence for the idle deadline") {
            val error = client.answered(deadlines { idle = 50.milliseconds }) {
                sse(HELLO)
                hold()
            }.checkFailure<Timeout>()
            error.phase shouldBe Timeout.Phase.IDLE
            error.partial?.text shouldBe "Hello"
        }

        test("pings are not content") {
            val error = client.answered(
                deadlines {
                    idle = 2.seconds
                    noContent = 150.milliseconds
                },
            ) {
                sse(HELLO)
                while (true) {
                    write(": ping\n\n")
                    Thread.sleep(10)
                }
            }.checkFailure<Timeout>()
            error.phase shouldBe Timeout.Phase.NO_CONTENT
            error.partial?.text shouldBe "Hello"
        }

        test("pings reset the idle deadline") {
            client.answered(deadlines { idle = 200.milliseconds }) {
                sse(HELLO)
                repeat(30) {
                    write(": ping\n\n")
                    Thread.sleep(10)
                }
                for (event in listOf(STOP, USAGE, DONE)) write(event)
            }.checkHello()
        }

        test("[DONE] completes the answer at once, though the connection stays open") {
            val (answer, took) = measureTimedValue {
                client.answered {
                    sse(HELLO, STOP, USAGE, DONE)
                    hold()
                }
            }
            answer.checkHello()
            answer.response.usage?.totalTokens shouldBe 4
            took shouldBeLessThan 3.seconds
        }

        test("[DONE] completes the answer, though garbage follows endlessly") {
            client.answered {
                sse(HELLO, STOP, USAGE, DONE)
                while (true) write("x".repeat(10_000))
            }.checkHello()
        }

        test("a reset after two pieces is an interruption with both of them") {
            val read = CountDownLatch(2) // a reset discards unread bytes
            val error = client.answered(watch = { if (it is Delta.Text) read.countDown() }) {
                sse(HELLO, HELLO)
                read.await()
                reset()
            }.checkFailure<LlmException.StreamInterrupted>()
            error.partial?.text shouldBe "HelloHello"
        }

        test("a finish reason, and then an end without [DONE], is a success without usage") {
            val answer = client.answered { sse(HELLO, STOP) }
            answer.checkHello()
            answer.response.usage shouldBe null
            answer.response.warnings.single() shouldContain "tokens"
        }

        test("a finish reason, and then a lost connection before the usage, is a success with a warning") {
            val read = CountDownLatch(1) // Ktor's Java engine loses bytes that are not read before the connection breaks
            val answer = client.answered(watch = { if (it is Delta.Text) read.countDown() }) {
                sse(HELLO + STOP)
                read.await()
                cut()
            }
            answer.checkHello()
            answer.response.usage shouldBe null
            answer.response.warnings.single() shouldContain "did not report the tokens"
        }

        test("a finish reason, and then a lost connection, is a success; bytes that Ktor's Java engine loses are an interruption") {
            val answer = client.answered {
                sse(HELLO, STOP, USAGE)
                cut()
            }
            if (carrier.keepsBytesBeforeBreak || answer.failure == null) {
                answer.checkHello()
            } else {
                // Ktor's Java engine may lose the head, too, and may report a lost connection as a normal end.
                val failure = answer.checkFailure<LlmException>()
                (failure is LlmException.StreamInterrupted || failure is LlmException.Network) shouldBe true
                failure.isRetryable shouldBe true
            }
        }

        test("[DONE] without a finish reason is a success of unknown reason") {
            val answer = client.answered { sse(HELLO, DONE) }
            answer.failure shouldBe null
            answer.response.finishReason?.kind shouldBe Kind.UNKNOWN
        }

        test("an empty body is an interruption") {
            client.answered { whole("") }.checkFailure<LlmException.StreamInterrupted>().message shouldContain "empty response"
        }

        context("a web page instead of an answer") {
            withData("text/html", "text/event-stream", "application/json") { type ->
                val page = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
                client.answered { whole(page, type = type) }.checkFailure<LlmException.MalformedResponse>().message shouldContain "web page"
            }
        }

        context("a whole answer although a stream was requested, with any content type") {
            withData("application/json", "text/event-stream", "text/plain", "application/json; charset=iso-8859-1") { type ->
                client.answered { whole(WHOLE, type = type) }.checkHello()
            }
        }

        test("a stream although a whole answer was requested") {
            client.answered(delivery = Delivery.WHOLE) { sse(HELLO, STOP, USAGE, DONE) }.checkHello()
        }

        test("an error in a response with status 200 is the error in its body") {
            val error = """{"error":{"message":"The server is overloaded","type":"overloaded_error"}}"""
            client.answered { whole(error) }.checkFailure<LlmException.Overloaded>().message shouldContain "The server is overloaded"
        }

        test("an error in the stream has the partial answer before it") {
            val answer = client.answered { sse(HELLO + "data: {\"error\":{\"message\":\"Slow down\",\"type\":\"rate_limit_error\"}}\n\n") }
            answer.checkFailure<LlmException.RateLimited>().partial?.text shouldBe "Hello"
        }

        test("one malformed event ends the answer, with the partial answer before it") {
            val error = client.answered { sse(HELLO + "data: {\"choices\":[}\n\n" + STOP) }.checkFailure<LlmException.MalformedResponse>()
            error.partial?.text shouldBe "Hello"
        }

        context("malformed chunks") {
            withData("zz\r\n", "7fffffffffffffff\r\n", "-1\r\n") { size ->
                val read = CountDownLatch(1)
                val answer = client.answered(watch = { if (it is Delta.Text) read.countDown() }) {
                    sse(HELLO)
                    read.await()
                    raw(size)
                    cut()
                }
                val error = answer.checkFailure<LlmException.StreamInterrupted>()
                error.partial?.text shouldBe "Hello"
                if (size == "zz\r\n" && carrier == Carrier.JDK) error.message shouldContain "invalid HTTP"
            }
        }

        test("10,000 pieces, each in its own chunk, all arrive") {
            val answer = client.answered {
                sse(*Array(10_000) { HELLO.replace("Hello", "$it,") })
                write(STOP + DONE)
            }
            answer.response.text shouldBe (0 until 10_000).joinToString("") { "$it," }
        }
    }

    context("an error status") {
        withData(
            400 to "InvalidRequest",
            401 to "Authentication",
            404 to "NotFound",
            429 to "RateLimited",
            500 to "ServerError",
            503 to "ServerError",
            529 to "Overloaded",
        ) { (status, type) ->
            for (body in listOf("", "<html><title>Oops</title></html>", "[]", "\"text\"", "{\"error\":\"text\"}", "{\"error\":{\"message\":{\"a\":1}}}", "{")) {
                val answer = client.answered { whole(body, status, "x-request-id" to "r1", "Retry-After" to "7") }
                answer.error::class.simpleName shouldBe type
                answer.error.requestId shouldBe "r1"
                answer.error.retryAfter shouldBe 7.seconds
            }
        }

        test("its body is read for at most the idle deadline") {
            client.answered(deadlines { idle = 50.milliseconds }) {
                head(500, "Content-Type" to "application/json")
                write("{\"error\":")
                hold()
            }.checkFailure<LlmException.ServerError>()
        }
    }
}
