package dev.unifiedllm.transport

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.chat.imageRequest
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.NetworkErrors
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeInstanceOf
import java.io.EOFException
import java.io.IOException
import java.net.ConnectException
import java.net.SocketException
import java.net.URI
import java.net.http.HttpConnectTimeoutException
import java.net.http.HttpTimeoutException
import java.nio.channels.ClosedChannelException
import java.util.concurrent.locks.LockSupport
import javax.net.ssl.SSLHandshakeException
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private const val HELLO = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}""" + "\n\n"
private const val STOP = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],""" +
    """"usage":{"prompt_tokens":3,"completion_tokens":1}}""" + "\n\n"
private const val DONE = "data: [DONE]\n\n"
private const val WHOLE = """{"id":"1","model":"m","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}"""
private const val VECTORS = """{"model":"m","data":[{"index":0,"embedding":[0.5,1]}],"usage":{"prompt_tokens":3}}"""
private const val IMAGES = """{"data":[{"b64_json":"AAAA"}]}"""
private val LONG = 10.seconds

private val id = ModelId("p", "m")

private fun model(url: String, transport: Transport, timeouts: Timeouts = NO_TIMEOUTS) =
    ProtocolModel(Target(id, Provider("p", OpenAiChat.name), url, ApiKey.of("sk-test")), OpenAiChat, transport, timeouts)

private fun chat(text: String, delivery: Delivery = Delivery.STREAM): ChatRequest = ChatRequest.build(id) {
    user(text)
    this.delivery = delivery
}

private fun LoopbackExchange.hello() = sse(HELLO, STOP, DONE)

private fun Answer.checkHello() {
    failure shouldBe null
    response.text shouldBe "Hello"
}

private fun pause(time: Duration) = LockSupport.parkNanos(time.inWholeNanoseconds)

/** The number of the call in the body of its request. */
private val LoopbackRequest.call: String get() = body.substringAfter("call ").substringBefore('"')

/**
 * Sends [count] streamed calls, one after the other. After each, the server closes the connection in the way of [close], and the client waits for
 * about [wait] of the call, which is the time of the close.
 */
private suspend fun Carrier.manyCalls(count: Int, wait: (Int) -> Duration, close: LoopbackExchange.(Int) -> Unit) {
    val random = Random(count)
    LoopbackServer { request ->
        hello()
        close(request.call.toInt())
    }.use { server ->
        transport(LONG).use { transport ->
            val model = model(server.url, transport)
            repeat(count) { call ->
                answer(model, chat("call $call")).checkHello()
                pause(wait(call) * random.nextDouble(0.9, 1.15))
            }
        }
        // Every request that the server has read is answered, so that a second one of a call had received a byte.
        server.requests.map { it.call } shouldBe List(count) { "$it" }
    }
}

/** The first call succeeds; [second] answers the next one, and `hello` those after it. */
private suspend fun Carrier.secondCall(
    timeouts: Timeouts = NO_TIMEOUTS,
    second: LoopbackExchange.() -> Unit,
    check: suspend (Answer, LoopbackServer) -> Unit,
) {
    var count = 0
    LoopbackServer { if (++count == 2) second() else hello() }.use { server ->
        transport(LONG).use { transport ->
            answer(model(server.url, transport), chat("1")).checkHello()
            check(answer(model(server.url, transport, timeouts), chat("2")), server)
        }
    }
}

private class Kind(val name: String, val request: Request, val body: LoopbackExchange.() -> Unit) {
    override fun toString(): String = name
}

private val kinds = listOf(
    Kind("a stream", chat("hi")) { hello() },
    Kind("a whole response", chat("hi", Delivery.WHOLE)) { whole(WHOLE) },
    Kind("embeddings", embeddingRequest(id, listOf("hi"))) { whole(VECTORS) },
    Kind("images", imageRequest(id, "hi")) { whole(IMAGES) },
)

class StaleConnectionSpec : FunSpec({
    val delays = listOf(0, 0, 1, 1, 2, 3, 5).map { it.milliseconds }
    fun delayOf(call: Int) = if (call % 100 == 99) (call / 20).milliseconds else delays[call % delays.size]

    test("2,000 calls succeed at a server that closes its connections 0 to 100 ms after each response, and none is sent twice") {
        Carrier.JDK.manyCalls(2_000, { if (it % 3 == 0) Duration.ZERO else delayOf(it) }) { call -> keepAliveFor(delayOf(call)) }
    }

    test("1,000 calls succeed at a server that closes its connections without reading what arrives") {
        Carrier.JDK.manyCalls(1_000, { if (it % 3 == 0) Duration.ZERO else delayOf(it) }) { call ->
            closeAfter(if (call % 3 == 0) 1.milliseconds else delayOf(call))
        }
    }

    test("2,000 calls succeed at a server that closes as llama.cpp does, 35 ms after the last chunk") {
        Carrier.JDK.manyCalls(2_000, { if (it % 10 == 0) 35.milliseconds else Duration.ZERO }) { keepAliveFor(35.milliseconds) }
    }

    test("500 calls succeed at a server that resets its connections") {
        Carrier.JDK.manyCalls(500, ::delayOf) { call -> closeAfter(delayOf(call), reset = true) }
    }

    test("500 calls of a Ktor client succeed") {
        Carrier.KTOR.manyCalls(500, ::delayOf) { call -> closeAfter(delayOf(call), reset = call % 2 == 0) }
    }

    for (carrier in Carrier.entries) {
        context("over $carrier:") {
            context("a request that gets no byte of a response is sent once more, if a call to that origin was completed before") {
                withData(kinds) { kind ->
                    for (end in listOf<LoopbackExchange.() -> Unit>({ cut() }, { reset() })) {
                        var count = 0
                        LoopbackServer { if (++count == 2) end() else kind.body(this) }.use { server ->
                            carrier.transport(LONG).use { transport ->
                                val model = model(server.url, transport)
                                val first = answer(model, kind.request)
                                first.failure shouldBe null
                                answer(model, kind.request).failure shouldBe null
                            }
                            server.requests shouldHaveSize 3
                            server.requests[2].body shouldBe server.requests[1].body
                            server.requests[2].headers shouldBe server.requests[1].headers
                        }
                    }
                }
            }

            test("a request of any other kind, such as one for a token, is sent once more") {
                var count = 0
                LoopbackServer { if (++count == 2) cut() else whole("token") }.use { server ->
                    val request = TransportRequest(server.url + "/token", emptyList(), "grant_type=x".toByteArray(), "application/x-www-form-urlencoded")
                    carrier.transport(LONG).use { transport ->
                        repeat(2) {
                            val deadlines = HeadDeadlines(LONG, NetworkErrors(LlmException.Details()))
                            transport.exchange(request, deadlines) { it.readBody() } shouldBe "token"
                        }
                    }
                    server.requests shouldHaveSize 3
                }
            }

            test("a request that is lost again fails") {
                LoopbackServer { if (it.call == "1") hello() else cut() }.use { server ->
                    carrier.transport(LONG).use { transport ->
                        answer(model(server.url, transport), chat("call 1")).checkHello()
                        answer(model(server.url, transport), chat("call 2")).failure.shouldBeInstanceOf<Network>().phase shouldBe Network.Phase.SEND
                    }
                    server.requests.map { it.call } shouldBe listOf("1", "2", "2")
                }
            }

            test("a first request to an origin is not sent again, whatever was completed elsewhere") {
                LoopbackServer { hello() }.use { other ->
                    LoopbackServer { cut() }.use { server ->
                        carrier.transport(LONG).use { transport ->
                            answer(model(other.url, transport), chat("1")).checkHello()
                            answer(model(server.url, transport), chat("2")).failure.shouldBeInstanceOf<Network>().phase shouldBe Network.Phase.SEND
                        }
                        server.requests shouldHaveSize 1
                    }
                }
            }

            test("a request after a response that was not read to its end is not sent again") {
                LoopbackServer { request ->
                    if (request.call == "2") cut()
                    sse(HELLO)
                    hold()
                }.use { server ->
                    carrier.transport(LONG).use { transport ->
                        val broken = LlmException.Configuration("enough")
                        answer(model(server.url, transport), chat("call 1")) { throw broken }.failure shouldBe broken
                        answer(model(server.url, transport), chat("call 2")).failure.shouldBeInstanceOf<Network>()
                    }
                    server.requests.map { it.call } shouldBe listOf("1", "2")
                }
            }

            context("a request that got a byte of a response is not sent again") {
                withData("H", "HTTP/1.1 200 OK\r\nContent-Ty", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") { bytes ->
                    for (end in listOf<LoopbackExchange.() -> Unit>({ cut() }, { reset() })) {
                        carrier.secondCall(
                            second = {
                                raw(bytes)
                                pause(20.milliseconds) // a reset would discard bytes that the client has not read
                                end()
                            },
                        ) { answer, server ->
                            answer.failure.shouldBeInstanceOf<LlmException>().isRetryable shouldBe true
                            server.requests shouldHaveSize 2
                        }
                    }
                }
            }

            test("a request whose response is late is not sent again") {
                val timeouts = Timeouts.Builder(null).apply { firstByte = 50.milliseconds }.build()
                carrier.secondCall(timeouts, { hold() }) { answer, server ->
                    answer.failure.shouldBeInstanceOf<Timeout>().phase shouldBe Timeout.Phase.FIRST_BYTE
                    server.requests shouldHaveSize 2
                }
            }

            test("a server that has gone refuses the connection") {
                val transport = carrier.transport(LONG)
                transport.use {
                    val server = LoopbackServer { hello() }
                    server.use { answer(model(server.url, transport), chat("1")).checkHello() }
                    answer(model(server.url, transport), chat("2")).failure.shouldBeInstanceOf<Network>().phase shouldBe Network.Phase.CONNECT
                }
            }
        }
    }

    test("a client with another connect timeout has a pool of its own, in which no connection is stale") {
        val timeouts = Timeouts.Builder(null).apply { connect = 7.seconds }.build()
        Carrier.JDK.secondCall(timeouts, { cut() }) { answer, server ->
            answer.failure.shouldBeInstanceOf<Network>()
            server.requests shouldHaveSize 2
        }
    }

    test("over TLS a request is sent once more as well") {
        var count = 0
        LoopbackServer(Certificates.context(Certificates.SERVER)) { if (++count == 2) cut() else hello() }.use { server ->
            JdkTransport(LONG, Certificates.context()).use { transport -> repeat(2) { answer(model(server.url, transport), chat("hi")).checkHello() } }
            server.requests shouldHaveSize 3
        }
    }

    test("a request that was sent once more is one attempt and one row of the ledger") {
        var count = 0
        LoopbackServer { if (++count == 2) cut() else hello() }.use { server ->
            Llm.builder().retry { maxRetries = 0 }.environment { null }.provider("own") {
                baseUrl = server.url
                apiKey = "key"
            }.build().use { llm ->
                repeat(2) { llm.chat("own/m", "hi").get().attempts shouldHaveSize 1 }
                llm.costs().single().calls shouldBe 2
            }
            server.requests shouldHaveSize 3
        }
    }

    context("a failure of the JDK's client is stale or not") {
        val uri = URI("https://host.example/v1")
        val stale = StaleConnections().apply { completed(this@apply, uri) }
        val end = EOFException("EOF reached while reading")
        withData<Pair<Throwable, Boolean>>(
            { (failure, isStale) -> "$failure: $isStale" },
            IOException("HTTP/1.1 header parser received no bytes", end) to true,
            IOException("HTTP/1.1 header parser received no bytes", IOException("connection closed locally")) to true,
            end to true,
            EOFException("Idle connection closed by HTTP/2 peer") to true,
            SocketException("Connection reset") to true,
            IOException("Connection reset by peer") to true,
            IOException("Broken pipe") to true,
            IOException("An existing connection was forcibly closed by the remote host") to true,
            IOException("An established connection was aborted by the software in your host machine") to true,
            IOException("/127.0.0.1:41234: GOAWAY received") to true,
            IOException("Received RST_STREAM: Stream not processed") to true,
            ClosedChannelException() to true,
            IOException("Received RST_STREAM: Internal error") to false,
            IOException("parsing HTTP/1.1 status line, receiving [HTTP/1.1 2], parser state [STATUS_LINE]", end) to false,
            IOException("parsing HTTP/1.1 header, receiving [\n], parser state [HEADER]", SocketException("Connection reset")) to false,
            ConnectException("Connection refused") to false,
            IOException("HTTP/1.1 header parser received no bytes", ConnectException()) to false,
            HttpConnectTimeoutException("HTTP connect timed out") to false,
            HttpTimeoutException("request timed out") to false,
            SSLHandshakeException("Remote host terminated the handshake") to false,
            IOException("Tunnel failed, got: 407") to false,
            IllegalStateException("Connection reset") to false,
        ) { (failure, isStale) -> stale.isStale(stale, uri, failure) shouldBe isStale }

        test("only for the scheme, host and port of the completed response, and for its client") {
            fun isStale(url: String, client: Any = stale) = stale.isStale(client, URI(url), end)
            isStale("https://host.example/other?x=1") shouldBe true
            isStale("http://host.example/v1") shouldBe false
            isStale("https://host.example:8443/v1") shouldBe false
            isStale("https://other.example/v1") shouldBe false
            isStale("https://host.example/v1", "another client") shouldBe false
        }
    }
})

private suspend fun TransportResponse.readBody(): String = buildString {
    while (true) {
        val count = read()
        if (count < 0) break
        append(bytes.decodeToString(0, count))
    }
}
