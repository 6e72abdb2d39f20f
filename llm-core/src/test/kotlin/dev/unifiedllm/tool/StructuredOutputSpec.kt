package dev.unifiedllm.tool

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.client
import dev.unifiedllm.says
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

@Serializable
private data class Point(val x: Int, val y: Int)

private val ID = ModelId.parse("test/ladder")
private const val POINT = """{"x":1,"y":2}"""

/** Refuses requests with a response format in [words]. */
private fun refusing(words: String, isLate: Boolean = false) = Scripted("test/ladder") { request ->
    if (request.responseFormat == null) return@Scripted says(ID, POINT)
    if (isLate) emit(Delta.Start("r", ID))
    throw LlmException.InvalidRequest(words, details = LlmException.Details(ID, 400))
}

/** Answers a request with a response format with a server error in [words]. */
private fun failing(words: String) = Scripted("test/ladder") { request ->
    if (request.responseFormat == null) return@Scripted says(ID, POINT)
    throw LlmException.ServerError(words, details = LlmException.Details(ID, 500))
}

private fun ChatRequest.words() = if (responseFormat is ResponseFormat.JsonSchema) "schema" else "prompt: ${"JSON schema" in messages.first().text}"

/** A wire, what it answers with, and how it refuses. @param way how a request asks for JSON, of its body */
private class LadderWire(
    val protocol: String,
    val refusal: (JsonObject) -> String?,
    val answer: (JsonObject) -> String,
    val ways: List<String>,
    val type: String = "text/event-stream",
    val way: (JsonObject) -> String,
) {
    override fun toString(): String = protocol
}

private operator fun JsonElement?.get(name: String): JsonElement? = (this as? JsonObject)?.get(name)

private val JsonElement?.text: String? get() = (this as? JsonPrimitive)?.content

private fun prompted(body: JsonObject) = if ("JSON schema" in body.toString()) "prompt" else "nothing"

private fun event(data: String) = "data: $data\n\n"

private const val QUOTED = """{\"x\":1,\"y\":2}"""

private fun openAiWay(body: JsonObject) = when {
    body["response_format"]["type"].text == "json_schema" -> "schema ${body["response_format"]["json_schema"]["strict"]}"
    body["response_format"]["type"].text == "json_object" -> "object, ${prompted(body)}"
    body["tool_choice"] is JsonObject -> "tool ${body["tool_choice"]["function"]["name"].text}"
    else -> prompted(body)
}

private val wires = listOf(
    LadderWire(
        "openai-chat",
        { body ->
            when {
                "response_format" in body -> """{"error":{"message":"This response_format type is unavailable now","type":"invalid_request_error"}}"""
                "tool_choice" in body -> """{"error":{"message":"tool_choice is not supported by this model","type":"invalid_request_error"}}"""
                else -> null
            }
        },
        {
            event("""{"choices":[{"index":0,"delta":{"content":"$QUOTED"}}]}""") + event("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""") +
                event("[DONE]")
        },
        listOf("schema true", "object, prompt", "tool answer", "prompt"),
        way = ::openAiWay,
    ),
    LadderWire(
        "openai-chat",
        { if ("response_format" in it) """{"error":{"message":"Unrecognized request argument supplied: response_format"}}""" else null },
        {
            val function = """{"name":"answer","arguments":"$QUOTED"}"""
            event("""{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":$function}]}}]}""") +
                event("""{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}""") + event("[DONE]")
        },
        listOf("schema true", "object, prompt", "tool answer"),
        way = ::openAiWay,
    ),
    LadderWire(
        "anthropic-messages",
        { body ->
            val words = "output_config.format: structured outputs are not supported by this model"
            if (body["output_config"]["format"] != null) """{"type":"error","error":{"type":"invalid_request_error","message":"$words"}}""" else null
        },
        {
            listOf(
                """{"type":"message_start","message":{"id":"m","model":"claude","usage":{"input_tokens":1,"output_tokens":1}}}""",
                """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"answer","input":{}}}""",
                """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"$QUOTED"}}""",
                """{"type":"content_block_stop","index":0}""",
                """{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}""",
                """{"type":"message_stop"}""",
            ).joinToString("", transform = ::event)
        },
        listOf("schema", "tool answer"),
    ) { body ->
        when {
            body["output_config"]["format"]["schema"] != null -> "schema"
            body["tool_choice"]["type"].text == "tool" -> "tool ${body["tool_choice"]["name"].text}"
            else -> prompted(body)
        }
    },
    LadderWire(
        "gemini-generate",
        { body ->
            val words = "Invalid JSON payload received. Unknown name \\\"responseJsonSchema\\\" at 'generation_config': Cannot find field."
            val hasSchema = body["generationConfig"].toString().contains("chema")
            if (hasSchema) """{"error":{"code":400,"message":"$words","status":"INVALID_ARGUMENT"}}""" else null
        },
        { event("""{"candidates":[{"content":{"parts":[{"text":"$QUOTED"}]},"finishReason":"STOP"}]}""") },
        listOf("schema", "object, prompt"),
    ) { body ->
        when {
            body["generationConfig"].toString().contains("chema") -> "schema"
            body["generationConfig"]["responseMimeType"].text == "application/json" -> "object, ${prompted(body)}"
            else -> prompted(body)
        }
    },
    LadderWire(
        "ollama-chat",
        { if (it["format"] is JsonObject) """{"error":"invalid format: expected \"json\" or a JSON schema"}""" else null },
        { """{"model":"m","message":{"role":"assistant","content":"$QUOTED"},"done":true,"done_reason":"stop"}""" + "\n" },
        listOf("schema", "object, prompt"),
        "application/x-ndjson",
    ) { body ->
        when {
            body["format"] is JsonObject -> "schema"
            body["format"].text == "json" -> "object, ${prompted(body)}"
            else -> prompted(body)
        }
    },
)

class StructuredOutputSpec : FunSpec({
    context("each way that a server refuses is followed by the next, and the client remembers it:") {
        withData<LadderWire>({ "$it: ${it.ways}" }, wires) { wire ->
            LoopbackServer { request ->
                val body = Json.parseToJsonElement(request.body) as JsonObject
                val refusal = wire.refusal(body)
                if (refusal != null) whole(refusal, status = 400) else whole(wire.answer(body), type = wire.type)
            }.use { server ->
                Llm.builder().retry { maxRetries = 0 }.environment { null }.provider("gw") {
                    baseUrl = server.url
                    apiKey = "key-of-the-tests"
                    protocol = wire.protocol
                }.build().use { llm ->
                    val reply = llm.chat("gw/m", "A point")
                    reply.awaitAs<Point>() shouldBe Point(1, 2)
                    reply.await().warnings.count { "refused" in it } shouldBe wire.ways.size - 1
                    val second = llm.chat("gw/m", "A point")
                    second.awaitAs<Point>() shouldBe Point(1, 2)
                    second.await().warnings.single { "refused" in it } shouldContain "before"
                    val bodies = server.requests.map { Json.parseToJsonElement(it.body) as JsonObject }
                    bodies.map(wire.way) shouldContainExactly wire.ways + wire.ways.last()
                    llm.chat("gw/m", "A point").await()
                    wire.way(Json.parseToJsonElement(server.requests.last().body) as JsonObject) shouldBe "nothing"
                }
            }
        }
    }

    test("the schema joins the system message that is there") {
        client().use { llm ->
            val model = refusing("response_format is not supported")
            llm.chat(model) {
                system("Be short.")
                user("A point")
            }.awaitAs<Point>() shouldBe Point(1, 2)
            model.requests.last().messages shouldHaveSize 2
            model.requests.last().messages.first().text shouldContain "Be short.\n\nAnswer with JSON only"
        }
    }

    context("another refusal is the failure of the call:") {
        withData<String>(
            { it },
            "max_tokens is too large",
            "messages: at least one message is required",
            "Invalid schema for function 'weather': type must be object",
            "Unknown parameter: tools[0].function",
        ) { words ->
            client().use { llm ->
                val model = refusing(words)
                shouldThrow<LlmException.InvalidRequest> { llm.chat(model, "A point").awaitAs<Point>() }.message shouldContain words
                model.calls shouldBe 1
            }
        }
    }

    test("a server error that names the response format is a refusal, too") {
        client().use { llm ->
            val model = failing("1 validation error: ('body', 'response_format', 'type'): Input should be 'text' or 'json_object'")
            val reply = llm.chat(model, "A point")
            reply.awaitAs<Point>() shouldBe Point(1, 2)
            model.requests.map { it.words() } shouldContainExactly listOf("schema", "prompt: true")
            reply.await().warnings.single() shouldContain "refused a response format with a JSON schema"
        }
    }

    context("another server error is the failure of the call:") {
        withData<String>(
            { it },
            "The server had an error while processing your request",
            "the schema of the database is outdated",
            "the tool service is down",
        ) { words ->
            client().use { llm ->
                val model = failing(words)
                shouldThrow<LlmException.ServerError> { llm.chat(model, "A point").awaitAs<Point>() }.message shouldContain words
                model.calls shouldBe 1
            }
        }
    }

    test("a refusal after the response has begun is the failure of the call") {
        client().use { llm ->
            val model = refusing("response_format is not supported", isLate = true)
            shouldThrow<LlmException.InvalidRequest> { llm.chat(model, "A point").awaitAs<Point>() }
            model.calls shouldBe 1
        }
    }

    context("a way is tried again after a refusal for another reason than the way:") {
        withData<Pair<String, ChatRequestBuilder.() -> Unit>>(
            { it.first },
            "Invalid schema for response_format 'Point': 'required' must include every property" to { },
            "Function calling with the response format application/json is unsupported" to { tool("weather", "", "{}") },
            "response_format cannot be combined with reasoning" to { reasoning = Effort.LOW },
        ) { (words, block) ->
            client().use { llm ->
                val model = refusing(words)
                llm.chat(model) {
                    user("A point")
                    block()
                }.awaitAs<Point>()
                llm.chat(model, "A point").awaitAs<Point>()
                model.requests.count { it.words() == "schema" } shouldBe 2
            }
        }
    }

    test("a refusal of every way is the failure of the call, and no way is held for refused") {
        var isBroken = true
        val model = Scripted("test/ladder") { request ->
            if (isBroken) throw LlmException.InvalidRequest("the schema is not supported", details = LlmException.Details(ID, 400))
            says(ID, if (request.responseFormat is ResponseFormat.JsonSchema) POINT else "no schema")
        }
        client().use { llm ->
            shouldThrow<LlmException.InvalidRequest> { llm.chat(model, "A point").awaitAs<Point>() }
            model.requests.map { it.words() } shouldContainExactly listOf("schema", "prompt: true")
            isBroken = false
            llm.chat(model, "A point").awaitAs<Point>() shouldBe Point(1, 2)
        }
    }
})
