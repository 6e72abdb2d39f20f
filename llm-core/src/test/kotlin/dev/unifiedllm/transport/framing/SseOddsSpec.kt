package dev.unifiedllm.transport.framing

import dev.unifiedllm.protocol.json.isWholeJson
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe

private fun decode(pieces: List<ByteArray>): List<String> =
    SseDecoder(isWholeJson = ::isWholeJson).run(pieces) { if (it.event == Frame.MESSAGE) it.text() else "${it.event} ${it.text()}" }

/** What servers send against the rules of event streams, where the data is JSON. */
class SseOddsSpec : FunSpec({
    context("frames are the same however the body is split") {
        withData<Pair<String, List<String>>>(
            { (body, _) -> body.replace("\n", "\\n").replace("\r", "\\r") },
            // the end of the body without a blank line
            "data: {}\n\ndata: {\"a\":1}\n" to listOf("{}", "{\"a\":1}"),
            "data: {}\n\ndata: {\"a\":1}" to listOf("{}", "{\"a\":1}"),
            "data: {}\n\nevent: x\ndata: {\"a\":1}\r\n" to listOf("{}", "x {\"a\":1}"),
            "data: {}\n\ndata: [DONE]" to listOf("{}", "[DONE]"),
            "data: {}\n\ndata: some words" to listOf("{}", "some words"),
            "data: {}\n\ndata: {\"a\":\ndata: 1}" to listOf("{}", "{\"a\":\n1}"),
            // JSON that is cut is no frame
            "data: {}\n\ndata: {\"a\":1" to listOf("{}"),
            "data: {}\n\ndata: {\"a\":\n" to listOf("{}"),
            "data: {}\n\ndata: {\"a\":1}}\n" to listOf("{}"),
            "data: {}\n\ndat" to listOf("{}"),
            // single newlines between the events
            "data: {\"a\":1}\ndata: {\"b\":2}\ndata: [DONE]\n\n" to listOf("{\"a\":1}", "{\"b\":2}", "[DONE]"),
            "data: {\"a\":1}\ndata: {\"b\":2}\n" to listOf("{\"a\":1}", "{\"b\":2}"),
            "event: a\ndata: {\"a\":1}\nevent: b\ndata: {\"b\":2}\n\n" to listOf("a {\"a\":1}", "b {\"b\":2}"),
            "data: ping\ndata: {\"b\":2}\n\n" to listOf("ping", "{\"b\":2}"),
            "data: [1]\ndata: [2]\ndata: ping\n\n" to listOf("[1]", "[2]", "ping"),
            // one JSON text, and words, in several lines
            "data: {\ndata:  \"a\": {\"b\":1}\ndata: }\n\n" to listOf("{\n \"a\": {\"b\":1}\n}"),
            "data: [{\"a\":1}\ndata: ,{\"b\":2}\ndata: ]\n\n" to listOf("[{\"a\":1}\n,{\"b\":2}\n]"),
            "data: one\ndata: two\n\n" to listOf("one\ntwo"),
            // a doubled field name
            "data: data: {\"a\":1}\n\ndata: data:[DONE]\n\n" to listOf("{\"a\":1}", "[DONE]"),
            // JSON without a field name
            "data: {}\n\n{\"error\":\"x\"}\n\ndata: [DONE]\n\n" to listOf("{}", "{\"error\":\"x\"}", "[DONE]"),
            "{\"error\":\"x\"}\ndata: [DONE]\n\n" to listOf("{\"error\":\"x\"}", "[DONE]"),
            ": wait\n\n{\n  \"a\": {\n    \"b\": 1\n  }\n}\n" to listOf("{\n  \"a\": {\n    \"b\": 1\n  }\n}"),
            ": wait\n\n{\"a\":1}\n\n[DONE]\n" to listOf("{\"a\":1}", "[DONE]"),
            "{\"a\":1}\n{\"b\":2}" to listOf("{\"a\":1}", "{\"b\":2}"),
            ": wait\n\n{\"a\":1" to emptyList(),
            "{broken\ndata: {\"a\":1}\n\n" to listOf("{\"a\":1}"),
        ) { (body, frames) ->
            for (pieces in body.encodeToByteArray().arrivals()) {
                withClue({ pieces.map { it.size } }) { decode(pieces) shouldContainExactly frames }
            }
        }
    }

    test("words without a field name are kept, and the beginning of a field is none") {
        fun stray(body: String) = SseDecoder(isWholeJson = ::isWholeJson).also { it.run(listOf(body.encodeToByteArray())) { } }
        stray("data: {}\n\nInternal Server Error").strayWords shouldBe "Internal Server Error"
        stray("upstream error: reset\n").strayWords shouldBe "upstream error: reset"
        for (body in listOf("data: {}\n\nda", "data: {}\n\nevent", ": comment", "retry: 7\n")) withClue(body) { stray(body).strayWords shouldBe null }
        stray("OK").hasFields shouldBe false
        for (body in listOf(": x\nOK", "data: x\n", "event: x")) withClue(body) { stray(body).hasFields shouldBe true }
    }

    test("by the rules none of it is a frame") {
        for (body in listOf("data: {}\n", "{\"error\":1}\n\n", "[DONE]\n\n")) {
            withClue(body) { SseDecoder().run(listOf(body.encodeToByteArray())) { it.text() } shouldContainExactly emptyList() }
        }
        SseDecoder().run(listOf("data: data: {}\ndata: {}\n\n".encodeToByteArray())) { it.text() } shouldContainExactly listOf("data: {}\n{}")
    }
})
