package dev.unifiedllm.transport.framing

import dev.unifiedllm.protocol.json.isWholeJson
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeSameInstanceAs

private fun decode(pieces: List<ByteArray>, maxLineBytes: Int = 1 shl 20): List<String> = NdjsonDecoder(maxLineBytes).run(pieces) { it.text() }

class NdjsonDecoderSpec : FunSpec({
    context("lines are the same however the body is split") {
        withData<Pair<String, List<String>>>(
            { (body, _) -> "<${body.take(40)}>".replace("\n", "\\n").replace("\r", "\\r") },
            "" to emptyList(),
            "\n\r\n \t\n" to emptyList(),
            "{}" to listOf("{}"),
            "{}\n" to listOf("{}"),
            "{}\r\n" to listOf("{}"),
            "{}\r" to listOf("{}"),
            "{\"a\":1}\n{\"b\":2}\n" to listOf("{\"a\":1}", "{\"b\":2}"),
            "{\"a\":1}\r\n\r\n{\"b\":2}" to listOf("{\"a\":1}", "{\"b\":2}"),
            "\n\n1\n\n\n2\n\n" to listOf("1", "2"),
            "  {} \t\n" to listOf("{}"),
            "\uFEFF{}\n[]\n" to listOf("{}", "[]"),
            "\uFEFF" to emptyList(),
            "\uFEFF\n1" to listOf("1"),
            "1\n\uFEFF2\n" to listOf("1", "\uFEFF2"),
            "\"a\rb\"\n" to listOf("\"a\rb\""),
            "\"é€😀\u2028\u0085\"\n\"日本\"" to listOf("\"é€😀\u2028\u0085\"", "\"日本\""),
            "\"${"x".repeat(5000)}\"\n1\n" to listOf("\"${"x".repeat(5000)}\"", "1"),
        ) { (body, lines) ->
            for (pieces in body.encodeToByteArray().arrivals()) {
                withClue({ pieces.map { it.size } }) { decode(pieces) shouldContainExactly lines }
            }
        }
    }

    context("where lines are JSON, one text may take several of them") {
        withData<Pair<String, List<String>>>(
            { (body, _) -> body.replace("\n", "\\n").replace("\r", "\\r") },
            "{\n  \"a\": {\n    \"b\": 1\n  }\n}" to listOf("{\n  \"a\": {\n    \"b\": 1\n  }\n}"),
            "{\r\n \"a\": 1\r\n}\r\n{\"b\":2}\n" to listOf("{\n \"a\": 1\n}", "{\"b\":2}"),
            "[{\"a\":1},\n{\"b\":2}]\n" to listOf("[{\"a\":1},\n{\"b\":2}]"),
            "{\"a\":1}\nping\n{\"b\":2}\n[DONE]\n" to listOf("{\"a\":1}", "ping", "{\"b\":2}", "[DONE]"),
            "{\"a\":1}\ndata: {\"b\":2}\ndata:[DONE]" to listOf("{\"a\":1}", "{\"b\":2}", "[DONE]"),
            "{\"a\":1}\n{\"b\":" to listOf("{\"a\":1}", "{\"b\":"),
            "{\n \"a\": 1\n" to listOf("{\n \"a\": 1"),
        ) { (body, frames) ->
            for (pieces in body.encodeToByteArray().arrivals()) {
                withClue({ pieces.map { it.size } }) { NdjsonDecoder(isWholeJson = ::isWholeJson).run(pieces) { it.text() } shouldContainExactly frames }
            }
        }
    }

    test("a line of 17 MB is within the limit, as it is in an event stream") {
        val line = "\"${"x".repeat(17 shl 20)}\"\n".encodeToByteArray()
        NdjsonDecoder().run(listOf(line)) { it.end - it.start } shouldContainExactly listOf((17 shl 20) + 2)
        SseDecoder().run(listOf("data: ".encodeToByteArray() + line + line.copyOfRange(line.size - 1, line.size))) { it.end - it.start } shouldContainExactly
            listOf((17 shl 20) + 2)
    }

    test("a line that arrives in one piece is a slice of the array that was fed") {
        val fed = "{}\n".encodeToByteArray()
        val decoder = NdjsonDecoder()
        decoder.feed(fed, 0, fed.size)
        decoder.next()!!.bytes shouldBeSameInstanceAs fed
    }

    test("a line beyond the limit is refused however it is split") {
        val fits = "\"34567\"\r\n1".encodeToByteArray()
        for (pieces in fits.arrivals()) decode(pieces, maxLineBytes = 8) shouldContainExactly listOf("\"34567\"", "1")
        val long = "1\n\"3456789\n".encodeToByteArray()
        for (pieces in long.arrivals()) {
            shouldThrow<FramingException> { decode(pieces, maxLineBytes = 7) }.message shouldContain "7 bytes (maxLineBytes)"
        }
    }

    test("2 MB in one line, byte by byte, is one line") {
        decode("\"${"x".repeat(2 shl 20)}\"\n".encodeToByteArray().bytewise(), maxLineBytes = 4 shl 20).map { it.length } shouldContainExactly
            listOf((2 shl 20) + 2)
    }
})
