package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

private suspend fun read(vararg events: String, status: Int = 200, row: String = "openai/responses"): Answer {
    val provider = ProviderRegistry.packed.find(row)!!
    val target = Target(ModelId(provider.id, "m"), provider, "https://host/v1", ApiKey.of("sk-test"))
    val isStream = status == 200 && events.none { "\"object\":\"response\"" in it && "type" !in it }
    val body = if (isStream) events.joinToString("") { "data: $it\n\n" } else events.single()
    val headers = mapOf("content-type" to if (isStream) "text/event-stream" else "application/json")
    val transport = RecordedTransport(status, headers, listOf(body.encodeToByteArray()))
    return answer(ProtocolModel(target, OpenAiResponses, transport, NO_TIMEOUTS), if (isStream) Delivery.STREAM else Delivery.WHOLE)
}

private const val CREATED = """{"type":"response.created","response":{"id":"r1","model":"m-1","status":"in_progress","output":[]}}"""
private const val HELLO = """{"type":"response.output_text.delta","output_index":0,"delta":"Hello"}"""
private const val COMPLETED =
    """{"type":"response.completed","response":{"id":"r1","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}],"usage":{"input_tokens":1,"output_tokens":2}}}"""

class OpenAiResponsesDecodingSpec : FunSpec({
    test("events are known by their JSON, without event lines, and [DONE] may follow the last") {
        val answer = read(CREATED, HELLO, COMPLETED, "[DONE]")
        answer.failure shouldBe null
        answer.response.text shouldBe "Hello"
        answer.response.finishReason!!.kind shouldBe Kind.STOP
    }

    test("an unknown event before the first does not begin the answer without its id") {
        val answer = read("""{"type":"codex.rate_limits","limits":[]}""", """{"type":"keepalive"}""", CREATED, HELLO, COMPLETED)
        answer.failure shouldBe null
        answer.response.responseId shouldBe "r1"
        answer.response.text shouldBe "Hello"
    }

    test("items that share one index and have no ids are told apart by their types") {
        val reasoning = """{"type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}]}"""
        val message = """{"type":"message","content":[{"type":"output_text","text":"Hello"}]}"""
        val events = mapOf(
            "added" to """{"type":"response.output_item.added","output_index":0,"item":""",
            "done" to """{"type":"response.output_item.done","output_index":0,"item":""",
        ).mapValues { (_, start) -> { item: String -> "$start$item}" } }
        val added = events.getValue("added")
        val done = events.getValue("done")
        val summary = """{"type":"response.reasoning_summary_text.delta","output_index":0,"delta":"Hm."}"""
        for (begin in listOf(listOf(added("""{"type":"reasoning"}"""), added("""{"type":"message"}""")), listOf(null, null))) {
            val answer = read(*listOfNotNull(CREATED, begin[0], summary, begin[1], HELLO, done(reasoning), done(message), COMPLETED).toTypedArray())
            answer.response.text shouldBe "Hello"
            answer.response.reasoning shouldBe "Hm."
        }
    }

    test("what came as the last event alone is read from it, beside what was streamed") {
        val call = """{"type":"function_call","call_id":"c1","name":"weather","arguments":"{}"}"""
        val completed = """{"type":"response.completed","response":{"id":"r1","status":"completed","output":[
            {"type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}]},$call]}}""".replace("\n", "")
        val lost = """{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{}"}"""
        val summary = """{"type":"response.reasoning_summary_text.delta","output_index":0,"delta":"Hm."}"""
        val answer = read(CREATED, summary, lost, completed)
        answer.response.reasoning shouldBe "Hm."
        answer.response.toolCalls.map { "${it.id} ${it.name} ${it.arguments}" } shouldBe listOf("c1 weather {}")
    }

    test("a stream with the last event only is read from it") {
        read(COMPLETED, "[DONE]").response.text shouldBe "Hello"
    }

    test("an item without deltas is read when it is complete") {
        val cited = """[{"type":"url_citation","url":"https://a/","title":"A"}]"""
        val item = """{"type":"message","content":[{"type":"output_text","text":"Hi","annotations":$cited}]}"""
        val answer = read(CREATED, """{"type":"response.output_item.done","output_index":0,"item":$item}""", COMPLETED)
        answer.response.text shouldBe "Hi"
        answer.response.sources shouldBe listOf(Delta.Source("https://a/", "A"))
    }

    test("a cited file is a source by its id and its name, in an event and in a complete item") {
        fun cited(id: String, name: String?) = """{"type":"file_citation","file_id":"$id","index":3${name?.let { ",\"filename\":\"$it\"" }.orEmpty()}}"""
        val event = """{"type":"response.output_text.annotation.added","output_index":0,"annotation":${cited("file-1", "a.pdf")}}"""
        val annotations = "${cited("file-1", "a.pdf")},${cited("file-2", null)},{\"type\":\"file_path\"}"
        val item = """{"type":"message","content":[{"type":"output_text","text":"Hi","annotations":[$annotations]}]}"""
        val answer = read(CREATED, event, """{"type":"response.output_item.done","output_index":0,"item":$item}""", COMPLETED)
        answer.response.sources shouldBe listOf(Delta.Source("file-1", "a.pdf"), Delta.Source("file-2"))
    }

    test("a tool call without deltas, and one with deltas, by the index of their items") {
        val answer = read(
            CREATED,
            """{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":""}}""",
            """{"type":"response.function_call_arguments.delta","output_index":1,"item_id":"other","delta":"{\"a\":"}""",
            """{"type":"response.function_call_arguments.delta","output_index":1,"item_id":"other","delta":"1}"}""",
            """{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}"}}""",
            """{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","id":"fc_2","call_id":"c2","name":"g","arguments":"{}"}}""",
            """{"type":"response.completed","response":{"id":"r1","status":"completed","output":[""" +
                """{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}"},""" +
                """{"type":"function_call","id":"fc_2","call_id":"c2","name":"g","arguments":"{}"}]}}""",
        )
        answer.response.parts shouldBe listOf(Part.ToolCall("c1", "f", """{"a":1}"""), Part.ToolCall("c2", "g", "{}"))
        answer.response.finishReason!!.kind shouldBe Kind.TOOL_CALLS
    }

    test("reasoning that comes as a summary and in full is emitted once, with the item as its signature") {
        val item = """{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"gAAA"}"""
        val answer = read(
            CREATED,
            """{"type":"response.reasoning_summary_text.delta","output_index":0,"delta":"Hm."}""",
            """{"type":"response.reasoning_text.delta","output_index":0,"delta":"Hm, in full."}""",
            """{"type":"response.output_item.done","output_index":0,"item":$item}""",
            """{"type":"response.output_text.delta","output_index":1,"delta":"Hi"}""",
            COMPLETED,
        )
        answer.response.parts shouldBe listOf(Part.Reasoning("Hm.", item), Part.Text("Hi"))
    }

    test("reasoning that only the server has is not signed") {
        val item = """{"type":"reasoning","id":"rs_1","summary":[]}"""
        read(CREATED, """{"type":"response.output_item.done","output_index":0,"item":$item}""", HELLO, COMPLETED).response.parts shouldBe
            listOf(Part.Text("Hello"))
    }

    test("a refusal is a text, and the finish reason") {
        val answer = read(CREATED, """{"type":"response.refusal.delta","output_index":0,"delta":"No."}""", COMPLETED)
        answer.response.text shouldBe "No."
        answer.response.finishReason!!.kind shouldBe Kind.REFUSAL
    }

    test("an incomplete answer has the reason") {
        fun incomplete(reason: String) = """{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"$reason"}}}"""
        read(CREATED, HELLO, incomplete("max_output_tokens")).response.finishReason!!.kind shouldBe Kind.LENGTH
        read(CREATED, HELLO, incomplete("content_filter")).response.finishReason!!.kind shouldBe Kind.CONTENT_FILTER
        read(CREATED, HELLO, incomplete("tired")).response.finishReason!!.kind shouldBe Kind.OTHER
    }

    test("an image is media") {
        val item = """{"type":"image_generation_call","status":"completed","result":"iVBO","output_format":"webp"}"""
        read(CREATED, """{"type":"response.output_item.done","output_index":0,"item":$item}""", COMPLETED).deltas
            .filterIsInstance<Delta.Media>() shouldBe listOf(Delta.Media("image/webp", "data:image/webp;base64,iVBO"))
    }

    test("unknown events change nothing, and an item of an unknown type is a raw part") {
        val plain = read(CREATED, HELLO, COMPLETED)
        val answer = read(
            CREATED,
            """{"type":"keepalive"}""",
            """{"type":"response.new_thing.delta","output_index":0,"delta":"x"}""",
            """{"type":"response.output_item.done","output_index":7,"item":{"type":"new_call","name":"f"}}""",
            HELLO,
            COMPLETED,
        )
        answer.deltas.filterIsInstance<Delta.Raw>() shouldBe listOf(Delta.Raw("new_call", """{"type":"new_call","name":"f"}""", OpenAiResponses.name))
        Answer(answer.deltas.filter { it !is Delta.Raw }, answer.failure) shouldBe plain
    }

    test("an error before any content, in either form, is typed") {
        read(
            CREATED,
            """{"type":"error","code":"rate_limit_exceeded","message":"Slow down","param":null}""",
        ).error.shouldBeInstanceOf<LlmException.RateLimited>()
        read("""{"type":"error","error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"Too long"}}""").error
            .shouldBeInstanceOf<LlmException.ContextLengthExceeded>()
    }

    test("an error after content keeps the content") {
        val answer = read(CREATED, HELLO, """{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"Oh"}}}""")
        answer.error.shouldBeInstanceOf<LlmException.ServerError>().message shouldContain "Oh"
        answer.error.partial!!.text shouldBe "Hello"
    }

    test("a stream without its last event is interrupted, even with [DONE]") {
        read(CREATED, HELLO).error.shouldBeInstanceOf<LlmException.StreamInterrupted>()
        read(CREATED, HELLO, "[DONE]").error.shouldBeInstanceOf<LlmException.StreamInterrupted>()
    }

    test("a response that is not streamed and failed is an error") {
        val answer = read("""{"object":"response","id":"r1","status":"failed","error":{"code":"insufficient_quota","message":"Empty"},"output":[]}""")
        answer.error.shouldBeInstanceOf<LlmException.QuotaExhausted>()
        answer.deltas.shouldBeEmpty()
    }

    test("the error of a server without the endpoint has the model's name for chat completions") {
        for (status in listOf(404, 405)) {
            val error = read("""{"detail":"Not Found"}""", status = status, row = "litellm_proxy/responses").error
            error.shouldBeInstanceOf<LlmException.NotFound>().message shouldContain "\"litellm_proxy/m\""
        }
    }

    test("events without a type are no response, and an error among them fails") {
        for (event in listOf("{}", """{"ping":1}""", """{"sequence_number":3,"status":"in_progress"}""")) {
            val answer = read(CREATED, HELLO, event, COMPLETED)
            answer.failure shouldBe null
            answer.response.text shouldBe "Hello"
            answer.response.finishReason!!.kind shouldBe Kind.STOP
            read(CREATED, HELLO, event).failure.shouldBeInstanceOf<LlmException.StreamInterrupted>()
        }
        read(CREATED, HELLO, """{"error":{"message":"The engine died","code":"server_error"}}""", COMPLETED).failure!!.message shouldContain "The engine died"
    }

    test("a type may stand in the event line only") {
        val events = listOf(CREATED, HELLO, COMPLETED).map {
            it.replaceFirst(Regex("\"type\":\"([^\"]+)\","), "") to
                Regex("\"type\":\"([^\"]+)\"").find(it)!!.groupValues[1]
        }
        val body = events.joinToString("") { (data, type) -> "event: $type\ndata: $data\n\n" }
        val provider = ProviderRegistry.packed.find("openai/responses")!!
        val target = Target(ModelId(provider.id, "m"), provider, "https://host/v1", ApiKey.of("sk-test"))
        val transport = RecordedTransport(200, mapOf("content-type" to "text/event-stream"), listOf(body.encodeToByteArray()))
        val answer = answer(ProtocolModel(target, OpenAiResponses, transport, NO_TIMEOUTS), Delivery.STREAM)
        answer.failure shouldBe null
        answer.response.text shouldBe "Hello"
    }

    test("a response that says that it has no answer is a failure") {
        val statuses = listOf("failed", "cancelled", "queued", "in_progress")
        for (status in statuses) read("""{"id":"r","object":"response","status":"$status","output":[]}""").failure.shouldBeInstanceOf<LlmException>()
        for (response in listOf(
            """{"status":"failed","error":{"message":"It broke","code":"server_error"}}""",
            """{"status":"completed","error":{"message":"It broke","code":"server_error"}}""",
            """{"status":"cancelled","error":{"message":"It broke"}}""",
        )) {
            read(CREATED, HELLO, """{"type":"response.completed","response":$response}""").failure.shouldBeInstanceOf<LlmException>()
        }
        read(CREATED, HELLO, """{"type":"response.error","error":{"message":"It broke"}}""", COMPLETED).failure!!.message shouldContain "It broke"
        read(CREATED, HELLO, COMPLETED.replace("\"id\"", "\"error\":{},\"id\"")).failure shouldBe null
    }
})
