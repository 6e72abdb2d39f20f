package dev.unifiedllm.transport.framing

import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import java.util.Base64

@Serializable
private data class Event(val event: String, val data: String, val id: String, val retry: Long?)

@Serializable
private data class Final(val lastEventId: String, val retry: Long?, val discardedTail: Boolean)

@Serializable
private data class Case(val name: String, val input: String, val expected: List<Event>, val final: Final)

@Serializable
private data class Cases(val cases: List<Case>)

private val json = Json { ignoreUnknownKeys = true }

private fun cases(): List<Case> =
    json.decodeFromString<Cases>(SseDecoderSpec::class.java.getResource("/sse-cases.json")!!.readText()).cases

private fun decode(pieces: List<ByteArray>): Pair<List<Event>, Final> {
    val decoder = SseDecoder()
    val events = decoder.run(pieces) { Event(it.event, it.text(), lastEventId, retryMillis) }
    return events to Final(decoder.lastEventId, decoder.retryMillis, decoder.discardedTail)
}

private fun decode(text: String): Pair<List<Event>, Final> = decode(listOf(text.encodeToByteArray()))

class SseDecoderSpec : FunSpec({
    var right = 0
    afterSpec { println("sse: $right of 128 cases at every split") }

    test("the corpus has 128 cases") { cases().size shouldBe 128 }

    context("events are the same however the body is split") {
        withData<Case>({ it.name }, cases()) { case ->
            val body = Base64.getDecoder().decode(case.input)
            for (pieces in body.arrivals()) {
                withClue({ pieces.map { it.size } }) { decode(pieces) shouldBe (case.expected to case.final) }
            }
            right++
        }
    }

    test("data in one line that arrives in one piece is a slice of the array that was fed") {
        val fed = "event: a\ndata: one\n\ndata: two\ndata: more\n\n".encodeToByteArray()
        val decoder = SseDecoder()
        decoder.feed(fed, 0, fed.size)
        decoder.next()!!.bytes shouldBeSameInstanceAs fed
        val gathered = decoder.next()!!
        (gathered.bytes === fed) shouldBe false
        gathered.text() shouldBe "two\nmore"
        gathered.event shouldBe "message"
    }

    test("data of an event beyond the limit is refused, in one line and in several") {
        val decoder = { SseDecoder(maxEventBytes = 16) }
        val fits = "data: 0123456789\n\n".encodeToByteArray()
        val long = "data: 0123456789a\n\n".encodeToByteArray()
        val many = "data: 01234567\ndata: 89abcdef\n\n".encodeToByteArray()
        for (pieces in fits.arrivals()) decoder().run(pieces) { it.text() } shouldContainExactly listOf("0123456789")
        for (body in listOf(long, many)) {
            for (pieces in body.arrivals()) {
                shouldThrow<FramingException> { decoder().run(pieces) { it.text() } }.message shouldContain "16 bytes (maxEventBytes)"
            }
        }
    }

    test("an endless line is refused at the limit") {
        val decoder = SseDecoder(maxEventBytes = 1000)
        shouldThrow<FramingException> {
            while (true) {
                decoder.feed(ByteArray(100) { ':'.code.toByte() }, 0, 100)
                decoder.next()
            }
        }
    }

    test("2 MB in one line, byte by byte, is one event") {
        val body = "data: ${"x".repeat(2 shl 20)}\n\n".encodeToByteArray()
        val decoder = SseDecoder()
        val one = ByteArray(1)
        val lengths = buildList {
            for (byte in body) {
                one[0] = byte
                decoder.feed(one, 0, 1)
                while (true) add(decoder.next()?.text()?.length ?: break)
            }
        }
        lengths shouldContainExactly listOf(2 shl 20)
    }

    test("a retry beyond the range of Long is the longest") {
        decode("retry: 99999999999999999999999\n\n").second.retry shouldBe Long.MAX_VALUE
        decode("retry: 9223372036854775807\n\n").second.retry shouldBe Long.MAX_VALUE
        decode("retry: 9223372036854775806\n\n").second.retry shouldBe Long.MAX_VALUE - 1
    }

    test("an incomplete field counts as a discarded event; an incomplete comment, byte order mark or id does not") {
        for (whole in listOf(": keep", "\uFEFF", "\uFEFF: x", "id: 7\n", ": x\n")) withClue(whole) { decode(whole).second.discardedTail shouldBe false }
        for (cut in listOf("event: x\n", "d", "\uFEFFd", "data: x\n")) withClue(cut) { decode(cut).second.discardedTail shouldBe true }
    }
})
