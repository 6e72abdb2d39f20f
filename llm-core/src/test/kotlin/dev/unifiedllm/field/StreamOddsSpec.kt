package dev.unifiedllm.field

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlin.time.Duration.Companion.milliseconds

/**
 * A wire whose streams are server-sent events, and the shortest stream of it.
 *
 * @property events its text is "Hello", in the events before the last one in [ending]
 * @property ending the events that complete it
 * @property whole the same response in one piece
 */
private class SseWire(val protocol: String, val events: List<String>, val ending: List<String>, val whole: String) {
    override fun toString(): String = protocol
}

private fun anthropic(type: String, rest: String) = """{"type":"$type"$rest}"""

private val wires = listOf(
    SseWire(
        "openai-chat",
        listOf("""{"choices":[{"index":0,"delta":{"content":"Hel"}}]}""", """{"choices":[{"index":0,"delta":{"content":"lo"}}]}"""),
        listOf("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""", "[DONE]"),
        """{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}""",
    ),
    SseWire(
        "openai-responses",
        listOf(
            """{"type":"response.output_text.delta","output_index":0,"delta":"Hel"}""",
            """{"type":"response.output_text.delta","output_index":0,"delta":"lo"}""",
        ),
        listOf("""{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"""),
        """{"id":"r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}]}""",
    ),
    SseWire(
        "anthropic-messages",
        listOf(
            anthropic("message_start", ""","message":{"id":"m","model":"claude","usage":{"input_tokens":1,"output_tokens":1}}"""),
            anthropic("content_block_start", ""","index":0,"content_block":{"type":"text","text":""}"""),
            anthropic("content_block_delta", ""","index":0,"delta":{"type":"text_delta","text":"Hel"}"""),
            anthropic("content_block_delta", ""","index":0,"delta":{"type":"text_delta","text":"lo"}"""),
        ),
        listOf(anthropic("message_delta", ""","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}"""), anthropic("message_stop", "")),
        """{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn"}""",
    ),
    SseWire(
        "gemini-generate",
        listOf("""{"candidates":[{"content":{"parts":[{"text":"Hel"}]}}]}""", """{"candidates":[{"content":{"parts":[{"text":"lo"}]}}]}"""),
        listOf("""{"candidates":[{"content":{"parts":[]},"finishReason":"STOP"}]}"""),
        """{"candidates":[{"content":{"parts":[{"text":"Hello"}]},"finishReason":"STOP"}]}""",
    ),
    SseWire(
        "cohere-chat",
        listOf(
            """{"type":"message-start","id":"m"}""",
            """{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hel"}}}}""",
            """{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"lo"}}}}""",
        ),
        listOf("""{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"""),
        """{"id":"m","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"Hello"}]}}""",
    ),
)

private fun event(data: String) = "data: $data\n\n"

private suspend fun SseWire.ask(body: String, type: String = "text/event-stream", isCut: Boolean = false): ChatResponse = LoopbackServer {
    head(200, "Content-Type" to type)
    write(body)
    if (isCut) reset()
}.use { server ->
    Llm.builder().retry { maxRetries = 0 }.environment { null }.provider("gw") {
        baseUrl = server.url
        apiKey = "key-of-the-tests"
        protocol = this@ask.protocol
    }.build().use { llm -> llm.chat("gw/m", "Hi").await() }
}

private fun SseWire.stream(between: String = "", after: String = ""): String =
    events.joinToString("") { event(it) + between } + ending.joinToString("") { event(it) } + after

private val between = listOf(
    "data:\n\n",
    "data: \n\n",
    "data: ping\n\n",
    "event: ping\ndata:\n\n",
    ": keep-alive\n\n",
    "data: keep-alive\n\n",
    "event: heartbeat\ndata: {}\n\n",
    "\n\n\n",
    "data: PROCESSING\n\n",
    "id: 7\nretry: 100\n\n",
)

private val after =
    listOf("data: [DONE] \n\n", "data: [DONE]\t\n\n", "data: [done]\n\n", "event: done\ndata: END\n\n", "data: bye\n\n", "data: [DONE]", "data:\n\n")

private fun shown(odd: String) = "\"${odd.replace("\n", "\\n").replace("\t", "\\t")}\""

private const val WORDS = "upstream connect error or disconnect/reset before headers"

/** What gateways send between and after the events of a wire, and in place of them: the same for all wires of server-sent events. */
class StreamOddsSpec : FunSpec({
    for (wire in wires) {
        context("$wire, between the events") {
            withData(nameFn = ::shown, between) { odd ->
                val response = wire.ask(wire.stream(between = odd))
                response.text shouldBe "Hello"
                response.finishReason?.kind shouldBe Kind.STOP
            }
        }

        context("$wire, after the events") {
            withData(nameFn = ::shown, after) { odd ->
                val response = wire.ask(wire.stream(after = odd))
                response.text shouldBe "Hello"
                response.finishReason?.kind shouldBe Kind.STOP
            }
        }

        context("$wire, a whole response that ends like a stream") {
            withData(nameFn = ::shown, listOf("\n\ndata: [DONE]\n\n", "data: [DONE]", "\n")) { odd ->
                wire.ask(wire.whole + odd, "application/json").text shouldBe "Hello"
                wire.ask(wire.whole + odd).text shouldBe "Hello"
            }
        }

        context("$wire, NaN and Infinity in fields that nobody reads") {
            withData("NaN", "Infinity", "-Infinity") { number ->
                val odd = wire.events.map { it.dropLast(1) + ""","other":{"logprob":$number,"list":[$number, 1]}}""" }
                wire.ask((odd + wire.ending).joinToString("") { event(it) }).text shouldBe "Hello"
            }
        }

        context("$wire, an error in place of the response, in a stream with status 200") {
            val errors = mapOf(
                "a flat error" to """{"object":"error","message":"EngineCore died","type":"InternalServerError","param":null,"code":500}""",
                "an error with details" to """{"code":500,"details":"EngineCore died"}""",
                "an error of a framework" to """{"detail":"EngineCore died"}""",
                "an error with its own names" to """{"error_type":"X","error_message":"EngineCore died"}""",
                "the usual form" to """{"error":{"message":"EngineCore died","type":"server_error"}}""",
            )
            for (end in listOf("", "data: [DONE]\n\n")) {
                withData(nameFn = { "${it.key}${if (end.isEmpty()) "" else " and [DONE]"}" }, errors.entries) { (_, error) ->
                    shouldThrow<LlmException> { wire.ask(event(error) + end) }.let {
                        it.message shouldContain "EngineCore died"
                        it.partial?.text.orEmpty() shouldBe ""
                    }
                    shouldThrow<LlmException> { wire.ask("event: error\n" + event(error) + end) }.message shouldContain "EngineCore died"
                }
            }
        }

        test("$wire, the last event without its blank line, or without its newline, counts") {
            for (end in listOf("", "\n", "\r\n")) {
                val body = wire.events.joinToString("") { event(it) } + wire.ending.dropLast(1).joinToString("") { event(it) }
                val response = wire.ask(body + "data: ${wire.ending.last()}$end")
                response.text shouldBe "Hello"
                response.finishReason?.kind shouldBe Kind.STOP
            }
        }

        test("$wire, a last event whose JSON is cut is none") {
            val end = wire.ending.first()
            for (size in listOf(1, end.length / 2, end.length - 1)) {
                val body = wire.events.joinToString("") { event(it) } + "data: ${end.take(size)}"
                shouldThrow<LlmException.StreamInterrupted> { wire.ask(body) }.partial?.text shouldBe "Hello"
            }
        }

        context("$wire, other forms of the same stream") {
            val all = wire.events + wire.ending
            val forms = mapOf(
                "events separated by a single newline" to all.joinToString("") { "data: $it\n" } + "\n",
                "a doubled field name" to all.joinToString("") { "data: data: $it\n\n" },
                "a whole response after a comment" to ": PROCESSING\n\n" + wire.whole,
                "a whole response, and [done]" to wire.whole + "\n\ndata: [done]\n\n",
                "a whole response, and [DONE] without a field name" to wire.whole + "\n\n[DONE]\n\n",
                "a whole response, and NUL bytes" to wire.whole + "\u0000\u0000",
            )
            withData(nameFn = { it.key }, forms.entries) { (_, body) ->
                for (type in listOf("text/event-stream", "application/json", "text/plain")) wire.ask(body, type).text shouldBe "Hello"
            }
            test("an event stream under application/x-ndjson") {
                wire.ask(wire.stream(), "application/x-ndjson").text shouldBe "Hello"
            }
        }

        context("$wire, a body that has nothing of the wire") {
            withData(nameFn = { it }, "OK", "null", "\"Internal error\"", "[]", "{}", """{"state":"queued"}""") { body ->
                val failure = shouldThrow<LlmException.MalformedResponse> { wire.ask(body, "application/json") }
                for (text in listOf("not what the wire", body)) failure.message shouldContain text
            }
        }

        test("$wire, an error without a field name, before [DONE] and without it") {
            val error = """{"error":{"message":"EngineCore died","type":"server_error"}}"""
            for (before in listOf("", wire.events.joinToString("") { event(it) })) {
                for (end in listOf("", "\n\n", "\n\ndata: [DONE]\n\n")) {
                    val failure = shouldThrow<LlmException> { wire.ask(": x\n\n$before$error$end") }
                    failure.message shouldContain "EngineCore died"
                }
            }
        }

        test("$wire, words at the end of a part of a response are shown") {
            val part = wire.events.joinToString("") { event(it) }
            for (words in listOf(WORDS, "data: $WORDS\n\n", "<html><title>$WORDS</title></html>")) {
                val failure = shouldThrow<LlmException.StreamInterrupted> { wire.ask(part + words) }
                failure.message shouldContain WORDS
                failure.partial?.text shouldBe "Hello"
            }
        }

        test("$wire, an error in words") {
            shouldThrow<LlmException.ServerError> { wire.ask("event: error\ndata: $WORDS\n\n") }.message shouldContain WORDS
            shouldThrow<LlmException> { wire.ask("data: $WORDS\n\n") }.message shouldContain WORDS
        }

        test("$wire, an error after a part of the response keeps the part") {
            val part = wire.events.joinToString("") { event(it) }
            val flat = """{"object":"error","message":"EngineCore died","type":"InternalServerError","code":500}"""
            for (end in listOf("", "data: [DONE]\n\n")) {
                val failure = shouldThrow<LlmException> { wire.ask(part + event(flat) + end) }
                failure.message shouldContain "EngineCore died"
                failure.partial?.text shouldBe "Hello"
            }
            val failure = shouldThrow<LlmException> { wire.ask(part + "event: error\ndata: $WORDS\n\n") }
            failure.message shouldContain WORDS
            failure.partial?.text shouldBe "Hello"
        }

        test("$wire, words and unknown events before the content do not fail a good stream") {
            val status = event("""{"type":"status","message":"queued"}""").takeUnless { wire.protocol == "cohere-chat" } // a text there is an error
            for (odd in listOfNotNull("data: queued\n\n", status)) {
                wire.ask(odd + wire.stream()).text shouldBe "Hello"
                wire.ask(odd + wire.stream(between = odd)).text shouldBe "Hello"
            }
        }

        test("$wire, words in a stream that is cut are no error of their own") {
            val part = wire.events.joinToString("") { event(it) }
            shouldThrow<LlmException> { wire.ask(part + "data: ping\n\n", isCut = true) }.shouldBeInstanceOf<LlmException.StreamInterrupted>()
        }
    }

    test("words before [DONE] fail a stream without a finish reason, and no other") {
        val part = event("""{"choices":[{"index":0,"delta":{"content":"Hello"}}]}""")
        val usage = event("""{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}""")
        val done = "data: [DONE]\n\n"
        for (after in listOf("", usage, "data: ping\n\n")) {
            val failure = shouldThrow<LlmException> { wires.first().ask(part + "data: $WORDS\n\n" + after + done) }
            failure.message shouldContain WORDS
            failure.partial?.text shouldBe "Hello"
        }
        wires.first().ask(part + "data: ping\n\n" + done).text shouldBe "Hello"
        val finish = event("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""")
        for (body in listOf(part + "data: $WORDS\n\n" + finish + done, part + finish + "data: $WORDS\n\n" + done)) {
            wires.first().ask(body).finishReason?.kind shouldBe Kind.STOP
        }
    }

    test("after the finish reason, usage whose JSON is cut is not read, and does not fail the response") {
        val finished = wires.first().events.joinToString("") { event(it) } + event(wires.first().ending.first())
        val response = wires.first().ask(finished + """data: {"choices":[],"usage":{"prompt_tokens":12,"comple""")
        response.text shouldBe "Hello"
        response.usage shouldBe null
        val usage = wires.first().ask(finished + """data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3}}""").usage
        usage?.outputTokens shouldBe 3
    }

    test("content after a finish reason, without an end of the stream, is complete when nothing more comes") {
        LoopbackServer {
            sse(
                event("""{"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":"stop"}]}"""),
                event("""{"choices":[{"index":0,"delta":{"content":"lo"}}]}"""),
            )
            hold()
        }.use { server ->
            Llm.builder().retry {
                maxRetries = 0
            }.environment { null }.provider("gw") { baseUrl = server.url }.timeouts { idle = 300.milliseconds }.build().use { llm ->
                llm.chat("gw/m", "Hi").await().text shouldBe "Hello"
            }
        }
    }
})
