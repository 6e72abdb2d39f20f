package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.argumentsObject
import dev.unifiedllm.protocol.each
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.json.JsonObject

private suspend fun read(body: String, type: String, row: String = "openai"): Answer {
    val provider = ProviderRegistry.packed.find(row)!!
    val target = Target(ModelId(provider.id, "m"), provider, "https://host/v1", ApiKey.of("sk-CANARY-0123"))
    val transport = RecordedTransport(200, mapOf("content-type" to type), listOf(body.encodeToByteArray()))
    val delivery = if (type == STREAM) Delivery.STREAM else Delivery.WHOLE
    return answer(ProtocolModel(target, OpenAiChat, transport, NO_TIMEOUTS), delivery)
}

private const val STREAM = "text/event-stream"
private const val WHOLE = "application/json"

private fun deltas(vararg deltas: String, finish: String = "tool_calls"): String =
    (deltas.map { """{"choices":[{"index":0,"delta":$it}]}""" } + """{"choices":[{"index":0,"delta":{},"finish_reason":"$finish"}]}""" + "[DONE]")
        .joinToString("") { "data: $it\n\n" }

/** A fragment of a tool call, as servers write it. */
private fun piece(index: Int? = 0, id: String? = null, name: String? = null, arguments: String? = null): String {
    val function = listOfNotNull(name?.let { "\"name\":\"$it\"" }, arguments?.let { "\"arguments\":\"${it.replace("\"", "\\\"")}\"" })
    val fields = listOfNotNull(index?.let { "\"index\":$it" }, id?.let { "\"id\":\"$it\"" }, "\"function\":{${function.joinToString(",")}}")
    return fields.joinToString(",", "{", "}")
}

private fun calls(vararg pieces: String) = """{"tool_calls":[${pieces.joinToString(",")}]}"""

/** `function_call`, the older form of a call. */
private fun older(name: String?, arguments: String) = "\"function_call\":" + piece(null, null, name, arguments).substringAfter("\"function\":").dropLast(1)

private fun both(name: String, arguments: String, isOlderFirst: Boolean = true): String {
    val forms = listOf(older(name, arguments), "\"tool_calls\":[${piece(0, "a1", name, arguments)}]")
    return (if (isOlderFirst) forms else forms.reversed()).joinToString(",", "{", "}")
}

/** @param expected each call as `id name arguments` */
private class Calls(val title: String, val body: String, vararg val expected: String)

class OpenAiChatDecodingSpec : FunSpec({
    test("each choice has its own signatures, once, though the last chunk repeats the message") {
        fun details(text: String) = """"reasoning_details":[{"type":"reasoning.text","index":0,"text":"$text","signature":"$text"}]"""
        val body = listOf(
            """{"choices":[{"index":0,"delta":{${details("a")}}},{"index":1,"delta":{${details("b")}}}]}""",
            """{"choices":[{"index":0,"delta":{"content":"A"}},{"index":1,"delta":{"content":"B"}}]}""",
            """{"choices":[{"index":0,"delta":{},"message":{"content":"A",${details(
                "a",
            )}},"finish_reason":"stop"},{"delta":{},"index":1,"finish_reason":"stop"}]}""",
            "[DONE]",
        ).joinToString("") { "data: $it\n\n" }
        val answer = read(body, STREAM, row = "openrouter").response
        fun signatures(parts: List<Part>) = parts.filterIsInstance<Part.Reasoning>().mapNotNull { it.signature }
        signatures(answer.parts) shouldBe listOf("""[{"type":"reasoning.text","index":0,"text":"a","signature":"a"}]""")
        signatures(answer.alternatives.single()) shouldBe listOf("""[{"type":"reasoning.text","index":0,"text":"b","signature":"b"}]""")
    }

    test("a signature that only the repeated message has is kept") {
        val body = listOf(
            """{"choices":[{"index":0,"delta":{"content":"A"}}]}""",
            """{"choices":[{"index":0,"delta":{},"message":{"content":"A","extra_content":{"google":{"thought_signature":"S"}}},"finish_reason":"stop"}]}""",
            "[DONE]",
        ).joinToString("") { "data: $it\n\n" }
        val answer = read(body, STREAM).response
        answer.text shouldBe "A"
        answer.parts.filterIsInstance<Part.Reasoning>().single().signature shouldBe """{"extra_content":{"google":{"thought_signature":"S"}}}"""
    }

    test("a finish reason that came with content is replaced by the one that ends the response") {
        val body = listOf(
            """{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}""",
            """{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}]}""",
            "[DONE]",
        ).joinToString("") { "data: $it\n\n" }
        read(body, STREAM).response.finishReason!!.kind shouldBe Kind.LENGTH
    }

    context("tool calls, whatever ids, names and indexes a server gives them:") {
        withData<Calls>(
            { it.title },
            Calls(
                "each fragment has another id (Poolside, vLLM's harmony)",
                deltas(calls(piece(0, "a1", "f", "")), calls(piece(0, "b2", null, "{\"x\":")), calls(piece(0, "c3", "", "1}"))),
                "a1 f {\"x\":1}",
            ),
            Calls(
                "the name comes after the id (bridges to Responses)",
                deltas(calls(piece(0, "a1")), calls(piece(0, null, "f")), calls(piece(0, null, null, "{}"))),
                "a1 f {}",
            ),
            Calls(
                "two without ids in one chunk, both with index 0 (Gemini's OpenAI wire)",
                deltas(calls(piece(0, "", "f", "{\"x\":1}"), piece(0, "", "g", "{}"))),
                "call_0 f {\"x\":1}",
                "call_1 g {}",
            ),
            Calls(
                "two of one function without ids and indexes",
                deltas(calls(piece(null, null, "f", "{\"x\":1}")), calls(piece(null, null, "f", "{\"x\":2}"))),
                "call_0 f {\"x\":1}",
                "call_1 f {\"x\":2}",
            ),
            Calls(
                "the name is repeated in every fragment",
                deltas(calls(piece(0, "", "f", "{\"x\"")), calls(piece(0, "", "f", ":1}"))),
                "call_0 f {\"x\":1}",
            ),
            Calls(
                "the id is repeated in every fragment",
                deltas(calls(piece(0, "a1", "f", "{\"x\"")), calls(piece(0, "a1", "f", ":1}"))),
                "a1 f {\"x\":1}",
            ),
            Calls(
                "two interleaved by their index",
                deltas(
                    calls(piece(0, "a1", "f"), piece(1, "b2", "g")),
                    calls(piece(1, null, null, "{\"y\"")),
                    calls(piece(0, null, null, "{}")),
                    calls(piece(1, null, null, ":2}")),
                ),
                "a1 f {}",
                "b2 g {\"y\":2}",
            ),
            Calls(
                "each chunk has both forms (llama.cpp's Python server)",
                deltas(both("f", "{\"x\""), both("f", ":1}")),
                "a1 f {\"x\":1}",
            ),
            Calls(
                "each chunk has both forms, the older one last",
                deltas(both("f", "{\"x\"", isOlderFirst = false), both("f", ":1}", isOlderFirst = false)),
                "a1 f {\"x\":1}",
            ),
            Calls(
                "the older form alone",
                deltas("{${older("f", "{\"x\"")}}", "{${older(null, ":1}")}}"),
                "call_0 f {\"x\":1}",
            ),
            Calls(
                "a new id with a name begins a new call, whatever the index",
                deltas(calls(piece(0, "a1", "f", "{}")), calls(piece(0, "b2", "f", "{}"))),
                "a1 f {}",
                "b2 f {}",
            ),
        ) { case ->
            val response = read(case.body, STREAM).response
            response.toolCalls.map { "${it.id} ${it.name} ${it.arguments}" } shouldBe case.expected.toList()
        }
    }

    context("an answer with tool calls finishes with TOOL_CALLS, even if the server says stop") {
        withData("stop", "tool_calls", "function_call") { raw ->
            val reason = read(deltas(calls(piece(0, "a1", "f", "{}")), finish = raw), STREAM).response.finishReason!!
            reason.kind shouldBe Kind.TOOL_CALLS
            reason.raw shouldBe raw
        }
        test("an answer that ends with length keeps LENGTH") {
            read(deltas(calls(piece(0, "a1", "f", "{\"x")), finish = "length"), STREAM).response.finishReason!!.kind shouldBe Kind.LENGTH
        }
    }

    context("an error in a response with status 200 is typed:") {
        val minimax = """{"id":"1","choices":null,"base_resp":{"status_code":1004,"status_msg":"login fail: carry the API secret key sk-CANARY-0123"}}"""
        withData<Pair<String, String>>(
            { it.first },
            minimax to "login fail",
            """{"code":10007,"message":"App is over its limit","sid":"x"}""" to "App is over its limit",
            """{"object":"error","message":"The model is loading","type":"NotReady","code":40303}""" to "The model is loading",
            """{"success":false,"msg":"no such route","data":null}""" to "no such route",
            """{"detail":"Could not parse the question"}""" to "Could not parse the question",
        ) { (body, says) ->
            for ((text, type) in listOf(body to WHOLE, "data: $body\n\n" to STREAM)) {
                val failure = read(text, type).failure!!
                failure.javaClass shouldBe LlmException.ServerError::class.java
                failure.message shouldContain says
                failure.message shouldNotContain "sk-CANARY"
            }
        }
        test("an empty error is no error") {
            for (nothing in listOf("\"\"", "{}", "[]", "false", "null")) {
                val whole = """{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"error":$nothing}"""
                val answer = read(whole, WHOLE)
                answer.failure shouldBe null
                answer.response.text shouldBe "hi"
            }
        }
        test("a chunk with a message beside the answer is no failure") {
            val chunks = listOf("""{"message":"queued"}""", """{"base_resp":{"status_code":0,"status_msg":""}}""").joinToString("") { "data: $it\n\n" }
            val answer = read(chunks + deltas("""{"content":"hi"}""", finish = "stop"), STREAM)
            answer.failure shouldBe null
            answer.response.text shouldBe "hi"
            val cut = """data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}""" + "\n\ndata: {\"message\":\"bye\"}\n\n"
            read(cut, STREAM).failure!!.javaClass shouldBe LlmException.StreamInterrupted::class.java
        }
    }

    context("the end of a stream without a finish reason:") {
        val hi = """{"choices":[{"index":0,"delta":{"content":"Half"}}]}"""
        fun body(vararg chunks: String) = chunks.joinToString("") { "data: $it\n\n" }
        withData(
            nameFn = { it },
            """{"message":"The engine died"}""",
            """{"detail":"The engine died"}""",
            """{"message":"The engine died","type":"server_error","code":500}""",
        ) { error ->
            for (after in listOf(emptyArray(), arrayOf("""{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"""))) {
                read(body(hi, error, *after, "[DONE]"), STREAM).failure!!.message shouldContain "The engine died"
                read(body(hi, "ping", error, *after, "ping", "[DONE]"), STREAM).failure!!.message shouldContain "The engine died"
            }
        }
        test("without content it is no answer") {
            val role = """{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"""
            read(body(role, "[DONE]"), STREAM).failure!!.javaClass shouldBe LlmException.MalformedResponse::class.java
        }
        test("a later choice that ends with an error fails") {
            val end = """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"error"}]}"""
            read(body(hi, end, "[DONE]"), STREAM).failure!!.javaClass shouldBe LlmException.ServerError::class.java
        }
    }

    test("arguments that are nested too deep are arguments without structure") {
        val deep = "{\\\"a\\\":".repeat(10_000) + "1" + "}".repeat(10_000)
        val call = """{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"$deep"}}]}"""
        val answer = read(deltas(call, """{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}"""), STREAM)
        answer.failure shouldBe null
        argumentsObject(answer.response.toolCalls.single()) shouldBe JsonObject(emptyMap())
    }
})
