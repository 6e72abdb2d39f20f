package dev.unifiedllm.faults

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.MalformedResponse
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.StreamInterrupted
import dev.unifiedllm.LlmException.Timeout
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.io.IOException
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Section B of the list of faults: the head of a response, and the deadlines. */
internal object FaultsHead : FaultSection("B head") {
    private val short = 60.milliseconds

    init {
        fault(17, "no status line: the first-byte deadline is retried for streams only, since a response in one piece may be billed") {
            val outcome = call({ timeouts { firstByte = short } }) { hold() }
            outcome.shouldFail<Timeout>(if (isStream) ALL_ATTEMPTS else 1).phase shouldBe Timeout.Phase.FIRST_BYTE
            outcome.failure!!.message!! shouldContain "timeouts.firstByte"
        }
        fault(17, "a response in one piece has the total deadline only, unless a first-byte deadline is set", deliveries = WHOLE) {
            val outcome = call({ timeouts { total = short } }) { hold() }
            outcome.shouldFail<Timeout>().phase shouldBe Timeout.Phase.TOTAL
        }
        fault(18, "a head that arrives byte by byte does not extend the first-byte deadline") {
            val outcome = call({ timeouts { firstByte = short } }) {
                for (char in "HTTP/1.1 200 OK\r\nX-Slow: ${"x".repeat(10_000)}") {
                    raw(char.toString())
                    Thread.sleep(3)
                }
            }
            outcome.shouldFail<Timeout>(if (isStream) ALL_ATTEMPTS else 1).phase shouldBe Timeout.Phase.FIRST_BYTE
        }
        fault(19, "a connection that is closed without a response is retried") {
            val outcome = call { cut() }
            outcome.shouldFailOnAll<Network>().phase shouldBe Network.Phase.SEND
            val repeats = wire.isPolled && isStream // the JDK repeats a GET that gets no byte by itself
            if (!repeats) outcome.served shouldBe ALL_ATTEMPTS
            val second = call { attempt -> if (attempt == 1) reset() else answer() }
            second.shouldAnswer(attempts = if (repeats) second.attempts.size else 2)
        }
        for ((name, head) in listOf("a status that is no number" to "HTTP/1.1 abc\r\n\r\n", "another protocol" to "SSH-2.0-OpenSSH_9.6\r\n\r\n")) {
            fault(20, "$name in the status line is not HTTP") { notHttp(head.encodeToByteArray()) }
        }
        fault(20, "a binary status line is not HTTP") { notHttp(byteArrayOf(0, 1, 2, -1, -2) + "\r\n\r\n".encodeToByteArray()) }
        fault(21, "interim responses before the response are ignored") {
            for (interim in listOf("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")) {
                withClue(interim) {
                    call {
                        raw(interim)
                        answer()
                    }.shouldAnswer()
                }
            }
        }
        fault(22, "a header of 1 MiB is refused") {
            tooLarge("X-Long" to "x".repeat(1 shl 20))
        }
        fault(23, "10,000 headers are refused") {
            tooLarge(*Array(10_000) { "X-Header-$it" to "some value of this header" })
        }
        fault(24, "two lengths that differ are refused") {
            val outcome = call {
                val body = wire.body(delivery, "Hello", " you")
                raw("HTTP/1.1 200 OK\r\nContent-Type: ${wire.contentType(delivery)}\r\n")
                raw("Content-Length: ${body.size}\r\nContent-Length: ${body.size - 5}\r\n\r\n")
                exchange.raw(body)
            }
            outcome.shouldFail<MalformedResponse>().message!! shouldContain "Content-Length"
        }
        for (status in listOf(204, 205)) {
            fault(25, "status $status has no body: it is retried, and then an empty response") {
                empty { exchange.raw("HTTP/1.1 $status Nothing\r\nContent-Length: 0\r\n\r\n") }
            }
        }
        fault(26, "an empty body with status 200 is retried") {
            empty { exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: ${wire.contentType(delivery)}\r\nContent-Length: 0\r\n\r\n") }
            empty { head() }
        }
        fault(27, "an event stream of length 0 is retried", deliveries = STREAM) {
            empty { exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n") }
        }
        fault(28, "a wait before the next attempt that is longer than the total deadline allows does not begin") {
            val outcome = call({
                retry {
                    baseDelay = 10.seconds
                    maxDelay = 10.seconds
                }
                timeouts { total = 2.seconds }
            }) { status(503) }
            outcome.shouldFail<LlmException>().message!! shouldContain "timeouts.total"
            outcome.elapsed shouldBeLessThan 1.seconds
            outcome.served shouldBe 1
        }
        fault(29, "the total deadline passes in the middle of the response") {
            val outcome = call({ timeouts { total = 150.milliseconds } }) {
                begin("Hello", " you")
                hold()
            }
            outcome.shouldFail<Timeout>(partial = if (isStream) "Hello you" else null).phase shouldBe Timeout.Phase.TOTAL
            outcome.failure!!.message!! shouldContain "timeouts.total"
        }
    }

    /** The server goes on to wait for a request: the client of JDK 17 leaves the connection open. */
    private suspend fun FaultRun.notHttp(head: ByteArray) {
        val outcome = call { exchange.raw(head) }
        outcome.shouldFailAtOnce<MalformedResponse>()
        outcome.served shouldBe 1
    }

    private suspend fun FaultRun.tooLarge(vararg headers: Pair<String, String>) {
        val outcome = call {
            try {
                head(*headers)
                write(wire.body(delivery, "Hello", " you"))
            } catch (_: IOException) {
                cut() // the client has left
            }
        }
        outcome.shouldFailAtOnce<MalformedResponse>()
    }

    private suspend fun FaultRun.empty(nothing: FaultExchange.() -> Unit) {
        val outcome = call { nothing() }
        outcome.shouldFailOnAll<StreamInterrupted>().message!! shouldContain "empty response"
        outcome.served shouldBe ALL_ATTEMPTS
        call { attempt -> if (attempt == 1) nothing() else answer() }.shouldAnswer(attempts = 2)
        outcome.deltas.none { it.isContent }.shouldBeTrue()
    }
}

internal class FaultsHeadSpec : FaultSectionSpec(FaultsHead)
