package dev.unifiedllm.tool

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.RunningFunctions
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolSettings
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.framing.awsEvent
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.nio.charset.Charset
import java.util.Base64
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

@Serializable
private data class Place(val name: String, val tags: List<String> = emptyList())

private const val ARGUMENTS = """{"name":"Zürich \"😀\" \\","tags":["a","\u00e4"]}"""
private val zurich = Place("Zürich \"😀\" \\", listOf("a", "ä"))

/** [text] as JSON in ASCII, so that a surrogate pair may be cut. */
private fun quoted(text: String) = JsonPrimitive(text).toString().map { if (it < '\u0080') "$it" else "\\u%04x".format(it.code) }.joinToString("")

private fun event(data: String) = "data: $data\n\n"

/** A fragment of call number [index]. */
private class Fragment(val index: Int, val id: String?, val name: String?, val arguments: String)

private fun call(vararg pieces: String): List<Fragment> =
    pieces.mapIndexed { index, piece -> Fragment(0, "c1".takeIf { index == 0 }, "look".takeIf { index == 0 }, piece) }

/**
 * A wire that streams arguments in fragments.
 *
 * @param calls the body of a response with calls; a binary one as a text of Latin-1
 */
private class ArgumentWire(
    val protocol: String,
    val calls: (List<Fragment>, finish: String?) -> String,
    val text: String,
    val type: String = "text/event-stream",
    val charset: Charset = Charsets.UTF_8,
) {
    override fun toString(): String = protocol
}

private fun openAi(fragments: List<Fragment>, finish: String?) = fragments.joinToString("") { fragment ->
    val id = fragment.id?.let { """"id":${quoted(it)},""" }.orEmpty()
    val name = fragment.name?.let { """"name":${quoted(it)},""" }.orEmpty()
    val function = """{$name"arguments":${quoted(fragment.arguments)}}"""
    event("""{"choices":[{"index":0,"delta":{"tool_calls":[{"index":${fragment.index},$id"function":$function}]}}]}""")
} + event("""{"choices":[{"index":0,"delta":{},"finish_reason":"${finish ?: "tool_calls"}"}]}""") + event("[DONE]")

private fun anthropic(fragments: List<Fragment>, finish: String?): String {
    val begun = hashSetOf<Int>()
    val start = """{"type":"message_start","message":{"id":"m","model":"claude","usage":{"input_tokens":1,"output_tokens":1}}}"""
    val blocks = fragments.flatMap { fragment ->
        val block = """{"type":"tool_use","id":${quoted(fragment.id.orEmpty())},"name":${quoted(fragment.name.orEmpty())},"input":{}}"""
        listOfNotNull(
            """{"type":"content_block_start","index":${fragment.index},"content_block":$block}""".takeIf { begun.add(fragment.index) },
            """{"type":"content_block_delta","index":${fragment.index},"delta":{"type":"input_json_delta","partial_json":${quoted(fragment.arguments)}}}""",
        )
    }
    val reason = if (finish == "length") "max_tokens" else "tool_use"
    val end = listOf("""{"type":"message_delta","delta":{"stop_reason":"$reason"},"usage":{"output_tokens":2}}""", """{"type":"message_stop"}""")
    return (listOf(start) + blocks + end).joinToString("", transform = ::event)
}

private fun responses(fragments: List<Fragment>, finish: String?): String {
    val begun = hashSetOf<Int>()
    val events = fragments.flatMap { fragment ->
        val index = fragment.index
        val call = """"call_id":${quoted(fragment.id.orEmpty())},"name":${quoted(fragment.name.orEmpty())}"""
        val item = """{"type":"function_call","id":"fc$index",$call,"arguments":""}"""
        listOfNotNull(
            """{"type":"response.output_item.added","output_index":$index,"item":$item}""".takeIf { begun.add(index) },
            """{"type":"response.function_call_arguments.delta","output_index":$index,"item_id":"fc$index","delta":${quoted(fragment.arguments)}}""",
        )
    }
    if (finish == "length") {
        val cut = """{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"""
        return (events + """{"type":"response.incomplete","response":$cut}""").joinToString("", transform = ::event)
    }
    val done = fragments.groupBy { it.index }.flatMap { (index, ofCall) ->
        val arguments = quoted(ofCall.joinToString("") { it.arguments })
        val call = """"call_id":${quoted(ofCall.first().id.orEmpty())},"name":${quoted(ofCall.first().name.orEmpty())},"arguments":$arguments"""
        listOf(
            """{"type":"response.function_call_arguments.done","output_index":$index,"item_id":"fc$index","arguments":$arguments}""",
            """{"type":"response.output_item.done","output_index":$index,"item":{"type":"function_call","id":"fc$index",$call}}""",
        )
    }
    val end = """{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"""
    return (events + done + end).joinToString("", transform = ::event)
}

private fun cohere(fragments: List<Fragment>, finish: String?): String {
    val begun = hashSetOf<Int>()
    val events = fragments.flatMap { fragment ->
        val function = """{"name":${quoted(fragment.name.orEmpty())},"arguments":""}"""
        val begin = """{"id":${quoted(fragment.id.orEmpty())},"type":"function","function":$function}"""
        val delta = """{"message":{"tool_calls":{"function":{"arguments":${quoted(fragment.arguments)}}}}}"""
        listOfNotNull(
            """{"type":"tool-call-start","index":${fragment.index},"delta":{"message":{"tool_calls":$begin}}}""".takeIf { begun.add(fragment.index) },
            """{"type":"tool-call-delta","index":${fragment.index},"delta":$delta}""",
        )
    }
    val end = """{"type":"message-end","delta":{"finish_reason":"${if (finish == "length") "MAX_TOKENS" else "TOOL_CALL"}"}}"""
    return (listOf("""{"type":"message-start","id":"m"}""") + events + end).joinToString("", transform = ::event)
}

private fun aws(vararg events: Pair<String, String>) = events.joinToString("") { (type, json) -> awsEvent(type, json).toString(Charsets.ISO_8859_1) }

private fun bedrock(fragments: List<Fragment>, finish: String?): String {
    val begun = hashSetOf<Int>()
    val events = fragments.flatMap { fragment ->
        val index = """"contentBlockIndex":${fragment.index}"""
        val use = """{"toolUse":{"toolUseId":${quoted(fragment.id.orEmpty())},"name":${quoted(fragment.name.orEmpty())}}}"""
        listOfNotNull(
            ("contentBlockStart" to "{$index,\"start\":$use}").takeIf { begun.add(fragment.index) },
            "contentBlockDelta" to """{$index,"delta":{"toolUse":{"input":${quoted(fragment.arguments)}}}}""",
        )
    }
    val stops = begun.map { "contentBlockStop" to """{"contentBlockIndex":$it}""" }
    val end = "messageStop" to """{"stopReason":"${if (finish == "length") "max_tokens" else "tool_use"}"}"""
    return aws("messageStart" to """{"role":"assistant"}""", *(events + stops + end).toTypedArray())
}

private val wires = listOf(
    ArgumentWire(
        "bedrock-converse",
        ::bedrock,
        aws(
            "messageStart" to """{"role":"assistant"}""",
            "contentBlockDelta" to """{"contentBlockIndex":0,"delta":{"text":"done"}}""",
            "contentBlockStop" to """{"contentBlockIndex":0}""",
            "messageStop" to """{"stopReason":"end_turn"}""",
        ),
        "application/vnd.amazon.eventstream",
        Charsets.ISO_8859_1,
    ),
    ArgumentWire("openai-chat", ::openAi, event("""{"choices":[{"index":0,"delta":{"content":"done"},"finish_reason":"stop"}]}""") + event("[DONE]")),
    ArgumentWire(
        "anthropic-messages",
        ::anthropic,
        listOf(
            """{"type":"message_start","message":{"id":"m","model":"claude","usage":{"input_tokens":1,"output_tokens":1}}}""",
            """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"done"}}""",
            """{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}""",
            """{"type":"message_stop"}""",
        ).joinToString("", transform = ::event),
    ),
    ArgumentWire(
        "openai-responses",
        ::responses,
        event("""{"type":"response.output_text.delta","output_index":0,"delta":"done"}""") +
            event("""{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"""),
    ),
    ArgumentWire(
        "cohere-chat",
        ::cohere,
        listOf(
            """{"type":"message-start","id":"m"}""",
            """{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"done"}}}}""",
            """{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}""",
        ).joinToString("", transform = ::event),
    ),
)

/** What a call came to. @property asked the arguments with which the tool was run @property second the body of the second request; null if there was none */
private class Outcome(val response: ChatResponse, val asked: List<Place>, val second: String?)

private suspend fun ArgumentWire.ask(fragments: List<Fragment>, finish: String? = null, block: ChatRequestBuilder.() -> Unit = {}): Outcome =
    ask(calls(fragments, finish).toByteArray(charset), block = block)

/** @param step how many bytes of [body] are sent at a time */
private suspend fun ArgumentWire.ask(body: ByteArray, step: Int = body.size, block: ChatRequestBuilder.() -> Unit = {}): Outcome {
    val asked = CopyOnWriteArrayList<Place>()
    var count = 0
    return LoopbackServer {
        head(200, "Content-Type" to type)
        val bytes = if (count++ == 0) body else text.toByteArray(charset)
        for (start in bytes.indices step step) write(bytes.copyOfRange(start, minOf(start + step, bytes.size)))
    }.use { server ->
        val name = if (protocol == "bedrock-converse") "bedrock" else "gw"
        Llm.builder().retry { maxRetries = 0 }.environment { null }.provider(name) {
            baseUrl = server.url
            apiKey = "key-of-the-tests"
            if (name == "gw") protocol = this@ask.protocol
        }.build().use { llm ->
            val response = llm.chat("$name/m") {
                user("Hi")
                tool("look", "Looks") { place: Place ->
                    asked += place
                    "seen ${asked.size}"
                }
                block()
            }.await()
            Outcome(response, asked, server.requests.getOrNull(1)?.body)
        }
    }
}

private val ChatResponse.results: List<Part.ToolResult> get() = messages.flatMap { it.parts }.filterIsInstance<Part.ToolResult>()

private val repeatedId = wires.single { it.protocol == "openai-responses" } to "same"

/** Faults 127, 128, 129 and 130 of the list of faults, among others: the calls of a model arrive in pieces, cut, mixed up, or call what is not there. */
class ToolFaultsSpec : FunSpec({
    context("arguments that are cut at any place between two fragments are read whole:") {
        withData<ArgumentWire>({ "$it" }, wires) { wire ->
            for (at in 0..ARGUMENTS.length) {
                val outcome = wire.ask(call(ARGUMENTS.take(at), ARGUMENTS.drop(at)))
                withClue("at $at") {
                    outcome.asked shouldContainExactly listOf(zurich)
                    outcome.response.text shouldBe "done"
                }
            }
            wire.ask(call(*ARGUMENTS.map { it.toString() }.toTypedArray())).asked shouldContainExactly listOf(zurich)
        }
    }

    context("a body that arrives byte by byte, with letters of several bytes, gives the same arguments:") {
        withData<ArgumentWire>({ "$it" }, wires.filter { it.charset == Charsets.UTF_8 }) { wire ->
            val escaped = wire.calls(call(ARGUMENTS.take(20), ARGUMENTS.drop(20)), null)
            val body = Regex("""(?<!\\)\\u([0-9a-f]{4})""").replace(escaped) { "${it.groupValues[1].toInt(16).toChar()}" }.encodeToByteArray()
            body.size shouldBeGreaterThan body.decodeToString().length // not ASCII
            wire.ask(body, step = 1).asked shouldContainExactly listOf(zurich)
        }
        test("bedrock-converse, in binary events") {
            val wire = wires.single { it.protocol == "bedrock-converse" }
            wire.ask(wire.calls(call(ARGUMENTS), null).toByteArray(wire.charset), step = 1).asked shouldContainExactly listOf(zurich)
        }
    }

    test("a name in two fragments is one name") {
        val outcome = wires.single { it.protocol == "openai-chat" }
            .ask(listOf(Fragment(0, "c", "lo", ""), Fragment(0, null, "ok", """{"name":"Rome"}""")))
        withClue(outcome.response.messages) { outcome.asked.map { it.name } shouldContainExactly listOf("Rome") }
        outcome.response.results.map { it.name } shouldContainExactly listOf("look")
    }

    context("calls whose fragments are interleaved are kept apart:") {
        withData<ArgumentWire>({ "$it" }, wires) { wire ->
            val first = """{"name":"Rome"}"""
            val second = """{"name":"Oslo"}"""
            val fragments = listOf(Fragment(0, "a", "look", ""), Fragment(1, "b", "look", "")) +
                first.zip(second).flatMap { (a, b) -> listOf(Fragment(0, null, null, "$a"), Fragment(1, null, null, "$b")) }
            val outcome = wire.ask(fragments) { maxParallelTools = 1 }
            outcome.asked.map { it.name } shouldContainExactly listOf("Rome", "Oslo")
            outcome.response.results.map { it.id } shouldContainExactly listOf("a", "b")
        }
    }

    test("calls with the same id on the Responses wire are told apart, or the response is malformed") {
        val (wire, id) = repeatedId
        try {
            val outcome = wire.ask(listOf(Fragment(0, id, "look", """{"name":"Rome"}"""), Fragment(1, id, "look", """{"name":"Oslo"}""")))
            outcome.asked.map { it.name } shouldContainExactlyInAnyOrder listOf("Rome", "Oslo")
        } catch (malformed: LlmException.MalformedResponse) {
            malformed.message shouldContain "look"
        }
    }

    context("calls without ids, or with the same id, each have their result:") {
        val cases = wires.flatMap { wire -> listOf(wire to null, wire to "same") } - repeatedId
        withData<Pair<ArgumentWire, String?>>({ "${it.first}: ${it.second}" }, cases) { (wire, id) ->
            val fragments = listOf(Fragment(0, id, "look", """{"name":"Rome"}"""), Fragment(1, id, "look", """{"name":"Oslo"}"""))
            val outcome = wire.ask(fragments) { maxParallelTools = 1 }
            outcome.asked.map { it.name } shouldContainExactly listOf("Rome", "Oslo")
            outcome.response.results shouldHaveSize 2
            val ids = Regex(""""(?:tool_call_id|tool_use_id|call_id|toolUseId)":"([^"]*)"""").findAll(outcome.second!!).map { it.groupValues[1] }.toList()
            val own = if (wire.protocol == "openai-responses") ids.distinct() else ids
            own.toSet() shouldHaveSize 2
            own.none { it.isEmpty() } shouldBe true
        }
    }

    context("a call that was cut at the limit is not run, and its text is kept:") {
        withData<ArgumentWire>({ "$it" }, wires) { wire ->
            val outcome = wire.ask(call("""{"name":"Zür"""), finish = "length")
            outcome.asked.shouldBeEmpty()
            outcome.second shouldBe null
            outcome.response.finishReason?.kind shouldBe FinishReason.Kind.LENGTH
            outcome.response.toolCalls.single().arguments shouldBe """{"name":"Zür"""
        }
    }

    context("arguments that are no JSON of the type are told to the model, and not run:") {
        withData<String>(
            { it.take(60) },
            """{"name":"Zür""",
            """{"name":""",
            "hello",
            "[1]",
            """{"name":5}""",
            """{"name":"a","tags":null,}""",
            "{\"name\":".repeat(100_000),
            "null",
        ) { arguments ->
            for (wire in wires) {
                val outcome = wire.ask(call(arguments))
                outcome.asked.shouldBeEmpty()
                val result = outcome.response.results.single()
                withClue("$wire: $result") { result.isError shouldBe true }
                outcome.response.text shouldBe "done"
            }
        }
    }

    test("arguments that are cut, and that no event of the Responses wire has whole, are a malformed response") {
        val wire = wires.single { it.protocol == "openai-responses" }
        val cut = ArgumentWire(
            wire.protocol,
            { fragments, finish -> responses(fragments, finish).split("\n\n").filterNot { ".done" in it }.joinToString("\n\n") },
            wire.text,
        )
        cut.ask(call(ARGUMENTS)).asked shouldContainExactly listOf(zurich)
        shouldThrow<LlmException.MalformedResponse> { cut.ask(call("""{"name":"Zür""")) }.message shouldContain "not complete"
    }

    test("a call without arguments is one with none") {
        for (wire in wires) {
            var runs = 0
            val outcome = wire.ask(listOf(Fragment(0, "c", "now", ""))) { tool("now", "The time") { _: JsonObject -> "${++runs} o'clock" } }
            outcome.response.results.single().text shouldBe "1 o'clock"
        }
    }

    test("an unknown tool is told to the model with the names of the tools") {
        for (wire in wires) {
            val result = wire.ask(listOf(Fragment(0, "c", "luck", "{}"))).response.results.single()
            result.isError shouldBe true
            result.text shouldContain "The tools are: look"
        }
    }

    context("nothing is left after") {
        fun runner(functions: RunningFunctions, timeout: Duration, run: suspend (JsonObject) -> Any?) =
            ToolRunner(listOf(Tool.of("t", "", "{}", run)), ToolSettings(timeout = timeout), CallContext.EMPTY.with { this.functions = functions })

        val calls = List(5) { Part.ToolCall("c$it", "t", "{}") }

        data class Ending(val name: String, val run: suspend (JsonObject) -> Any?)
        withData<Ending>(
            { it.name },
            Ending("a result") { "x" },
            Ending("an exception") { error("x") },
            Ending("an Error") { throw AssertionError("x") },
            Ending("a deadline while it suspends") { awaitCancellation() },
            Ending("a deadline while it blocks") { CompletableFuture<String>().get() },
            Ending("a deadline while it sleeps") { Thread.sleep(60_000) },
        ) { ending ->
            val functions = RunningFunctions()
            val deltas = mutableListOf<Delta>()
            runner(functions, 50.milliseconds, ending.run).run(calls, deltas::add) shouldHaveSize 5
            deltas.filterIsInstance<Delta.ToolResult>() shouldHaveSize 5
            functions.left().shouldBeEmpty()
        }

        test("the call was cancelled") {
            val functions = RunningFunctions()
            val started = CountDownLatch(5)
            val runner = runner(functions, 60.seconds) {
                started.countDown()
                CompletableFuture<String>().get()
            }
            withTimeout(5.seconds) {
                val job = launch(Dispatchers.Default) { runner.run(calls) { } }
                started.await(5, SECONDS) shouldBe true
                job.cancel()
                job.join()
            }
            functions.left().shouldBeEmpty()
        }

        test("a function that ignores its interrupt: it is named, and its result is given all the same") {
            val functions = RunningFunctions()
            val end = CountDownLatch(1)
            val results = runner(functions, 50.milliseconds) {
                while (end.count > 0) {
                    try {
                        end.await()
                    } catch (_: InterruptedException) {
                        continue
                    }
                }
            }.run(calls.take(1)) { }
            results.single().text shouldContain "did not return"
            functions.left() shouldContain "the tool t"
            end.countDown()
        }

        test("the call was cancelled while a tool suspends, which runs its finally") {
            val functions = RunningFunctions()
            val started = CountDownLatch(5)
            val ended = CountDownLatch(5)
            val runner = runner(functions, 60.seconds) {
                try {
                    started.countDown()
                    awaitCancellation()
                } finally {
                    ended.countDown()
                }
            }
            withTimeout(5.seconds) {
                val job = launch(Dispatchers.Default) { runner.run(calls) { } }
                started.await(5, SECONDS) shouldBe true
                job.cancel()
                job.join()
            }
            ended.await(5, SECONDS) shouldBe true
            functions.left().shouldBeEmpty()
        }

        data class Inner(val name: String, val ask: suspend (Llm) -> String)
        withData<Inner>(
            { "the call was cancelled while a tool ${it.name}: the connection of the inner call is closed" },
            Inner("awaits a chat()") { it.chat("slow/m", "Hi").await().text },
            Inner("blocks for a chat()") { it.chat("slow/m", "Hi").get().text },
        ) { inner ->
            val wire = wires.single { it.protocol == "openai-chat" }
            LoopbackServer { hold() }.use { slow ->
                LoopbackServer { whole(wire.calls(call(ARGUMENTS), null), type = "text/event-stream") }.use { server ->
                    val llm = Llm.builder().retry { maxRetries = 0 }.environment { null }.provider("gw") { baseUrl = server.url }.provider("slow") {
                        baseUrl =
                            slow.url
                    }.build()
                    llm.use {
                        val reply = llm.chat("gw/m") {
                            user("Hi")
                            tool("look", "Looks") { _: Place -> inner.ask(llm) }
                        }
                        val future = reply.toFuture()
                        slow.awaitRequest(5.seconds) shouldBe true
                        reply.cancel()
                        shouldThrow<Exception> { future.get(5, SECONDS) }
                        slow.awaitClosed(5.seconds) shouldBe true
                        reply.partial!!.messages.first().parts.filterIsInstance<Part.ToolCall>().map { it.name } shouldContainExactly listOf("look")
                    }
                }
            }
        }

        test("any of them: no thread that keeps the JVM alive") {
            val before = Thread.getAllStackTraces().keys.filterNot { it.isDaemon }.toSet()
            wires.forEach { it.ask(call(ARGUMENTS)) }
            val after = Thread.getAllStackTraces().keys.filterNot { it.isDaemon }
            (after - before).filter { "unified" in it.name }.shouldBeEmpty()
        }
    }

    test("texts that no JSON parser may accept, and others, as arguments: run with an object, or told to the model; never a failure of the call") {
        @Serializable
        data class Case(val name: String, val expect: String, val bytes: String)

        @Serializable
        data class Cases(val about: String, val cases: List<Case>)

        val cases = Json.decodeFromString<Cases>(ToolFaultsSpec::class.java.getResource("/json-parsing-cases.json")!!.readText()).cases
        var runs = 0
        val runner = ToolRunner(listOf(Tool.of("t", "", "{}") { _: JsonObject -> "run ${++runs}" }), ToolSettings(maxParallel = 1), CallContext.EMPTY)
        val calls = cases.map { Part.ToolCall(it.name, "t", Base64.getDecoder().decode(it.bytes).decodeToString()) }
        val results = runner.run(calls) { }
        results.map { it.id } shouldContainExactly cases.map { it.name }
        for ((case, result) in cases.zip(results)) {
            val mayRun = case.expect != "reject" || calls.single { it.id == case.name }.arguments.isBlank()
            if (!mayRun) withClue(case.name) { result.isError shouldBe true }
            if (result.isError) withClue(case.name) { result.text shouldContain "not a JSON object" }
        }
        runs shouldBeGreaterThan 5
    }

    test("a result of many texts, and the words of a failure, are cut as one long text is, and never within a letter") {
        fun runner(run: (JsonObject) -> Any?) = ToolRunner(listOf(Tool.of("t", "", "{}") { run(it) }), ToolSettings(), CallContext.EMPTY)
        val call = listOf(Part.ToolCall("c", "t", "{}"))
        val image = Part.Image("https://x.test/a.png")
        val many = runner { listOf(image) + List(20) { Part.Text("x".repeat(100_000)) } + image }.run(call) { }.single()
        many.content.first() shouldBe image
        many.content.last() shouldBe image
        many.text shouldEndWith "[The result had 2000000 characters. Only the first 1000000 are shown.]"
        many.text.count { it == 'x' } shouldBe 1_000_000
        val failed = runner { error("y".repeat(10_000_000)) }.run(call) { }.single()
        failed.isError shouldBe true
        failed.text.length shouldBeLessThan 1_000_100
        val letters = runner { "a" + "😀".repeat(500_001) }.run(call) { }.single().text.substringBefore("\n[")
        letters.last().isLowSurrogate() shouldBe true
        letters.length shouldBe 999_999
    }

    test("only calls that can be run are shown to approve") {
        val shown = CopyOnWriteArrayList<String>()
        wires.first().ask(listOf(Fragment(0, "a", "luck", "{}"), Fragment(1, "b", "look", """{"name":"x"}"""))) {
            approve { call -> shown.add(call.name) }
        }
        shown shouldContainExactly listOf("look")
    }
})
