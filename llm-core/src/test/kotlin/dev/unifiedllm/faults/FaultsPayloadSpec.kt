package dev.unifiedllm.faults

import dev.unifiedllm.Conversation
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ProviderOptionsBuilder
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.saying
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeIn
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlin.reflect.KClass

private const val PAGE = "<!DOCTYPE html>\n<html><head><title>Log in to the network</title></head><body>Please log in</body></html>"
private const val DEEP = 100_000

/** The wires whose events are JSON. Replicate's are texts, with a prediction around them that the servers of these tests send. */
private val jsonWires: List<Wire> by lazy { Wire.all.filterNot { it.isPolled } }

private val chatWires: List<Wire> by lazy { listOf("openai-chat", "vertex-openai", "watsonx-chat").map(Wire::named) }

@Serializable
private data class Tree(val children: List<Tree> = emptyList(), val value: JsonElement = JsonNull)

private val ERRORS: Map<String, KClass<out LlmException>> = mapOf(
    "rate_limit_error" to LlmException.RateLimited::class,
    "overloaded_error" to LlmException.Overloaded::class,
    "api_error" to LlmException.ServerError::class,
    "authentication_error" to LlmException.Authentication::class,
    "permission_error" to LlmException.PermissionDenied::class,
    "not_found_error" to LlmException.NotFound::class,
    "invalid_request_error" to LlmException.InvalidRequest::class,
    "insufficient_quota" to LlmException.QuotaExhausted::class,
)

private val EXACT = mapOf("\"12\"" to 12L, "12.0" to 12L, "0" to 0L)
private val NUMBERS = listOf(
    "1e400", "1e-400", "-0", "9007199254740993", "99999999999999999999", "9223372036854775807", "-5", "1.5", "\"12\"", "12.0", "0", "\"many\"", "true",
    "null", "[]", "{}", "NaN",
)

/** The names of members in all wires. */
private val NAMES: Set<String> = setOf(
    "id", "object", "created", "model", "choices", "index", "delta", "message", "content", "role", "tool_calls", "function_call", "refusal", "audio",
    "annotations", "logprobs", "finish_reason", "native_finish_reason", "usage", "error", "error_type", "citations", "search_results", "service_tier",
    "system_fingerprint", "x_groq", "reasoning_content", "reasoning", "reasoning_details", "prompt_tokens_details", "completion_tokens_details",
    "input_tokens_details", "output_tokens_details", "cost", "response", "item", "part", "output", "incomplete_details", "status", "text", "images",
    "thinking", "signature", "stop_reason", "stop_sequence", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation",
    "server_tool_use", "context_management", "container", "candidates", "parts", "finishReason", "finishMessage", "safetyRatings", "citationMetadata",
    "groundingMetadata", "promptFeedback", "usageMetadata", "thoughtsTokenCount", "cachedContentTokenCount", "promptTokensDetails", "modelVersion",
    "functionCall", "inlineData", "thoughtSignature", "metrics", "trace", "performanceConfig", "reasoningContent", "toolUse", "toolResult", "image",
    "citationsContent", "additionalModelResponseFields", "tool_plan", "done_reason", "total_duration", "load_duration", "context",
    "response_id", "request_id", "extra_content", "provider_specific_fields",
)

private val EMPTY_CHUNKS = listOf(
    "{}", """{"choices":null}""", """{"choices":[]}""", """{"choices":[null]}""", """{"choices":[{}]}""", """{"choices":{}}""",
    """{"choices":[{"delta":null}]}""",
    """{"choices":[{"index":0,"delta":{},"finish_reason":null}]}""", """{"choices":[{"index":0,"delta":{"content":null},"finish_reason":null}]}""",
    """{"choices":[{"index":0,"delta":{"content":"","tool_calls":null},"finish_reason":null}]}""", """{"choices":[{"index":0,"message":null}]}""",
    """{"choices":[{"index":0,"delta":{"content":[]},"finish_reason":""}]}""", "null", "[]", "1", """{"choices":[],"usage":null}""",
)

/** The wires whose responses do not name the model. */
private val NAMELESS = setOf("bedrock-converse", "cohere-chat")

/** Section E of the list of faults: a body with status 200 that is not what was asked for. */
internal object FaultsPayload : FaultSection("E payload") {
    init {
        fault(92, "a web page in place of a response: its title is told") {
            val outcome = call { exchange.whole(PAGE, type = "text/html") }
            val message = outcome.shouldFailAtOnce<LlmException.MalformedResponse>().message!!
            message shouldContain "http://127.0.0.1:"
            message shouldContain "Log in to the network"
            outcome.served shouldBe 1
        }
        fault(93, "a web page as an event stream", deliveries = STREAM) {
            val outcome = call { exchange.whole(PAGE, type = wire.contentType(delivery)) }
            outcome.shouldFailAtOnce<LlmException.MalformedResponse>()
            outcome.served shouldBe 1
        }

        for ((type, expected) in ERRORS) {
            fault(94, "an error object in place of a response: $type", jsonWires) {
                val body = """{"error":{"type":"$type","message":"It is wrong"}}"""
                val outcome = call { exchange.whole(body) }
                val failure = outcome.failure.shouldNotBeNull()
                failure::class shouldBe expected
                failure.message!! shouldContain "It is wrong"
                outcome.served shouldBe if (failure.isRetryable) ALL_ATTEMPTS else 1
            }
        }

        fault(95, "a response in one piece where a stream was requested", jsonWires, STREAM) {
            val outcome = call { exchange.whole(wire.whole("Hello you")) }
            outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
            outcome.deltas.count { it is Delta.Text } shouldBe 1
        }
        fault(96, "a stream where a response in one piece was requested", jsonWires, WHOLE) {
            val outcome = call {
                exchange.head(200, "Content-Type" to wire.framing.type)
                write(wire.stream("Hello", " you"))
            }
            outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
        }
        fault(97, "no content type", jsonWires) {
            call {
                exchange.head(200)
                write(wire.body(delivery, "Hello", " you"))
            }.shouldAnswer()
        }
        fault(97, "a content type of another kind", jsonWires.filterNot { it.framing == Framing.AWS_EVENTS }) {
            for (type in listOf("text/plain", "text/html", "application/octet-stream", "")) {
                call {
                    exchange.head(200, "Content-Type" to type)
                    write(wire.body(delivery, "Hello", " you"))
                }.shouldAnswer()
            }
        }
        fault(98, "a charset that is not the one of JSON and of event streams is passed over") {
            call {
                exchange.head(200, "Content-Type" to "${wire.contentType(delivery)}; charset=iso-8859-1")
                write(wire.body(delivery, "Zażółć", " 日本 😀"))
            }.shouldAnswer("Zażółć 日本 😀")
        }

        fault(99, "JSON that is cut, in a body that ends properly, is repeated") {
            val outcome = call { attempt ->
                if (attempt == 1) begin() else answer()
            }
            outcome.shouldAnswer(attempts = 2)
            call { begin() }.shouldFailOnAll<LlmException.StreamInterrupted>()
        }
        fault(100, "one event that is not JSON between others ends the response, with what came before it", jsonWires, STREAM) {
            for (broken in listOf("{\"broken\":", "{broken}", "{\"a\":1,}", "{\"a\":\"\\x\"}", "{'a':1}")) {
                val outcome = call {
                    begin("Hello")
                    write(wire.text("!").rewritten(wire.framing) { broken })
                    write(wire.text(" you"))
                    end()
                }
                withClue(broken) {
                    outcome.shouldFail<LlmException.MalformedResponse>(partial = "Hello").isRetryable.shouldBeFalse()
                    outcome.served shouldBe 1
                }
            }
        }
        fault(101, "something after the JSON", jsonWires, WHOLE) {
            for (garbage in listOf("x", "}", "{}", "\"a\"", ",", "<html>")) {
                val outcome = call { exchange.whole(wire.whole("Hello you") + garbage) }
                withClue(garbage) { outcome.failure.shouldNotBeNull()::class shouldBe LlmException.MalformedResponse::class }
                outcome.served shouldBe 1
            }
        }
        fault(101, "something after the JSON of an event", jsonWires, STREAM) {
            val outcome = call {
                begin("Hello")
                write(wire.text(" you").rewritten(wire.framing) { "$it}" })
                end()
            }
            outcome.failure.shouldNotBeNull()::class shouldBe LlmException.MalformedResponse::class
            outcome.served shouldBe 1
        }

        seeSpec(102, "dev.unifiedllm.JsonVectorsSpec")

        fault(103, "JSON that is nested 100,000 deep, in a place that nobody reads", jsonWires) {
            for ((open, close) in listOf("[" to "]", "{\"a\":" to "}")) {
                val deep = open.repeat(DEEP) + (if (open == "[") "" else "1") + close.repeat(DEEP)
                val outcome = call { answerChanged(framing) { it.replaceFirst("{", "{\"x\":$deep,") } }
                outcome.shouldFailAtOnce<LlmException.MalformedResponse>().message!! shouldContain "512"
                outcome.served shouldBe 1
            }
        }
        fault(103, "JSON that is nested 500 deep is read", jsonWires) {
            call { answerChanged(framing) { it.replaceFirst("{", "{\"x\":${"[".repeat(500)}${"]".repeat(500)},") } }.shouldAnswer()
        }
        fault(103, "arguments of a tool call that are nested 100,000 deep are told to the model", jsonWires.filter { it.toolCall != null }, STREAM) {
            var runs = 0
            val outcome = call(build = { tool(Tool.of("weather", "Weather", "{}") { _: JsonObject -> "run ${++runs}" }) }) { attempt ->
                if (attempt > 1) return@call answer()
                head()
                val deep = "[".repeat(DEEP) + "]".repeat(DEEP)
                for (event in wire.toolCall!!) write(event.rewritten(wire.framing) { it.replace("Paris\\\"", "Paris\\\",\\\"deep\\\":$deep") })
            }
            // Where the wire has the arguments as JSON of its own, and not as a text, the response as a whole is malformed.
            if (outcome.failure != null) {
                outcome.shouldFailAtOnce<LlmException.MalformedResponse>()
            } else if (runs == 0) {
                outcome.response!!.messages.flatMap { it.parts }.filterIsInstance<Part.ToolResult>().single().isError.shouldBeTrue()
            } else {
                wire.name shouldBeIn listOf("gemini-generate", "vertex-gemini", "ollama-chat") // its arguments have no escaped quotes: nothing was changed
            }
        }
        faultOnce(103, "deep JSON in options, schemas, saved conversations, signatures and answers of a type is refused, or passed over") { deepTexts() }

        for (value in NUMBERS) {
            fault(104, "a number of tokens that is $value", jsonWires) {
                val outcome = call { answerChanged(framing) { it.replace(Regex(":(12|5|17)(?=[,}])"), ":$value") } }
                val response = outcome.shouldAnswer()
                val usage = response.usage
                val counts = listOfNotNull(usage?.inputTokens, usage?.outputTokens, usage?.totalTokens, usage?.reasoningTokens, usage?.cacheReadTokens)
                withClue("$usage") { counts.filterNot { it in 0..3_000_000_000_000 } shouldBe emptyList() }
                if (value in EXACT) withClue("$usage") { counts.first() shouldBe EXACT.getValue(value) }
                (response.cost as? Cost.Known)?.let { (it.amount.amount.signum() >= 0).shouldBeTrue() }
            }
        }
        faultOnce(104, "an amount of money beyond all reason is not taken for the cost", BOTH) {
            for (value in listOf("1e400", "1e-400", "-1", "\"1e99\"", "\"NaN\"", "NaN", "1".repeat(900))) {
                val cost = """{"id":"c","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}],
                    "usage":{"prompt_tokens":1,"completion_tokens":1,"cost":$value}}"""
                LoopbackServer { whole(cost) }.use { server ->
                    Llm.builder().environment { null }.provider("openrouter") {
                        baseUrl = server.url
                        apiKey = "sk-test-key"
                    }.build().use { llm ->
                        val response = llm.chat("openrouter/x/y", "Hi").await()
                        withClue(value) { ((response.cost as? Cost.Known)?.source == "openrouter").shouldBeFalse() }
                    }
                }
            }
        }

        fault(105, "names that stand twice in an object: the last value counts", jsonWires) {
            val outcome = call {
                answerChanged(framing) { text ->
                    Regex("\"(prompt_tokens|input_tokens|inputTokens|promptTokenCount|prompt_eval_count|finish_reason|done_reason|stop_reason|model)\":")
                        .replace(text) { "\"${it.groupValues[1]}\":${if (it.groupValues[1].contains("oken")) "99" else "\"wrong\""},${it.value}" }
                }
            }
            val response = outcome.shouldAnswer()
            response.usage shouldBe Usage.of(12, 5)
            response.finishReason!!.kind shouldBe FinishReason.Kind.STOP
        }

        fault(106, "members that are not known, at every level", jsonWires) {
            val unknown = Json.parseToJsonElement("""{"a":[1,null,{"b":"c"}],"type":"x"}""")
            val add = { own: JsonObject -> JsonObject(mapOf("unknown_1" to unknown) + own + ("unknownTwo" to unknown)) }
            val outcome = call { answerChanged(framing) { text -> eachObject(text, add) } }
            outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
        }
        fault(106, "null for every member that is missing, at every level", jsonWires) {
            val outcome = call {
                answerChanged(framing) { text -> eachObject(text) { own -> JsonObject(own + (NAMES - own.keys).associateWith { JsonNull }) } }
            }
            outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
        }
        fault(106, "a finish reason that is not known is kept", jsonWires.filterNot { it.name == "openai-responses" }) {
            val outcome = call { answerChanged(framing) { it.replace(Regex("\"(stop|end_turn|STOP|COMPLETE)\""), "\"new_reason\"") } }
            val reason = outcome.shouldAnswer().finishReason!!
            reason.kind shouldBe FinishReason.Kind.OTHER
            reason.raw shouldBe "new_reason"
        }

        fault(107, "NUL, a surrogate without its other half and U+FFFE stay in the text, which can be saved and sent again", jsonWires) {
            val odd = "a\u0000\uD800\uFFFE\u0007b"
            val response = call { answerChanged(framing, "a\\u0000\\ud800\\ufffe", "\\u0007b") { it } }.shouldAnswer(odd)
            val talk = Llm.builder().environment { null }.build().use { llm -> llm.conversation("demo/echo") { message(response.toMessage()) } }
            Conversation.fromJson(talk.toJson()).messages.single().text shouldBe odd
            Json.parseToJsonElement(talk.toJson().encodeToByteArray().decodeToString())
        }
        fault(108, "a letter whose halves come in two deltas is one letter", jsonWires, STREAM) {
            val outcome = call { answerChanged(framing, "a\\ud83d", "\\ude00b") { it } }
            outcome.shouldAnswer("a\uD83D\uDE00b")
            outcome.deltas.filterIsInstance<Delta.Text>().none { it.text.last().isHighSurrogate() }.shouldBeTrue()
        }
        fault(109, "a byte order mark before the body", jsonWires.filterNot { it.framing == Framing.AWS_EVENTS }) {
            call {
                head()
                write(byteArrayOf(0xEF.toByte(), 0xBB.toByte(), 0xBF.toByte()) + wire.body(delivery, "Hello", " you"))
            }.shouldAnswer()
        }

        fault(110, "chunks without choices, with none, with an empty delta or with null in their place", chatWires, STREAM) {
            call {
                head()
                write(wire.opening)
                for (odd in EMPTY_CHUNKS) write("data: $odd\n\n".encodeToByteArray())
                write(wire.text("Hello"))
                for (odd in EMPTY_CHUNKS) write("data: $odd\n\n".encodeToByteArray())
                write(wire.text(" you"))
                end()
            }.shouldAnswer()
        }
        fault(110, "a whole response whose content is null is empty", jsonWires, WHOLE) {
            val empty = { own: JsonObject -> JsonObject(own.mapValues { (name, value) -> emptied(name, value) }) }
            val outcome = call { answerChanged(null, "") { text -> eachObject(text, empty) } }
            outcome.shouldAnswer("").usage shouldBe Usage.of(12, 5)
        }
        fault(110, "a whole response without a choice is cut", chatWires, WHOLE) {
            for (choices in listOf("null", "[]", "{}", "[null]", "[{}]", "[{\"message\":null}]")) {
                val outcome = call { exchange.whole("""{"id":"c","object":"chat.completion","choices":$choices}""") }
                withClue(choices) {
                    val failure = outcome.failure
                    if (failure != null) failure::class shouldBeIn listOf(LlmException.StreamInterrupted::class, LlmException.MalformedResponse::class)
                }
            }
        }

        fault(111, "several choices whose pieces alternate are kept apart", chatWires, STREAM) {
            val outcome = call {
                head()
                for ((index, text) in listOf(0 to "Hel", 1 to "Bon", 0 to "lo", 2 to "Ola", 1 to "jour", 0 to " you")) {
                    write("""data: {"choices":[{"index":$index,"delta":{"content":"$text"},"finish_reason":null}]}${"\n\n"}""".encodeToByteArray())
                }
                for (index in 0..2) write("""data: {"choices":[{"index":$index,"delta":{},"finish_reason":"stop"}]}${"\n\n"}""".encodeToByteArray())
                write("data: [DONE]\n\n".encodeToByteArray())
            }
            val response = outcome.response!!
            response.text shouldBe "Hello you"
            response.alternatives.map { parts -> parts.joinToString("") { (it as Part.Text).text } } shouldContainExactly listOf("Bonjour", "Ola")
        }
        fault(112, "an index that is missing, negative, large or no number does not cost memory", chatWires, STREAM) {
            for (index in listOf("1000000000", "-1", "4294967296", "99999999999999999999", "1.5", "\"0\"", "null")) {
                val outcome = call {
                    head()
                    write("""data: {"choices":[{"index":$index,"delta":{"content":"Hello"},"finish_reason":null}]}${"\n\n"}""".encodeToByteArray())
                    write("""data: {"choices":[{"index":$index,"delta":{"content":" you"},"finish_reason":"stop"}]}${"\n\n"}""".encodeToByteArray())
                    write("data: [DONE]\n\n".encodeToByteArray())
                }
                withClue(index) { outcome.shouldAnswer() }
            }
        }
        fault(112, "so does an index of a tool call, and one out of order", chatWires, STREAM) {
            val outcome = call(build = { tool(Tool.of("look", "Looks", "{}")) }) {
                head()
                for ((index, text) in listOf("1000000000" to "{\\\"a\\\"", "0" to "{\\\"b\\\"", "1000000000" to ":1}", "0" to ":2}")) {
                    val id = if (text.startsWith("{")) """"id":"$index",""" else ""
                    val name = if (text.startsWith("{")) """"name":"look",""" else ""
                    val call = """{"index":$index,$id"function":{$name"arguments":"$text"}}"""
                    write("""data: {"choices":[{"index":0,"delta":{"tool_calls":[$call]},"finish_reason":null}]}${"\n\n"}""".encodeToByteArray())
                }
                write("""data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}${"\n\n"}""".encodeToByteArray())
                write("data: [DONE]\n\n".encodeToByteArray())
            }
            outcome.response!!.toolCalls.map { "${it.id} ${it.arguments}" } shouldContainExactly listOf("1000000000 {\"a\":1}", "0 {\"b\":2}")
        }

        fault(113, "a model of another name than the one that was asked is reported", jsonWires.filter { it.name !in NAMELESS }) {
            val response = call { answerChanged(framing) { it.replace(Regex("\"(m|llama3)\""), "\"another-model\"") } }.shouldAnswer()
            response.reportedModel shouldBe "another-model"
            "${response.model}" shouldBe wire.model
        }
        fault(114, "events with one id, as after a new connection, are all read", Wire.sse, STREAM) {
            call {
                head()
                write(wire.opening)
                for (text in listOf("Hello", " you")) {
                    write("id: 7\n".encodeToByteArray() + wire.text(text))
                }
                end()
            }.shouldAnswer()
        }
    }

    /** [value] of the member [name], if that holds content, as servers send it where they have none. */
    private fun emptied(name: String, value: JsonElement): JsonElement = when {
        name == "content" && value is JsonPrimitive -> JsonNull
        name == "content" && value is JsonArray -> JsonArray(emptyList())
        name == "parts" -> JsonArray(emptyList())
        else -> value
    }

    private suspend fun FaultRun.deepTexts() {
        val lists = "[".repeat(DEEP) + "]".repeat(DEEP)
        val objects = "{\"a\":".repeat(DEEP) + "1" + "}".repeat(DEEP)
        for (deep in listOf(lists, objects)) {
            shouldThrow<IllegalArgumentException> { ProviderOptions.put(deep) }.message!! shouldContain "nested deeper"
            shouldThrow<IllegalArgumentException> { Tool.of("t", "", "{\"properties\":$deep}") }.message!! shouldContain "nested deeper"
            shouldThrow<LlmException.Configuration> { Conversation.fromJson(deep) }
            shouldThrow<LlmException.Configuration> { Conversation.fromJson("{\"version\":1,\"x\":$deep}") }.message!! shouldContain "nested deeper"
            for (wire in Wire.all) {
                val outcome = FaultRun(run, wire, delivery).call(
                    build = {
                        message(Message(Role.ASSISTANT, listOf(Part.Text("a"), Part.Reasoning("b", deep), Part.ToolCall("c", "look", deep, deep))))
                        message(Message(Role.ASSISTANT, listOf(Part.Raw("x", deep, wire.name), Part.Text("d"))))
                        user("And now?")
                    },
                ) { answer() }
                withClue(wire) { outcome.shouldAnswer() }
            }
            for (text in listOf(deep, "{\"children\":$deep}", "{\"value\":$deep}", "Here it is: ```json\n$deep\n```", "x $deep", deep.take(DEEP))) {
                val source = saying("test/deep", text)
                Llm.builder().environment { null }.build().use { llm ->
                    val reply = llm.chat(source, "Hi")
                    shouldThrow<LlmException.MalformedResponse> { reply.awaitAs<Tree>() }
                    llm.chat(source, "Hi").partials<Tree>().let { partials ->
                        try {
                            partials.toList()
                        } catch (_: LlmException.MalformedResponse) {
                            return@let
                        }
                    }
                }
            }
        }
        var nested: JsonElement = JsonPrimitive(1)
        repeat(1000) { nested = JsonArray(listOf(nested)) }
        shouldThrow<IllegalArgumentException> { ProviderOptions.put(nested) }.message!! shouldContain "nested deeper"
        call { answer() }.shouldAnswer()
    }

    private object ProviderOptions {
        fun put(json: String) = with { it.putJson("x", json) }

        fun put(json: JsonElement) = with { it.put("x", json) }

        private fun with(change: (ProviderOptionsBuilder) -> Unit) {
            ChatRequest.build("demo/echo") {
                user("Hi")
                providerOptions { change(this) }
            }
        }
    }
}

internal class FaultsPayloadSpec : FaultSectionSpec(FaultsPayload)
