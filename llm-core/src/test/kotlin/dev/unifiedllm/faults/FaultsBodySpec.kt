package dev.unifiedllm.faults

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.MalformedResponse
import dev.unifiedllm.LlmException.StreamInterrupted
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.comparables.shouldBeGreaterThanOrEqualTo
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.flow.first
import java.io.IOException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Section C of the list of faults: the body of a response, and its transport. */
internal object FaultsBody : FaultSection("C body") {
    private val short = 60.milliseconds

    /** The wires whose stream has an event after the finish reason, by the events that may be missing. */
    private val lateEvents = mapOf("openai-chat" to 1, "vertex-openai" to 1, "anthropic-messages" to 1, "anthropic-vertex" to 1, "bedrock-converse" to 1)

    private val openAi = Wire.all.filter { it.name == "openai-chat" || it.name == "vertex-openai" }

    /** The wires whose last event is the end: nothing is waited for after it. */
    private val withEnd = Wire.all.filterNot { it.name.startsWith("gemini") || it.name == "vertex-gemini" || it.name == "watsonx-chat" }

    /** Endings of a connection in the middle of a body. */
    private val cuts: Map<String, FaultExchange.(ByteArray) -> Unit> = mapOf(
        "RST" to { body ->
            head()
            write(body)
            reset()
        },
        "FIN without the last chunk" to { body ->
            head()
            write(body)
            cut()
        },
        "FIN inside a chunk" to { body ->
            head()
            raw("${(body.size + 100).toString(16)}\r\n")
            exchange.raw(body)
            cut()
        },
        "FIN before Content-Length" to { body ->
            head("Content-Length" to "${body.size + 100}")
            write(body)
            cut()
        },
        "FIN of a body without length" to { body ->
            head("Connection" to "close")
            write(body)
            cut()
        },
    )

    init {
        cutBodies()
        ends()
        stalls()
        arrivals()
        httpFraming()
    }

    private fun FaultRun.part(vararg texts: String): ByteArray =
        if (isStream) {
            (wire.opening + texts.map(wire::text)).reduce(ByteArray::plus)
        } else {
            wire.body(delivery, *texts).let { it.copyOf(it.size - 20) }
        }

    private fun cutBodies() {
        val numbers = listOf(30, 32, 33, 34, 35)
        for ((number, ending) in numbers.zip(cuts.keys)) {
            val cutAfter = cuts.getValue(ending)
            fault(number, "$ending after two deltas: not repeated, with both in the partial response", deliveries = STREAM) {
                val seen = CountDownLatch(2)
                val outcome = call(onDelta = { if (it is Delta.Text) seen.countDown() }) {
                    beginFor(ending)
                    write(wire.opening)
                    write(wire.text("Hello"))
                    write(wire.text(" you"))
                    seen.await(5, SECONDS) // a reset discards what has not been read
                    if (ending == "FIN inside a chunk") raw("64\r\n")
                    if (ending == "RST") reset() else cut()
                }
                outcome.shouldFail<StreamInterrupted>(partial = "Hello you")
                outcome.served shouldBe 1
                outcome.deltas.filterIsInstance<Delta.Text>().map { it.text } shouldBe listOf("Hello", " you")
            }
            fault(number, "$ending in a response in one piece: retried", deliveries = WHOLE) {
                call { attempt -> if (attempt == 1) cutAfter(part("Hello", " you")) else answer() }.shouldAnswer(attempts = 2)
                val outcome = call { cutAfter(part("Hello", " you")) }
                if (ending == "RST") outcome.shouldFailOnAll<LlmException>() else outcome.shouldFailOnAll<StreamInterrupted>() // a reset may be before the head
            }
            fault(31, "$ending after events without content: retried, and the caller sees one clean stream", deliveries = STREAM) {
                val outcome = call { attempt -> if (attempt == 1) cutAfter((wire.opening + wire.keepAlive).reduce(ByteArray::plus)) else answer() }
                outcome.shouldAnswer(attempts = 2)
                outcome.deltas.count { it is Delta.Start } shouldBe 1
                outcome.deltas.filterIsInstance<Delta.Text>().map { it.text } shouldBe listOf("Hello", " you")
            }
        }
    }

    private fun FaultExchange.beginFor(ending: String) = when (ending) {
        "FIN before Content-Length" -> head("Content-Length" to "100000")
        "FIN of a body without length" -> head("Connection" to "close")
        else -> head()
    }

    private fun ends() {
        fault(36, "a finish reason, and then a clean end without the last event, is a success", Wire.all.filter { it.name in lateEvents }, STREAM) {
            val response = call {
                head()
                write(wire.stream("Hello", " you").dropLast(lateEvents.getValue(wire.name)))
            }.shouldAnswer()
            response.finishReason!!.kind shouldBe FinishReason.Kind.STOP
        }
        fault(37, "[DONE] without a finish reason is a success of unknown reason", openAi, STREAM) {
            val response = call {
                begin("Hello", " you")
                write("data: [DONE]\n\n".encodeToByteArray())
            }.shouldAnswer()
            response.finishReason!!.kind shouldBe FinishReason.Kind.UNKNOWN
        }
        fault(38, "the last event completes the response at once, though the connection stays open", withEnd, STREAM) {
            val outcome = call {
                head()
                write(wire.stream("Hello", " you"))
                hold()
            }
            outcome.shouldAnswer()
            outcome.elapsed shouldBeLessThan 2.seconds
        }
        fault(38, "where no event is the last, a response with a finish reason is complete after a silence", Wire.all - withEnd.toSet(), STREAM) {
            call({ timeouts { idle = short } }) {
                head()
                write(wire.stream("Hello", " you"))
                hold()
            }.shouldAnswer()
        }
        fault(39, "the last event completes the response at once, though garbage follows endlessly", withEnd, STREAM) {
            val outcome = call {
                head()
                write(wire.stream("Hello", " you"))
                endless(": garbage\n".repeat(500).encodeToByteArray())
            }
            outcome.shouldAnswer()
            outcome.elapsed shouldBeLessThan 2.seconds
        }
    }

    private fun stalls() {
        fault(40, "silence after three deltas ends at the idle deadline") {
            val outcome = call({ timeouts { idle = short } }) {
                begin("Hello", " you", "!")
                hold()
            }
            outcome.shouldFail<Timeout>(if (isStream) 1 else ALL_ATTEMPTS, if (isStream) "Hello you!" else null).phase shouldBe Timeout.Phase.IDLE
            outcome.failure!!.message!! shouldContain "timeouts.idle"
        }
        fault(41, "keep-alives without content end at the no-content deadline") {
            val outcome = call({ timeouts { noContent = short } }) {
                begin("Hello")
                endless(if (isStream) wire.keepAlive else " ".encodeToByteArray(), pauseMs = 5)
            }
            outcome.shouldFail<Timeout>(if (isStream) 1 else ALL_ATTEMPTS, if (isStream) "Hello" else null).phase shouldBe Timeout.Phase.NO_CONTENT
            outcome.failure!!.message!! shouldContain "timeouts.noContent"
        }
        fault(42, "pings before the first content end at the no-content deadline, and are retried", Wire.all.filter { "anthropic" in it.name }, STREAM) {
            val outcome = call({ timeouts { noContent = short } }) {
                head()
                write(wire.opening)
                endless(wire.keepAlive, pauseMs = 5)
            }
            outcome.shouldFailOnAll<Timeout>().phase shouldBe Timeout.Phase.NO_CONTENT
        }
    }

    private fun arrivals() {
        fault(43, "a response that arrives byte by byte is read, and its first delta is delivered before the end", deliveries = STREAM) {
            val seen = CountDownLatch(1)
            call(onDelta = { if (it is Delta.Text) seen.countDown() }) {
                head()
                for (byte in (wire.opening + wire.text("Hello")).reduce(ByteArray::plus)) write(byteArrayOf(byte))
                check(seen.await(5, SECONDS)) { "the first delta was not delivered" }
                for (byte in (listOf(wire.text(" you")) + wire.ending).reduce(ByteArray::plus)) write(byteArrayOf(byte))
            }.shouldAnswer()
        }
        fault(43, "a response in one piece that arrives byte by byte is read", deliveries = WHOLE) {
            call {
                head()
                for (byte in wire.body(delivery, "Hello", " you")) write(byteArrayOf(byte))
            }.shouldAnswer()
        }
        fault(44, "10,000 deltas, each in its own packet, arrive in order", deliveries = STREAM) {
            val texts = Array(10_000) { "$it," }
            val outcome = call {
                head()
                write(wire.stream(*texts))
            }
            outcome.shouldAnswer(texts.joinToString(""))
        }
        fault(45, "a response in one packet is read") {
            call {
                val body = wire.body(delivery, "Hello", " you")
                val head = "HTTP/1.1 200 OK\r\nContent-Type: ${wire.contentType(delivery)}\r\nContent-Length: ${body.size}\r\n\r\n"
                exchange.raw(head.encodeToByteArray() + body)
            }.shouldAnswer()
        }
        fault(46, "a response that is split at any byte gives the same deltas") { splits() }
        fault(54, "a proxy that holds everything back and then sends it at once changes nothing, and the ledger has the real time to the first token") {
            val outcome = call {
                Thread.sleep(50)
                answer()
            }
            outcome.shouldAnswer()
            outcome.rows.single().timeToFirstToken.shouldNotBeNull() shouldBeGreaterThanOrEqualTo 50.milliseconds
        }
        fault(55, "responses that were left do not leak into the next ones: 1,000 in all", deliveries = STREAM) { alternate(84) }
    }

    private fun httpFraming() {
        fault(47, "chunk extensions, zeros before a chunk's size, and trailers are ignored") {
            call {
                val body = wire.body(delivery, "Hello", " you")
                raw("HTTP/1.1 200 OK\r\nContent-Type: ${wire.contentType(delivery)}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
                for (piece in body.toList().chunked(37)) {
                    raw("0000${piece.size.toString(16).uppercase()};name=\"value\";other\r\n")
                    exchange.raw(piece.toByteArray() + "\r\n".encodeToByteArray())
                }
                raw("0;last\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n")
            }.shouldAnswer()
        }
        for (size in listOf("-1", "zz")) {
            fault(48, "the chunk size $size before content is malformed") {
                call {
                    head()
                    raw("$size\r\n")
                    hold()
                }.shouldFailAtOnce<MalformedResponse>()
            }
        }
        for (size in listOf("7fffffffffffffff", "ffffffffffffffffffff")) {
            fault(48, "the chunk size $size allocates nothing: what comes of it is that the body does not end") {
                val outcome = call({ timeouts { idle = short } }) { attempt ->
                    head()
                    raw("$size\r\n")
                    if (attempt == 1) hold() else cut()
                }
                outcome.shouldFail<LlmException>(outcome.attempts.size)
                outcome.attempts.all { it.error is Timeout || it.error is StreamInterrupted || it.error is MalformedResponse }.shouldBeTrue()
            }
        }
        for (size in listOf("7fffffffffffffff", "ffffffffffffffffffff", "-1", "zz")) {
            fault(48, "the chunk size $size after content is an interruption with the partial response", deliveries = STREAM) {
                val seen = CountDownLatch(1)
                call(onDelta = { if (it is Delta.Text) seen.countDown() }) {
                    begin("Hello")
                    seen.await(5, SECONDS)
                    raw("$size\r\n")
                    cut()
                }.shouldFail<StreamInterrupted>(partial = "Hello")
            }
        }
        seeSpec(53, "dev.unifiedllm.transport.Http2Spec")
    }

    /** Calls that are left after their first delta, and calls that are read to their end, in turn, of one client. */
    private suspend fun FaultRun.alternate(times: Int) {
        FaultServer(wire, delivery) {
            if ("LEFT" in request.body || (wire.isPolled && it % 2 == 1)) {
                begin("LEFT")
                try {
                    repeat(20) { write(wire.text("LEFT")) }
                    write(wire.ending)
                } catch (_: IOException) {
                    cut()
                }
            } else {
                answer()
            }
        }.use { server ->
            faultClient(wire, server.url).use { llm ->
                repeat(times) {
                    llm.chat(wire.model) { user("LEFT") }.events().first { it is Delta.Text }
                    withClue("call $it") { llm.chat(wire.model) { user("Hi") }.await().text shouldBe "Hello you" }
                }
            }
            withClue("open exchanges") { server.awaitIdle(1.seconds).shouldBeTrue() }
        }
        run.record("answered, $times times", wire.name)
    }

    private suspend fun FaultRun.splits() {
        val body = wire.body(delivery, "Hello", " you")
        val whole = decoded(wire, delivery, listOf(body))
        whole.filterIsInstance<Delta.Text>().joinToString("") { it.text } shouldBe "Hello you"
        for (at in 1 until body.size) {
            withClue("split at $at") { decoded(wire, delivery, listOf(body.copyOf(at), body.copyOfRange(at, body.size))) shouldBe whole }
        }
        decoded(wire, delivery, body.map { byteArrayOf(it) }) shouldBe whole
        run.record("the same at ${body.size} splits", "$wire ${delivery.name.lowercase()}")
    }
}

/** Writes [bytes] again and again until the client leaves. */
internal fun FaultExchange.endless(bytes: ByteArray, pauseMs: Long = 0) {
    try {
        while (true) {
            write(bytes)
            if (pauseMs > 0) Thread.sleep(pauseMs)
        }
    } catch (_: IOException) {
        cut()
    }
}

internal class FaultsBodySpec : FaultSectionSpec(FaultsBody)
