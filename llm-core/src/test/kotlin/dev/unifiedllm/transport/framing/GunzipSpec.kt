package dev.unifiedllm.transport.framing

import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.io.ByteArrayOutputStream
import java.util.zip.GZIPOutputStream
import kotlin.random.Random

private fun gzip(bytes: ByteArray): ByteArray = ByteArrayOutputStream().also { out -> GZIPOutputStream(out).use { it.write(bytes) } }.toByteArray()

/** A header with all optional parts, in place of the plain one. */
private fun withNames(member: ByteArray): ByteArray {
    val head = byteArrayOf(0x1F, 0x8B.toByte(), 8, (4 or 8 or 16 or 2).toByte(), 0, 0, 0, 0, 0, 3)
    val extra = byteArrayOf(3, 0, 'a'.code.toByte(), 0, 'b'.code.toByte())
    return head + extra + "name\u0000comment\u0000".encodeToByteArray() + byteArrayOf(1, 2) + member.copyOfRange(10, member.size)
}

/** What [pieces] give, through a buffer of [size] bytes, and whether the body is complete. */
private fun gunzip(pieces: List<ByteArray>, size: Int = 64): Pair<ByteArray, Boolean> {
    val all = ByteArrayOutputStream()
    val out = ByteArray(size)
    Gunzip().use { gunzip ->
        for (piece in pieces) {
            val fed = byteArrayOf(1, 2) + piece + byteArrayOf(3)
            gunzip.feed(fed, 2, 2 + piece.size)
            while (true) {
                val count = gunzip.read(out)
                if (count == 0) break
                all.write(out, 0, count)
            }
            fed.fill(0)
        }
        return all.toByteArray() to gunzip.isComplete
    }
}

private val BODY = "data: {\"text\":\"Hello\"}\n\n".repeat(20).encodeToByteArray() + Random(7).nextBytes(200)

class GunzipSpec : FunSpec({
    context("a body is the same however it arrives") {
        withData(
            nameFn = { it.first },
            "one member" to gzip(BODY),
            "a header with all optional parts" to withNames(gzip(BODY)),
            "two members" to gzip(BODY.copyOf(100)) + gzip(BODY.copyOfRange(100, BODY.size)),
            "a member without bytes between two others" to gzip(BODY.copyOf(100)) + gzip(ByteArray(0)) + gzip(BODY.copyOfRange(100, BODY.size)),
            "zeros after the end" to gzip(BODY) + ByteArray(10),
        ) { (_, bytes) ->
            for (pieces in bytes.arrivals()) {
                val (text, isComplete) = gunzip(pieces)
                withClue(pieces.map { it.size }) {
                    text.contentEquals(BODY) shouldBe true
                    isComplete shouldBe true
                }
            }
        }
    }

    test("a body that is cut at any byte is not complete") {
        val bytes = gzip(BODY)
        for (size in 0 until bytes.size) withClue(size) { gunzip(listOf(bytes.copyOf(size))).second shouldBe false }
    }

    test("what was flushed can be read at once") {
        val compressed = ByteArrayOutputStream()
        val gzip = GZIPOutputStream(compressed, 512, true)
        val gunzip = Gunzip()
        val out = ByteArray(64)
        for (number in 0 until 100) {
            if (number > 0) compressed.reset() // the first piece has the header
            gzip.write("event $number\n".encodeToByteArray())
            gzip.flush()
            val bytes = compressed.toByteArray()
            gunzip.feed(bytes, 0, bytes.size)
            String(out, 0, gunzip.read(out)) shouldBe "event $number\n"
            gunzip.read(out) shouldBe 0
        }
    }

    test("bytes that are not gzip, and a wrong checksum, are malformed") {
        shouldThrow<FramingException> { gunzip(listOf("data: x\n\n".encodeToByteArray())) }.message!! shouldContain "gzip"
        val wrong = gzip(BODY).also { it[it.size - 8] = (it[it.size - 8] + 1).toByte() }
        shouldThrow<FramingException> { gunzip(listOf(wrong)) }.message!! shouldContain "checksum"
        val broken = gzip(BODY).also { it.fill(-1, 10, 20) }
        shouldThrow<FramingException> { gunzip(listOf(broken)) }.message!! shouldContain "gzip"
    }
})
