package dev.unifiedllm.tool

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.client
import dev.unifiedllm.says
import dev.unifiedllm.shape
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldMatch
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonObject
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

@Serializable
private data class City(val name: String)

@Serializable
private data class Weather(val celsius: Int, val sky: String)

private val ID = ModelId.parse("test/tools")
private val toolCalls = FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls")

/** Calls tools in its first responses, one list each, then says how the results read. */
private fun calling(vararg steps: List<Part.ToolCall>, reason: FinishReason = toolCalls): Scripted = Scripted("test/tools") { request ->
    val step = request.messages.count { it.role == Role.ASSISTANT }
    val calls = steps.getOrNull(step) ?: return@Scripted says(ID, request.results().joinToString { it.text })
    emit(Delta.Start("r$step", ID))
    emit(Delta.Text("Looking. "))
    calls.forEachIndexed { index, call -> emit(Delta.ToolCallDelta(index, call.id, call.name, call.arguments)) }
    emit(Delta.Finish(reason, Usage.of(10, 5)))
}

private fun call(id: String, name: String, arguments: String = "{}") = Part.ToolCall(id, name, arguments)

private fun paris(id: String = "c1") = call(id, "weather", """{"name":"Paris"}""")

private fun ChatRequest.results() = messages.flatMap { it.parts }.filterIsInstance<Part.ToolResult>()

private fun ChatRequestBuilder.weather(run: suspend (City) -> Any?) = tool("weather", "Current weather in a city") { city: City -> run(city) }

private suspend fun Model.ask(block: ChatRequestBuilder.() -> Unit) = client().use { llm ->
    llm.chat(this) {
        user("How is the weather?")
        block()
    }.await()
}

class ToolLoopSpec : FunSpec({
    test("a tool is run with typed arguments, and the model answers with its result") {
        val model = calling(listOf(paris()))
        val asked = mutableListOf<City>()
        val response = model.ask {
            weather { city ->
                asked += city
                Weather(21, "clear")
            }
        }
        asked shouldContainExactly listOf(City("Paris"))
        response.text shouldBe """{"celsius":21,"sky":"clear"}"""
        response.finishReason?.kind shouldBe FinishReason.Kind.STOP
        model.calls shouldBe 2
    }

    test("the reply is one: usage is the sum, each step is in steps, all turns are in messages") {
        val response = calling(listOf(paris())).ask { weather { "sunny" } }
        response.usage shouldBe Usage.of(13, 6)
        response.steps.map { it.usage } shouldContainExactly listOf(Usage.of(10, 5))
        response.messages.map { it.role } shouldContainExactly listOf(Role.ASSISTANT, Role.TOOL, Role.ASSISTANT)
        response.messages[1].parts shouldContainExactly listOf(Part.ToolResult("c1", "weather", "sunny"))
        response.messages[0].text shouldBe "Looking. "
    }

    test("calls that the function of a tool makes are named after it in the ledger, whichever way they wait and on whichever thread") {
        client().use { llm ->
            val inner = Scripted("test/inner") { says(ModelId.parse("test/inner"), "sunny") }
            llm.chat(calling(listOf(paris()))) {
                user("How is the weather?")
                weather {
                    llm.chat(inner, "a").await()
                    llm.chat(inner, "b").get()
                    llm.map(listOf("e")) { chat(inner, it) }.await()
                    withContext(Dispatchers.IO) { llm.chat(inner, "c").toFuture().join() }.text
                }
            }.await()
            llm.chat(inner, "d").await()
            llm.client.ledger.rows().map { "${it.model} ${it.origin.tool}" } shouldContainExactly
                listOf("test/tools null") + List(4) { "test/inner weather" } + listOf("test/tools null", "test/inner null")
        }
    }

    test("the deltas show each step, by the grammar") {
        client().use { llm ->
            val deltas = llm.chat(calling(listOf(paris("a"), paris("b")), listOf(paris("c")))) {
                user("hi")
                weather { "sunny" }
            }.events().toList()
            shape(deltas) shouldBe "ScccfttSccftScF"
            deltas.filterIsInstance<Delta.ToolResult>().map { it.id } shouldContainExactly listOf("a", "b", "c")
        }
    }

    test("each attempt has its row, and the cost of the reply is their sum") {
        client {
            price("test/tools") {
                inputPerMillion = dev.unifiedllm.chat.Usd.of("1")
                outputPerMillion = dev.unifiedllm.chat.Usd.of("2")
            }
        }.use { llm ->
            val response = llm.chat(calling(listOf(paris()))) {
                user("hi")
                weather { "sunny" }
            }.await()
            response.cost.shouldBeInstanceOf<Cost.Known>().amount.toString() shouldBe "$0.000025"
            llm.costs().toList().single().calls shouldBe 2
        }
    }

    test("parallel calls run at the same time, and their results stand in the order of the calls") {
        val both = CountDownLatch(2)
        val response = calling(listOf(call("a", "slow", """{"name":"1"}"""), call("b", "slow", """{"name":"2"}"""))).ask {
            tool("slow", "") { city: City ->
                both.countDown()
                check(both.await(5, SECONDS)) { "the other call did not run meanwhile" }
                city.name
            }
        }
        response.text shouldBe "1, 2"
    }

    test("no more tools run at the same time than maxParallelTools") {
        val running = AtomicInteger()
        val most = AtomicInteger()
        val calls = (1..20).map { call("c$it", "count") }
        calling(calls).ask {
            maxParallelTools = 3
            tool("count", "") { _: JsonObject ->
                most.accumulateAndGet(running.incrementAndGet(), ::maxOf)
                Thread.sleep(2)
                running.decrementAndGet()
                "ok"
            }
        }
        (most.get() <= 3) shouldBe true
    }

    context("whatever goes wrong with a tool is the result of its call:") {
        suspend fun resultOf(arguments: String = """{"name":"Paris"}""", name: String = "weather", block: ChatRequestBuilder.() -> Unit): Part.ToolResult {
            val model = calling(listOf(call("c1", name, arguments)))
            model.ask(block)
            return model.requests.last().results().single()
        }

        test("an exception") {
            val result = resultOf { weather { error("no such city") } }
            result.isError shouldBe true
            result.text shouldBe "The tool failed: no such city"
        }

        test("an Error") { resultOf { weather { throw StackOverflowError() } }.text shouldBe "The tool failed: StackOverflowError" }

        test("a CancellationException of its own") {
            resultOf { weather { throw CancellationException("mine") } }.isError shouldBe true
        }

        test("a time-out of its own") {
            resultOf { weather { withTimeout(1.milliseconds) { awaitCancellation() } } }.isError shouldBe true
        }

        test("one that suspends for ever") {
            resultOf {
                toolTimeout(30.milliseconds)
                weather { awaitCancellation() }
            }.text shouldBe "The tool did not return within 30ms and was stopped."
        }

        test("one that blocks for ever is interrupted") {
            val interrupted = CompletableDeferred<Boolean>()
            val result = resultOf {
                toolTimeout(30.milliseconds)
                weather {
                    try {
                        CompletableFuture<String>().get()
                    } catch (interrupt: InterruptedException) {
                        interrupted.complete(true)
                        throw interrupt
                    }
                }
            }
            result.text shouldContain "did not return within"
            withTimeout(5.seconds) { interrupted.await() } shouldBe true
        }

        test("a tool that does not exist") {
            resultOf(name = "wether") { weather { "" } }.text shouldBe """There is no tool called "wether". The tools are: weather."""
        }

        test("arguments that are cut are not run") {
            var runs = 0
            val result = resultOf(arguments = """{"name":"Par""") {
                weather {
                    runs++
                    ""
                }
            }
            result.text shouldContain "not a JSON object"
            runs shouldBe 0
        }

        test("arguments of another type") {
            resultOf(arguments = """{"city":"Paris"}""") { weather { "" } }.text shouldContain "$.name is missing"
        }

        test("a result of 10 MB is cut, and says so") {
            val result = resultOf { weather { "x".repeat(10_000_000) } }
            result.text.length shouldBe result.text.substringBefore("\n[").length + result.text.substringAfter("\n[").length + 2
            result.text.substringAfter("\n[") shouldBe "The result had 10000000 characters. Only the first 1000000 are shown.]"
        }

        test("a failure is a warning of the response, too") {
            calling(listOf(paris("a"))).ask { weather { error("no station") } }.warnings shouldContainExactly listOf("the tool weather failed: no station")
        }

        test("an object of a Kotlin class without @Serializable") {
            class Report(val celsius: Int) {
                override fun toString() = "$celsius"
            }
            resultOf { weather { Report(20) } }.text shouldContain "add @Serializable"
        }

        test("a result that would be a name and a number") {
            resultOf { weather { listOf(1).iterator() } }.text shouldContain "wait for its value or collect its elements first"
            resultOf { weather { Any() } }.text shouldContain "return a text, a record or a @Serializable object"
        }

        test("a part that no provider takes as a result") {
            resultOf { weather { Part.Reasoning("hm") } }.text shouldContain "made of texts, images and files"
        }
    }

    context("what a tool returns is its result:") {
        data class Case(val name: String, val value: Any?, val content: List<Part>)
        for (case in listOf(
            Case("a text", "sunny", listOf(Part.Text("sunny"))),
            Case("null", null, listOf(Part.Text("null"))),
            Case("nothing", Unit, listOf(Part.Text("done"))),
            Case("a number", 21.5, listOf(Part.Text("21.5"))),
            Case("a list", listOf(1, 2), listOf(Part.Text("[1,2]"))),
            Case("a map", mapOf("a" to true), listOf(Part.Text("""{"a":true}"""))),
            Case("an image", Part.Image("https://x.test/a.png"), listOf(Part.Image("https://x.test/a.png"))),
            Case("text and image", listOf(Part.Text("a"), Part.Image("https://x.test/a.png")), listOf(Part.Text("a"), Part.Image("https://x.test/a.png"))),
            Case("a serializable object", Weather(1, "x"), listOf(Part.Text("""{"celsius":1,"sky":"x"}"""))),
        )) {
            test(case.name) {
                val model = calling(listOf(paris()))
                model.ask { weather { case.value } }
                model.requests.last().results().single().content shouldContainExactly case.content
            }
        }
    }

    context("what a tool with a declared type of result returns is written by that type:") {
        data class Case(val name: String, val text: String, val tool: ChatRequestBuilder.() -> Unit)
        for (case in listOf(
            Case("null", "null") { tool("weather", "") { city: City -> city.name.toIntOrNull() } },
            Case("a null object", "null") { tool("weather", "") { city: City -> Weather(1, "x").takeIf { city.name.isEmpty() } } },
            Case("nothing", "done") { tool("weather", "") { _: City -> } },
            Case("an integer", "5") { tool("weather", "") { city: City -> city.name.length } },
            Case("a boolean", "true") { tool("weather", "") { city: City -> city.name == "Paris" } },
            Case("a text with quotation marks", "a \"b\"") { tool("weather", "") { _: City -> "a \"b\"" } },
            Case("an empty text", "") { tool("weather", "") { _: City -> "" } },
            Case("a list of texts", """["a","b"]""") { tool("weather", "") { _: City -> listOf("a", "b") } },
            Case("a list of objects", """[{"celsius":1,"sky":"x"}]""") { tool("weather", "") { _: City -> listOf(Weather(1, "x")) } },
            Case("an empty list", "[]") { tool("weather", "") { _: City -> emptyList<Weather>() } },
            Case("an array", "[1,2]") { tool("weather", "") { _: City -> intArrayOf(1, 2) } },
            Case("a map of nulls", """{"a":null}""") { tool("weather", "") { _: City -> mapOf<String, Int?>("a" to null) } },
        )) {
            test(case.name) {
                val model = calling(listOf(paris()))
                model.ask(case.tool)
                val result = model.requests.last().results().single()
                result.isError shouldBe false
                result.text shouldBe case.text
            }
        }
    }

    context("a name that providers refuse is refused where the tool is made, with one that is valid:") {
        data class Case(val name: String, val valid: String?)
        for (case in listOf(
            Case("get weather", "get_weather"),
            Case("weather.today", "weather_today"),
            Case("wetter-für-heute", "wetter-f_r-heute"),
            Case("", null),
            Case("a".repeat(65), "a".repeat(64)),
            Case("weather\n", "weather"),
        )) {
            test("\"${case.name.take(20)}\"") {
                val failure = shouldThrow<IllegalArgumentException> { Tool.of(case.name, null, """{"type":"object"}""") }
                failure.message.shouldNotBeNull() shouldContain "\"${case.name}\""
                case.valid?.let { failure.message.shouldNotBeNull() shouldContain "Call it \"$it\"" }
                shouldThrow<IllegalArgumentException> { ChatRequest.build("test/tools") { tool(case.name, "") { city: City -> city.name } } }
            }
        }
        for (name in listOf("a", "get_weather-2", "0", "_", "a".repeat(64))) {
            test("$name is valid") { Tool.of(name, null, """{"type":"object"}""").name shouldBe name }
        }
    }

    test("two tools of one name are refused where the second is added, also in a request that has the first") {
        val request = ChatRequest.build("test/tools") { weather { "sunny" } }
        val failure = shouldThrow<IllegalArgumentException> { request.with { tool("weather", "another", """{"type":"object"}""") } }
        failure.message.shouldNotBeNull() shouldContain "two tools called \"weather\""
        request.with { tool("Weather", "another", """{"type":"object"}""") }.tools shouldHaveSize 2
    }

    test("a model that always calls tools ends at maxIterations, and its last calls are not run") {
        var runs = 0
        val response = calling(*Array(20) { listOf(paris("c$it")) }).ask {
            maxIterations = 3
            weather { runs++ }
        }
        runs shouldBe 2
        response.finishReason shouldBe FinishReason(FinishReason.Kind.MAX_ITERATIONS, "tool_calls")
        response.steps shouldHaveSize 2
        response.toolCalls.map { it.id } shouldContainExactly listOf("c2")
        response.warnings.single() shouldContain "the limit"
    }

    test("the limit comes from the call, else the client, else the variable MAX_ITERATIONS, else 10") {
        val endless = Array(20) { listOf(paris("c$it")) }
        suspend fun steps(llm: dev.unifiedllm.Llm, own: Int? = null) = llm.use {
            it.chat(calling(*endless)) {
                user("hi")
                maxIterations = own
                weather { "" }
            }.await().steps.size + 1
        }
        steps(client()) shouldBe 10
        steps(client("MAX_ITERATIONS" to "4")) shouldBe 4
        steps(client("MAX_ITERATIONS" to "4") { maxIterations = 5 }) shouldBe 5
        steps(client("MAX_ITERATIONS" to "4") { maxIterations = 5 }, own = 6) shouldBe 6
        shouldThrow<LlmException.Configuration> { client("MAX_ITERATIONS" to "many") }.message shouldContain "MAX_ITERATIONS"
    }

    context("calls are not run") {
        for (kind in FinishReason.Kind.entries - setOf(FinishReason.Kind.TOOL_CALLS, FinishReason.Kind.STOP, FinishReason.Kind.UNKNOWN)) {
            test("of a response that ended with $kind") {
                var runs = 0
                val response = calling(listOf(paris()), reason = FinishReason(kind)).ask { weather { runs++ } }
                runs shouldBe 0
                response.finishReason?.kind shouldBe kind
                response.toolCalls shouldHaveSize 1
            }
        }

        test("of a tool without a function, which ends the loop") {
            var runs = 0
            val response = calling(listOf(paris(), call("c2", "mine"))).ask {
                weather { runs++ }
                tool("mine", "run by the caller", """{"type":"object"}""")
            }
            runs shouldBe 0
            response.toolCalls.map { it.name } shouldContainExactly listOf("weather", "mine")
            response.finishReason?.kind shouldBe FinishReason.Kind.TOOL_CALLS
        }

        test("that the user does not approve") {
            var runs = 0
            val model = calling(listOf(paris("a"), paris("b")))
            model.ask {
                approve { it.id == "b" }
                weather {
                    runs++
                    "sunny"
                }
            }
            runs shouldBe 1
            model.requests.last().results().map { it.text } shouldContainExactly
                listOf("The user did not approve this call, so it was not run.", "sunny")
        }
    }

    test("calls that end with stop are run, too") {
        calling(listOf(paris()), reason = FinishReason.STOP).ask { weather { "sunny" } }.text shouldBe "sunny"
    }

    test("a tool that must not be called is not run, and the response says so") {
        val asked = mutableListOf<String>()
        val response = calling(listOf(paris("a"))).ask {
            toolChoice = ToolChoice.None
            weather { it.name.also(asked::add) }
        }
        asked.shouldBeEmpty()
        response.toolCalls.map { it.name } shouldContainExactly listOf("weather")
        response.warnings.single() shouldContain "although toolChoice is None"
    }

    test("a choice of a tool that is not there is not sent") {
        val model = calling(listOf(paris("a")))
        val failure = shouldThrow<LlmException.InvalidRequest> {
            model.ask {
                toolChoice = ToolChoice.Named("wether")
                weather { "sunny" }
            }
        }
        failure.message!! shouldContain "Its tools are: weather."
        model.requests.shouldBeEmpty()
        calling(emptyList()).ask {
            toolChoice = ToolChoice.Named("web_search")
            providerOptions { putJson("tools", """[{"type":"web_search_20250305","name":"web_search"}]""") }
        }.text shouldBe "Looking. "
    }

    test("a required tool is required once") {
        val model = calling(listOf(paris()))
        model.ask {
            toolChoice = ToolChoice.Required
            weather { "sunny" }
        }
        model.requests.map { it.toolChoice } shouldContainExactly listOf(ToolChoice.Required, ToolChoice.Auto)
    }

    test("a tool may call a model itself, suspending or blocking") {
        client().use { llm ->
            val inner = Scripted("test/inner") { says(ModelId.parse("test/inner"), "inner") }
            val response = llm.chat(calling(listOf(paris("a"), call("b", "blocking")))) {
                user("hi")
                weather { llm.chat(inner, "x").await().text }
                tool("blocking", "") { _: JsonObject -> llm.chat(inner, "x").get() }
            }.get()
            response.text shouldBe "inner, inner"
        }
    }

    test("1,000 calls in one response all run") {
        val runs = AtomicInteger()
        val response = calling((1..1000).map { call("c$it", "count") }).ask { tool("count", "") { _: JsonObject -> runs.incrementAndGet() } }
        runs.get() shouldBe 1000
        response.messages.count { it.role == Role.TOOL } shouldBe 1000
    }

    test("cancelling interrupts the tool, and the partial response has the steps so far") {
        val started = CompletableFuture<Unit>()
        val interrupted = CompletableFuture<Unit>()
        client().use { llm ->
            val reply = llm.chat(calling(listOf(paris("a")), listOf(call("b", "hang")))) {
                user("hi")
                weather { "sunny" }
                tool("hang", "") { _: JsonObject ->
                    started.complete(Unit)
                    try {
                        CountDownLatch(1).await()
                    } catch (_: InterruptedException) {
                        interrupted.complete(Unit)
                    }
                }
            }
            val future = reply.toFuture()
            started.get(5, SECONDS)
            reply.cancel()
            shouldThrow<Exception> { future.get(5, SECONDS) }
            interrupted.get(5, SECONDS)
            val partial = reply.partial.shouldNotBeNull()
            // no empty message for the step that had not begun: many APIs refuse one
            partial.messages.map { it.role } shouldContainExactly listOf(Role.ASSISTANT, Role.TOOL, Role.ASSISTANT)
        }
    }

    test("a failure of a later step is the failure of the call, with the earlier steps in its partial response") {
        val model = Scripted("test/tools") { request ->
            if (request.results().isNotEmpty()) throw LlmException.ServerError("down", details = LlmException.Details(ID))
            emit(Delta.Start("r", ID))
            emit(Delta.ToolCallDelta(0, "c1", "weather", """{"name":"Paris"}"""))
            emit(Delta.Finish(toolCalls, Usage.of(1, 1)))
        }
        val failure = shouldThrow<LlmException.ServerError> { model.ask { weather { "sunny" } } }
        failure.partial.shouldNotBeNull().steps shouldHaveSize 1
        failure.partial!!.messages.map { it.role } shouldContainExactly listOf(Role.ASSISTANT, Role.TOOL)
    }

    test("a conversation keeps all turns of the loop") {
        client().use { llm ->
            val talk = llm.conversation(calling(listOf(paris()))) { weather { "sunny" } }
            talk.ask("How is it?").await()
            talk.messages.map { it.role } shouldContainExactly listOf(Role.USER, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT)
        }
    }

    test("a schema that is open at some place is told once") {
        @Serializable
        data class Open(val labels: Map<String, String>)
        val response = calling(listOf(call("c", "label", """{"labels":{"a":"b"}}"""))).ask { tool("label", "") { open: Open -> open.labels } }
        response.warnings.single() shouldMatch ".*label is open at \\$.labels.*"
    }
})
