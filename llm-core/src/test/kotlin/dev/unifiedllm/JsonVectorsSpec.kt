package dev.unifiedllm

import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.framing.awsMessage
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.nio.file.Files
import java.util.Base64
import java.util.concurrent.atomic.AtomicInteger

@Serializable
private data class Case(val name: String, val expect: String, val bytes: String) {
    /** Its bytes, each as a character. */
    val latin: String get() = String(Base64.getDecoder().decode(bytes), Charsets.ISO_8859_1)

    /** Its text. */
    val text: String get() = Base64.getDecoder().decode(bytes).decodeToString()
}

@Serializable
private data class Cases(val about: String, val cases: List<Case>)

private val cases: List<Case> by lazy {
    Json.decodeFromString<Cases>(JsonVectorsSpec::class.java.getResource("/json-parsing-cases.json")!!.readText()).cases
}

/** The numbers that Python's encoder writes. In bodies they are read as numbers without a value: servers send them. */
private val LENIENT = setOf("n_number_NaN", "n_number_-NaN", "n_number_infinity", "n_number_minus_infinity")

/** @param json the events of a stream, or one body, with the place of the text under test marked by [HERE] */
private class JsonWire(val model: String, val delivery: Delivery, val framing: Framing, vararg val json: String) {
    override fun toString(): String = "$model, ${delivery.name.lowercase()}"
}

private enum class Framing { BODY, EVENTS, LINES, AWS }

private const val HERE = "@HERE@"

private fun whole(model: String, json: String) = JsonWire(model, Delivery.WHOLE, Framing.BODY, json)

private fun events(model: String, vararg json: String) = JsonWire(model, Delivery.STREAM, Framing.EVENTS, *json)

private val wires = listOf(
    whole("openai/gpt-4o", """{"x":$HERE,"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}"""),
    events("openai/gpt-4o", """{"x":$HERE,"id":"c","choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":"stop"}]}""", "[DONE]"),
    whole(
        "openai/responses/gpt-5",
        """{"x":$HERE,"id":"r","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok"}]}]}""",
    ),
    events(
        "openai/responses/gpt-5",
        """{"x":$HERE,"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"ok"}""",
        """{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}""",
    ),
    whole("anthropic/claude-sonnet-4-5", """{"x":$HERE,"type":"message","id":"m","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn"}"""),
    events(
        "anthropic/claude-sonnet-4-5",
        """{"type":"message_start","message":{"id":"m","model":"c","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}""",
        """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}""",
        """{"x":$HERE,"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}""",
        """{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}""",
        """{"type":"message_stop"}""",
    ),
    whole("gemini/gemini-2.5-flash", """{"x":$HERE,"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]},"finishReason":"STOP","index":0}]}"""),
    events("gemini/gemini-2.5-flash", """{"x":$HERE,"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]},"finishReason":"STOP","index":0}]}"""),
    whole("cohere/command-a", """{"x":$HERE,"id":"1","message":{"role":"assistant","content":[{"type":"text","text":"ok"}]},"finish_reason":"COMPLETE"}"""),
    events(
        "cohere/command-a",
        """{"type":"message-start","id":"1","delta":{"message":{"role":"assistant"}}}""",
        """{"x":$HERE,"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"ok"}}}}""",
        """{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}""",
    ),
    whole("bedrock/amazon.nova-lite-v1:0", """{"x":$HERE,"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn"}"""),
    JsonWire(
        "bedrock/amazon.nova-lite-v1:0",
        Delivery.STREAM,
        Framing.AWS,
        """messageStart {"role":"assistant"}""",
        """contentBlockDelta {"x":$HERE,"contentBlockIndex":0,"delta":{"text":"ok"}}""",
        """messageStop {"stopReason":"end_turn"}""",
    ),
    whole("ollama/llama3", """{"x":$HERE,"model":"m","message":{"role":"assistant","content":"ok"},"done":true,"done_reason":"stop"}"""),
    JsonWire(
        "ollama/llama3",
        Delivery.STREAM,
        Framing.LINES,
        """{"x":$HERE,"model":"m","message":{"role":"assistant","content":"ok"},"done":false}""",
        """{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}""",
    ),
)

private fun LoopbackExchange.send(wire: JsonWire, case: Case) {
    val latin = Charsets.ISO_8859_1
    val texts = wire.json.map { it.replace(HERE, case.latin) }
    when (wire.framing) {
        Framing.BODY -> {
            val body = texts.single().toByteArray(latin)
            head(200, "Content-Type" to "application/json", "Content-Length" to "${body.size}")
            write(body)
        }
        Framing.EVENTS -> {
            head(200, "Content-Type" to "text/event-stream")
            // A line end in the JSON is one of the event stream, too: the JSON goes on in the next field.
            for (text in texts) write((text.split("\r\n", "\r", "\n").joinToString("") { "data: $it\n" } + "\n").toByteArray(latin))
        }
        Framing.LINES -> {
            head(200, "Content-Type" to "application/x-ndjson")
            // A line end between tokens cannot stand in a line.
            for (text in texts) write(((if (case.expect == "accept") text.replace('\n', ' ') else text) + "\n").toByteArray(latin))
        }
        Framing.AWS -> {
            head(200, "Content-Type" to "application/vnd.amazon.eventstream")
            for (text in texts) {
                val type = ":event-type" to text.substringBefore(' ')
                write(awsMessage(text.substringAfter(' ').toByteArray(latin), type, ":content-type" to "application/json", ":message-type" to "event"))
            }
        }
    }
}

private fun client(model: String, url: String): Llm {
    val provider = if ("/responses/" in model) model.substringBeforeLast('/') else model.substringBefore('/')
    return client("AWS_REGION" to "us-east-1") {
        provider(provider) {
            baseUrl = url
            apiKey = "key-of-the-tests"
        }
        retry { maxRetries = 0 }
    }
}

private suspend fun Llm.outcome(model: String, delivery: Delivery, case: Int): Any = try {
    chat(model) {
        user("hi")
        this.delivery = delivery
        extraHeader("X-Case", "$case")
    }.await().text
} catch (failure: LlmException) {
    failure
}

private fun quoted(text: String) = JsonPrimitive(text).toString()

/** A response of a model that calls the tool `look` with each of the arguments. */
private class CallWire(val name: String, val model: String, val type: String, val delivery: Delivery, val last: String, val calls: (List<String>) -> String) {
    override fun toString(): String = name
}

private fun event(json: String) = "data: $json\n\n"

private val callWires = listOf(
    CallWire(
        "openai-chat, a stream",
        "openai/gpt-4o",
        "text/event-stream",
        Delivery.STREAM,
        event("""{"choices":[{"index":0,"delta":{"content":"done"},"finish_reason":"stop"}]}""") + event("[DONE]"),
    ) { all ->
        all.withIndex().joinToString("") { (at, text) ->
            val call = """{"index":$at,"id":"$at","function":{"name":"look","arguments":${quoted(text)}}}"""
            event("""{"choices":[{"index":0,"delta":{"tool_calls":[$call]}}]}""")
        } + event("""{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}""") + event("[DONE]")
    },
    CallWire(
        "openai-chat, a whole body",
        "openai/gpt-4o",
        "application/json",
        Delivery.WHOLE,
        """{"choices":[{"index":0,"message":{"content":"done"},"finish_reason":"stop"}]}""",
    ) { all ->
        val calls = all.withIndex().joinToString(",") { (at, text) -> """{"id":"$at","function":{"name":"look","arguments":${quoted(text)}}}""" }
        """{"choices":[{"index":0,"message":{"tool_calls":[$calls]},"finish_reason":"tool_calls"}]}"""
    },
    CallWire(
        "anthropic-messages, a stream",
        "anthropic/claude-sonnet-4-5",
        "text/event-stream",
        Delivery.STREAM,
        event("""{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}}""") +
            event("""{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"done"}}""") +
            event("""{"type":"message_delta","delta":{"stop_reason":"end_turn"}}""") + event("""{"type":"message_stop"}"""),
    ) { all ->
        event("""{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}}""") +
            all.withIndex().joinToString("") { (at, text) ->
                event("""{"type":"content_block_start","index":$at,"content_block":{"type":"tool_use","id":"$at","name":"look","input":{}}}""") +
                    event("""{"type":"content_block_delta","index":$at,"delta":{"type":"input_json_delta","partial_json":${quoted(text)}}}""") +
                    event("""{"type":"content_block_stop","index":$at}""")
            } + event("""{"type":"message_delta","delta":{"stop_reason":"tool_use"}}""") + event("""{"type":"message_stop"}""")
    },
    CallWire(
        "ollama-chat, a whole body",
        "ollama/llama3",
        "application/json",
        Delivery.WHOLE,
        """{"model":"m","message":{"content":"done"},"done":true,"done_reason":"stop"}""",
    ) { all ->
        val calls = all.withIndex().joinToString(",") { (at, text) -> """{"id":"$at","function":{"name":"look","arguments":${quoted(text)}}}""" }
        """{"model":"m","message":{"content":"","tool_calls":[$calls]},"done":true,"done_reason":"stop"}"""
    },
)

/** The results of the tool for each of [arguments], true for an error, and how often it ran. */
private suspend fun CallWire.run(arguments: List<String>): Pair<List<Boolean>, Int> {
    val answers = ArrayDeque(listOf(calls(arguments), last))
    val runs = AtomicInteger()
    LoopbackServer { whole(answers.removeFirst(), type = type) }.use { server ->
        client(model, server.url).use { llm ->
            val response = llm.chat(model) {
                user("hi")
                delivery = this@run.delivery
                tool(Tool.of("look", "Looks", "{}") { _: JsonObject -> "run ${runs.incrementAndGet()}" })
            }.await()
            response.text shouldBe "done"
            val results = response.messages.flatMap { it.parts }.filterIsInstance<Part.ToolResult>()
            results.map { it.id } shouldContainExactly arguments.indices.map { "$it" }
            return results.map { it.isError } to runs.get()
        }
    }
}

/** Fault 102: each text of JSONTestSuite, on each way by which JSON of others comes in. */
class JsonVectorsSpec : FunSpec({
    test("the suite has 318 texts: 95 to accept, 188 to reject, 35 that may be either") {
        cases shouldHaveSize 318
        cases.groupingBy { it.expect }.eachCount() shouldBe mapOf("accept" to 95, "reject" to 188, "either" to 35)
    }

    context("in the body of a response, a value that the wire does not read: JSON is accepted, what is not JSON fails the call, nothing else happens") {
        withData(wires) { wire ->
            LoopbackServer { send(wire, cases[it.header("X-Case")!!.toInt()]) }.use { server ->
                client(wire.model, server.url).use { llm ->
                    val wrong = mutableListOf<String>()
                    for ((index, case) in cases.withIndex()) {
                        val outcome = llm.outcome(wire.model, wire.delivery, index)
                        val isRejection = (outcome is LlmException.MalformedResponse || outcome is LlmException.StreamInterrupted) &&
                            outcome.partial?.text.isNullOrEmpty()
                        val isRight = when {
                            case.expect == "accept" || case.name in LENIENT -> outcome == "ok"
                            case.expect == "reject" -> isRejection
                            else -> outcome == "ok" || isRejection
                        }
                        if (!isRight) wrong += "${case.name}: $outcome"
                    }
                    wrong.shouldBeEmpty()
                    server.requests shouldHaveSize 318
                    println("json: 318 of 318 in the body of $wire")
                }
            }
        }
    }

    context("as the whole body, or the whole event: a failure of the call, whatever it is") {
        withData(wires.filterNot { it.framing == Framing.AWS }) { wire ->
            val bare = JsonWire(wire.model, wire.delivery, wire.framing, HERE)
            LoopbackServer { send(bare, cases[it.header("X-Case")!!.toInt()]) }.use { server ->
                client(wire.model, server.url).use { llm ->
                    val wrong = cases.indices.map { llm.outcome(wire.model, wire.delivery, it) }.filterNot { it is LlmException }
                    wrong.shouldBeEmpty()
                }
                server.requests shouldHaveSize 318
            }
        }
    }

    context("as a value in the arguments of a tool call: the tool runs for JSON only") {
        withData(callWires) { wire ->
            val (errors, runs) = wire.run(cases.map { """{"value":${it.text}}""" })
            for ((case, isError) in cases.zip(errors)) {
                if (case.expect != "either") withClue(case.name) { isError shouldBe (case.expect == "reject") }
            }
            runs shouldBe errors.count { !it }
            println("json: ${errors.size} of 318 as a value in arguments, $wire")
        }
    }

    context("as all of the arguments of a tool call: the tool runs for objects, and for nothing at all, which is an empty object") {
        withData(callWires) { wire ->
            val (errors, runs) = wire.run(cases.map { it.text })
            for ((case, isError) in cases.zip(errors)) {
                val isBlank = case.text.isBlank()
                if (isBlank) withClue(case.name) { isError shouldBe false }
                if (case.expect == "reject" && !isBlank) withClue(case.name) { isError shouldBe true }
                if (case.expect == "accept") withClue(case.name) { isError shouldBe !case.text.trim().startsWith("{") }
            }
            runs shouldBe errors.count { !it }
            println("json: ${errors.size} of 318 as arguments, $wire")
        }
    }

    test("in a saved conversation, as a text and as a file: JSON is accepted, anything else is no saved conversation") {
        val folder = tempdir().toPath()
        client().use { llm ->
            val saved = llm.conversation("demo/echo") { user("hi") }.toJson()
            val wrong = mutableListOf<String>()
            for (case in cases) {
                val outcomes = listOf(
                    { Conversation.fromJson(saved.replaceFirst("{", "{\"x\":${case.text},")) },
                    {
                        val file = folder.resolve("talk.json")
                        Files.write(file, saved.replaceFirst("{", "{\"x\":${case.latin},").toByteArray(Charsets.ISO_8859_1))
                        llm.conversation(file)
                    },
                ).map { load ->
                    try {
                        load().messages.single().text
                    } catch (failure: LlmException.Configuration) {
                        failure
                    }
                }
                val isRight = when (case.expect) {
                    "accept" -> outcomes.all { it == "hi" }
                    "reject" -> outcomes.none { it == "hi" }
                    else -> true
                }
                if (!isRight) wrong += "${case.name}: $outcomes"
            }
            wrong.shouldBeEmpty()
            println("json: ${cases.size} of 318 in a saved conversation")
        }
    }

    test("as texts that a saved conversation keeps: arguments, blocks and signatures come back as they are") {
        val talk = client().use { llm ->
            llm.conversation("demo/echo") {
                for (case in cases) {
                    message(
                        Message(
                            Role.ASSISTANT,
                            listOf(
                                Part.Text(case.text),
                                Part.Reasoning("", case.text),
                                Part.Raw("block", case.text, "anthropic-messages"),
                                Part.ToolCall(case.name, "look", case.text),
                            ),
                        ),
                    )
                }
            }
        }
        Conversation.fromJson(talk.toJson()).messages shouldContainExactly talk.messages
    }
})
