package dev.unifiedllm.faults

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.MalformedResponse
import dev.unifiedllm.LlmException.StreamInterrupted
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.transport.framing.awsEvent
import dev.unifiedllm.transport.framing.awsMessage
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.string.shouldContain
import java.io.ByteArrayOutputStream
import java.io.OutputStream
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit.SECONDS
import java.util.zip.CRC32
import java.util.zip.GZIPOutputStream
import kotlin.time.Duration.Companion.seconds

/** The end of section C of the list of faults: compressed bodies, and the frames of AWS. */
internal object FaultsFraming : FaultSection("C framing") {
    private val bedrock = listOf(Wire.named("bedrock-converse"))
    private const val BYTE = 0xFF

    /** Places of a message, in bytes from its beginning. */
    private const val HEADERS_LENGTH = 4
    private const val PRELUDE_CHECKSUM = 8

    private fun aws(name: String) = awsEvent("contentBlockDelta", """{"contentBlockIndex":0,"delta":{"text":"$name"}}""")

    private fun changed(bytes: ByteArray, at: Int): ByteArray = bytes.copyOf().also { it[at] = (it[at].toInt() xor BYTE).toByte() }

    private fun withPrelude(length: Int, headers: Int): ByteArray {
        val bytes = ByteArray(12)
        for (at in 0 until 4) {
            bytes[at] = (length ushr (24 - 8 * at)).toByte()
            bytes[HEADERS_LENGTH + at] = (headers ushr (24 - 8 * at)).toByte()
        }
        val sum = CRC32().also { it.update(bytes, 0, PRELUDE_CHECKSUM) }.value
        for (at in 0 until 4) bytes[PRELUDE_CHECKSUM + at] = (sum ushr (24 - 8 * at)).toByte()
        return bytes
    }

    /** A header of type 10, which does not exist. */
    private val unknownHeader = byteArrayOf(1, 'a'.code.toByte(), 10)

    private val broken: Map<String, ByteArray> = mapOf(
        "a wrong checksum of a prelude" to changed(aws("x"), PRELUDE_CHECKSUM),
        "a wrong checksum of a message" to aws("x").let { changed(it, it.size - 1) },
        "a message of length 0" to withPrelude(0, 0),
        "a message that is longer than 24 MiB" to withPrelude((24 shl 20) + 200, 20),
        "a header of an unknown type" to awsMessage("{}".encodeToByteArray(), unknownHeader),
    )

    init {
        compressed()
        for ((name, bytes) in broken) {
            fault(56, "$name after content is malformed, with the partial response", bedrock, STREAM) {
                call {
                    begin("Hello")
                    write(bytes)
                    hold()
                }.shouldFail<MalformedResponse>(partial = "Hello")
            }
            fault(56, "$name before content is malformed", bedrock, STREAM) {
                call {
                    begin()
                    write(bytes)
                    hold()
                }.shouldFailAtOnce<MalformedResponse>()
            }
        }
        fault(56, "a message that is cut is an interruption", bedrock, STREAM) {
            call {
                begin("Hello")
                write(aws(" you").let { it.copyOf(it.size / 2) })
            }.shouldFail<StreamInterrupted>(partial = "Hello")
        }
        fault(56, "an exception in the stream is a typed failure: before content it is retried", bedrock, STREAM) {
            call {
                begin("Hello")
                write(wire.overloaded)
            }.shouldFail<LlmException>(partial = "Hello").isRetryable.shouldBeTrue()
            call { attempt ->
                if (attempt == 1) {
                    begin()
                    write(wire.overloaded)
                } else {
                    answer()
                }
            }.shouldAnswer(attempts = 2)
        }
    }

    private fun compressed() {
        fault(49, "a gzip stream that is flushed at each event arrives without delay, though it was not requested", deliveries = STREAM) {
            val seen = CountDownLatch(1)
            call(onDelta = { if (it is Delta.Text) seen.countDown() }) {
                request.header("Accept-Encoding").shouldBeNull()
                head("Content-Encoding" to "gzip")
                zipped(this) { gzip ->
                    for (event in wire.opening + wire.text("Hello")) gzip.event(event)
                    check(seen.await(5, SECONDS)) { "the first delta was not delivered" }
                    for (event in listOf(wire.text(" you")) + wire.ending) gzip.event(event)
                }
            }.shouldAnswer()
        }
        fault(49, "a gzip body is decompressed, also in several members, and byte by byte") {
            val body = wire.body(delivery, "Hello", " you")
            val half = body.size / 2
            val compressed = gzip(body.copyOf(half)) + gzip(body.copyOfRange(half, body.size))
            call {
                head("Content-Encoding" to "gzip")
                for (byte in compressed) write(byteArrayOf(byte))
            }.shouldAnswer()
        }
        fault(50, "a gzip body that is cut is an interruption") {
            call { attempt ->
                if (attempt == 1) {
                    head("Content-Encoding" to "gzip")
                    val whole = gzip(wire.body(delivery, "Hello", " you"))
                    write(whole.copyOf(20))
                } else {
                    answer()
                }
            }.shouldAnswer(attempts = 2)
        }
        fault(50, "a gzip stream that is cut keeps what had arrived", deliveries = STREAM) {
            val outcome = call {
                head("Content-Encoding" to "gzip")
                zipped(this, isCut = true) { gzip -> for (event in wire.opening + wire.text("Hello") + wire.text(" you")) gzip.event(event) }
            }
            outcome.shouldFail<StreamInterrupted>(partial = "Hello you")
        }
        for (coding in listOf("gzip", "foo", "br")) {
            fault(51, "a body that is not compressed, with the Content-Encoding $coding, is malformed") {
                val outcome = call {
                    head("Content-Encoding" to coding)
                    write(wire.body(delivery, "Hello", " you"))
                }
                outcome.shouldFailAtOnce<MalformedResponse>().message!! shouldContain coding
            }
        }
        fault(52, "a gzip bomb ends at the limit of a body", Wire.all.filter { it.name in setOf("openai-chat", "ollama-chat") }) {
            val before = usedHeap()
            val isEvents = isStream && wire.framing == Framing.SSE
            val (head, piece) = bomb(if (isEvents) "data: {\"a\":\"" else "{\"a\":\"")
            val outcome = call {
                head("Content-Encoding" to "gzip")
                write(head)
                endless(piece) // 10 MiB of these are more than 10 GiB
            }
            outcome.shouldFailAtOnce<MalformedResponse>().message!! shouldContain "limit"
            outcome.elapsed shouldBeLessThan 10.seconds
            (usedHeap() - before) shouldBeLessThan (256L shl 20)
        }
    }

    /** A gzip body that begins with [prefix], and a piece of it that can follow any number of times: 1 MiB of one letter. */
    private fun bomb(prefix: String): Pair<ByteArray, ByteArray> {
        val out = ByteArrayOutputStream()
        val gzip = GZIPOutputStream(out, 512, true)
        gzip.write(prefix.encodeToByteArray())
        val letters = "x".repeat(1 shl 20).encodeToByteArray()
        gzip.write(letters) // fills the window
        gzip.flush()
        val head = out.toByteArray()
        out.reset()
        gzip.write(letters)
        gzip.flush()
        return head to out.toByteArray()
    }

    private fun usedHeap(): Long {
        System.gc()
        return Runtime.getRuntime().let { it.totalMemory() - it.freeMemory() }
    }

    private fun gzip(bytes: ByteArray): ByteArray = ByteArrayOutputStream().also { out -> GZIPOutputStream(out).use { it.write(bytes) } }.toByteArray()

    private fun OutputStream.event(bytes: ByteArray) {
        write(bytes)
        flush()
    }

    private fun zipped(exchange: FaultExchange, isCut: Boolean = false, write: (OutputStream) -> Unit) {
        val out = object : OutputStream() {
            override fun write(byte: Int) = exchange.write(byteArrayOf(byte.toByte()))

            override fun write(bytes: ByteArray, start: Int, length: Int) = exchange.write(bytes.copyOfRange(start, start + length))
        }
        val gzip = GZIPOutputStream(out, 512, true)
        write(gzip)
        if (!isCut) gzip.finish()
    }
}

internal class FaultsFramingSpec : FaultSectionSpec(FaultsFraming)
