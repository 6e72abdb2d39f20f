package dev.unifiedllm.transport

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException.MalformedResponse
import dev.unifiedllm.LlmException.Timeout
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.util.concurrent.locks.LockSupport
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private const val OK = "HTTP/1.1 200 OK\r\n"
private const val BODY = "Content-Length: 2\r\n\r\nhi"
private const val CHUNKED = "${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"

private class Head(val title: String, val bytes: String, vararg val says: String)

private val malformed = listOf(
    Head("one header of 1 MiB", "${OK}X: ${"a".repeat(1 shl 20)}\r\n$BODY"),
    Head("1 MiB in many headers", OK + (1..900).joinToString("") { "X$it: ${"a".repeat(1200)}\r\n" } + BODY),
    Head("10,000 headers", OK + (1..10_000).joinToString("") { "X$it: v\r\n" } + BODY, "1000 headers"),
    Head("10,000 headers of one name", OK + "X: v\r\n".repeat(10_000) + BODY, "1000 headers"),
    Head("two different lengths", "${OK}Content-Length: 2\r\nContent-Length: 5\r\n\r\nhi", "2, 5"),
    Head("a length and chunks", "${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "Content-Length and Transfer-Encoding"),
    Head("a status that is not a number", "HTTP/1.1 abc\r\n$BODY", "HTTP/1.1 abc"),
    Head("half a status", "HTTP/1.1 20\r\n$BODY"),
    Head("a status with a letter", "HTTP/1.1 2x0 OK\r\n$BODY"),
    Head("a negative status", "HTTP/1.1 -20 OK\r\n$BODY"),
    Head("no status", "HTTP/1.1\r\n$BODY"),
    Head("an empty line", "\r\n$BODY"),
    Head("text", "garbage\r\n\r\n", "garbage"),
    Head("binary", "\u0000\u0001\u0002\u0007\r\n\r\n"),
    Head("another protocol", "ICY 200 OK\r\n$BODY"),
    Head("another version", "HTTP/2 200 OK\r\n$BODY"),
    Head("a header name with a space", "${OK}fo o: 1\r\n$BODY"),
    Head("a change of the protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
)

private val accepted = listOf(
    Head("equal lengths", "${OK}Content-Length: 2\r\n$BODY"),
    Head("900 headers", OK + (1..900).joinToString("") { "X$it: v\r\n" } + BODY),
    Head("100 Continue", "HTTP/1.1 100 Continue\r\n\r\n$OK$BODY"),
    Head("103 Early Hints", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n$OK$BODY"),
    Head("several of both", "HTTP/1.1 102 Processing\r\n\r\n" + "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(3) + OK + BODY),
    Head("chunks", "$CHUNKED\r\n"),
    Head("a trailer", "${CHUNKED}X-Trailer: 1\r\n\r\n"),
    Head("a trailer of 1 MiB", "${CHUNKED}X-Trailer: ${"a".repeat(1 shl 20)}\r\n\r\n"),
    Head("10,000 trailers", CHUNKED + (1..10_000).joinToString("") { "X$it: v\r\n" } + "\r\n"),
    Head("chunk extensions", "${OK}Transfer-Encoding: chunked\r\n\r\n2;a=b;c=\"d\"\r\nhi\r\n0;e\r\n\r\n"),
)

class ResponseHeadersSpec : FunSpec({
    context("a head that is not valid HTTP is MalformedResponse:") {
        withData<Head>({ it.title }, malformed) { case ->
            LoopbackServer {
                raw(case.bytes)
                hold()
            }.use { server ->
                JdkTransport(5.seconds).use { transport ->
                    val failure = shouldThrow<MalformedResponse> { transport.post(server.url) }
                    failure.isRetryable shouldBe false
                    for (text in case.says.toList() + listOf("own/m", "not HTTP")) failure.message shouldContain text
                }
                server.requests.size shouldBe 1
            }
        }
    }

    context("a length that is not a number breaks the response off:") {
        withData("abc", "2, 5", "-1", "99999999999999999999") { length ->
            LoopbackServer {
                raw("${OK}Content-Length: $length\r\n\r\nhi")
                hold()
            }.use { server ->
                Llm.builder().environment { null }.provider("own") { baseUrl = server.url }.build().use { llm ->
                    shouldThrow<MalformedResponse> { llm.chat("own/m", "hi").get() }.message shouldContain length
                }
                server.requests.size shouldBe 1
            }
        }
    }

    context("a response that is valid is read, and the next one is not affected:") {
        withData<Head>({ it.title }, accepted) { case ->
            var count = 0
            LoopbackServer { if (++count % 2 == 1) raw(case.bytes) else whole("next $count") }.use { server ->
                JdkTransport(5.seconds).use { transport ->
                    repeat(3) { round ->
                        transport.post(server.url) shouldBe "hi"
                        transport.post(server.url) shouldBe "next ${2 * round + 2}"
                    }
                }
            }
        }
    }

    test("a head that arrives byte by byte is late when the first-byte time has passed") {
        LoopbackServer {
            for (char in OK + "X: ${"a".repeat(1000)}") {
                raw(char.toString())
                LockSupport.parkNanos(20.milliseconds.inWholeNanoseconds)
            }
        }.use { server ->
            JdkTransport(5.seconds).use { transport ->
                shouldThrow<Timeout> { transport.post(server.url, firstByte = 200.milliseconds) }.phase shouldBe Timeout.Phase.FIRST_BYTE
            }
        }
    }

    test("a request that was sent, and is not answered, is FIRST_BYTE") {
        LoopbackServer { hold() }.use { server ->
            JdkTransport(5.seconds).use { transport ->
                shouldThrow<Timeout> { transport.post(server.url, firstByte = 50.milliseconds) }.phase shouldBe Timeout.Phase.FIRST_BYTE
            }
        }
    }
})
