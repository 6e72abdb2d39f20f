package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainInOrder
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.delay
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.serialization.json.JsonObject
import java.time.Duration
import java.util.concurrent.locks.LockSupport

private val FAKE = ModelId("fake", "model")

private val PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

/** Calls the tool `lookup` first and answers from its result. */
private fun caller() = ScriptedModel { request ->
    if (request.messages.none { message -> message.parts.any { it is Part.ToolResult } }) {
        emit(Delta.Reasoning("I look it up."))
        delay(2_000)
        emit(Delta.Text("Let me look. "))
        emit(Delta.ToolCallDelta(0, "call_1", "lookup", "{\"city\":"))
        emit(Delta.ToolCallDelta(0, null, null, "\"Paris\"}"))
        emit(finish(reason = FinishReason(FinishReason.Kind.TOOL_CALLS)))
    } else {
        emit(Delta.Text("It is sunny."))
        emit(finish())
    }
}

private fun tool(runs: MutableList<String> = mutableListOf(), result: () -> Any? = { "sunny" }): Tool =
    Tool.of("lookup", "Looks up", """{"type":"object"}""") { arguments ->
        runs += arguments.toString()
        result()
    }

private fun options(model: ScriptedModel, tool: Tool, needs: ((Part.ToolCall) -> Boolean)? = null) =
    WidgetOptions(model, needsApproval = needs) { tool(tool) }

/** Waits for what tools do on threads of their own. */
@OptIn(ExperimentalCoroutinesApi::class)
private fun WidgetTest.until(condition: () -> Boolean) {
    val deadline = System.nanoTime() + 20_000_000_000
    while (!condition()) {
        check(System.nanoTime() < deadline) { "nothing happened: ${front.frames}" }
        test.advanceTimeBy(5) // not faster than the tools: their deadlines are in virtual time
        test.runCurrent()
        LockSupport.parkNanos(500_000)
    }
}

private fun WidgetTest.toolStates() = front.frames("message").map { frame ->
    (frame.getValue("message") as JsonObject).parts.firstOrNull { it.text("type") == "tool" }?.text("state")
}

private val WidgetTest.row get() = front.messages.last().parts.single { it.text("type") == "tool" }

/** Tool rows, reasoning, approvals and pictures of a chat widget. */
@OptIn(ExperimentalCoroutinesApi::class)
class WidgetToolsSpec : FunSpec({
    test("an answer with a tool: reasoning with its time, the call with arguments, result and state, the text of both steps") {
        val model = caller()
        widgetTest(model, options(model, tool())) {
            send("weather?")
            until { front.frames("end").isNotEmpty() }
            val parts = front.messages.last().parts
            parts.map { it.text("type") } shouldContainExactly listOf("reasoning", "text", "tool", "text")
            parts[0].getValue("seconds").toString() shouldBe "2.0"
            row.text("name") shouldBe "lookup"
            row.text("arguments") shouldBe """{"city":"Paris"}"""
            row.text("result") shouldBe "sunny"
            row.text("state") shouldBe "done"
            parts[3].text("text") shouldBe "It is sunny."
            session.value.last().messages.map { it.role } shouldContainExactly listOf(Role.ASSISTANT, Role.TOOL, Role.ASSISTANT)
        }
    }

    test("a tool that throws is a failed row, and the answer goes on") {
        val model = caller()
        widgetTest(model, options(model, tool { error("no such city") })) {
            send("weather?")
            until { front.frames("end").isNotEmpty() }
            row.text("state") shouldBe "failed"
            row.text("result").orEmpty() shouldContain "no such city"
            front.messages.last().text("state") shouldBe "done"
        }
    }

    test("a call that needs an approval waits for it, and runs when it is approved") {
        val runs = mutableListOf<String>()
        val model = caller()
        widgetTest(model, options(model, tool(runs)) { true }) {
            val id = send("weather?")
            until { "awaiting" in toolStates() }
            runs.shouldBeEmpty()
            tell("refresh")
            front.state["phase"].toString() shouldContain "waiting for your approval of lookup"
            tell("approve", "requestId" to "another", "callId" to row.text("callId"), "isApproved" to true)
            test.advanceTimeBy(100)
            runs.shouldBeEmpty()
            tell("approve", "requestId" to id, "callId" to row.text("callId"), "isApproved" to true)
            until { front.frames("end").isNotEmpty() }
            runs shouldContainExactly listOf("""{"city":"Paris"}""")
            row.text("state") shouldBe "done"
        }
    }

    test("a denied call is not run, its row says so, and the model is told") {
        val runs = mutableListOf<String>()
        val model = caller()
        widgetTest(model, options(model, tool(runs)) { true }) {
            val id = send("weather?")
            until { "awaiting" in toolStates() }
            tell("refresh")
            tell("approve", "requestId" to id, "callId" to row.text("callId"), "isApproved" to false)
            until { front.frames("end").isNotEmpty() }
            runs.shouldBeEmpty()
            row.text("state") shouldBe "denied"
            model.requests.last().messages.flatMap { it.parts }.filterIsInstance<Part.ToolResult>().single().isError shouldBe true
        }
    }

    test("stopping while a call waits for its approval ends the answer: the row is interrupted, the call is not sent again") {
        val model = caller()
        widgetTest(model, options(model, tool()) { true }) {
            val id = send("weather?")
            until { "awaiting" in toolStates() }
            tell("stop", "requestId" to id)
            until { front.frames("end").isNotEmpty() }
            row.text("state") shouldBe "interrupted"
            session.history.flatMap { it.parts }.filterIsInstance<Part.ToolCall>().shouldBeEmpty()
            session.history.map { it.text } shouldContainExactly listOf("weather?", "Let me look. ")
        }
    }

    test("only the calls that the caller names need an approval") {
        val model = caller()
        widgetTest(model, options(model, tool()) { it.name == "delete" }) {
            send("weather?")
            until { front.frames("end").isNotEmpty() }
            ("awaiting" in toolStates()) shouldBe false
            row.text("state") shouldBe "done"
        }
    }

    test("a call that needs an approval while a cell waits for the answer is not run, and the message says why") {
        val model = caller()
        widgetTest(model, options(model, tool()) { true }, isBusy = { true }) {
            session.ask(Message.user("weather?"))
            until { front.frames("end").isNotEmpty() }
            row.text("state") shouldBe "failed"
            front.messages.last().getValue("notes").toString() shouldContain "needs an approval"
        }
    }

    test("a stopped tool is interrupted") {
        val model = caller()
        val slow = Tool.of("lookup", "Looks up", """{"type":"object"}""") { _ -> awaitCancellation() }
        widgetTest(model, options(model, slow)) {
            val id = send("weather?")
            until { "running" in toolStates() }
            tell("stop", "requestId" to id)
            until { front.frames("end").isNotEmpty() }
            row.text("state") shouldBe "interrupted"
        }
    }

    test("a picture is a file, whose bytes come when they are asked for; one at an address that is not fetched is a link; sources are links") {
        val model = ScriptedModel {
            emit(Delta.Media("image/png", PIXEL))
            emit(Delta.Media("image/png", "http://10.0.0.1/a.png"))
            emit(Delta.Source("https://a.example/", "A"))
            emit(Delta.Source("javascript:alert(1)", "<b>"))
            emit(finish())
        }
        widgetTest(model) {
            chat("draw")
            val parts = front.messages.last().parts
            parts.map { it.text("type") } shouldContainExactly listOf("file", "source", "source", "source")
            parts[0].text("mediaType") shouldBe "image/png"
            parts[0].text("url").shouldBeNull()
            parts.drop(1).map { it.text("url") } shouldContainExactly listOf("http://10.0.0.1/a.png", "https://a.example/", null)
            tell("file", "fileId" to parts[0].text("fileId"))
            front.frames("file").single().text("url") shouldBe PIXEL
            tell("file", "fileId" to "n999")
            front.frames("file").last().text("url").shouldBeNull()
        }
    }

    test("an answer that starts again is replaced") {
        val model = ScriptedModel {
            emit(Delta.Text("wrong"))
            delay(100)
            emit(Delta.Reset)
            emit(Delta.Start("r-9", FAKE))
            delay(100)
            emit(Delta.Text("right"))
            emit(finish())
        }
        widgetTest(model) {
            chat("hi")
            front.messages.last().words() shouldBe "right"
            front.frames("message").map { (it.getValue("message") as JsonObject).words() } shouldContain ""
        }
    }

    test("phases say what the answer waits for") {
        val model = ScriptedModel {
            delay(200)
            emit(Delta.Waiting(FAKE, "waiting for the rate limit of fake", Duration.ofSeconds(3)))
            delay(3_000)
            emit(Delta.Text("x"))
            delay(100)
            emit(finish())
        }
        widgetTest(model) {
            send("hi")
            front.state["phase"].toString() shouldBe "\"connecting\""
            settle()
            front.frames("phase").map { it.text("text") } shouldContainInOrder
                listOf("waiting for the first words", "waiting for the rate limit of fake, 3.0 s", null)
        }
    }

    test("an answer above a million characters is shown up to there, with a note; value has all of it") {
        val model = ScriptedModel {
            repeat(50) {
                emit(Delta.Text("x".repeat(100_000)))
                delay(10)
            }
            emit(finish())
        }
        widgetTest(model) {
            chat("long")
            front.messages.last().words().length shouldBe 1_000_000
            front.messages.last().getValue("notes").toString() shouldContain "4,000,000 more characters are not shown"
            session.value.last().text.length shouldBe 5_000_000
        }
    }

    test("Markdown is rendered block by block, appended, and whole at the end; what is hidden or reordered is visible") {
        val model = ScriptedModel {
            emit(Delta.Text("**a**\n\n"))
            delay(100)
            emit(Delta.Text("<img src=x onerror=alert(1)> \u202Eb"))
            emit(finish())
        }
        widgetTest(model) {
            chat("hi")
            val pieces = front.frames("delta").flatMap { it.parts }
            pieces.first().text("html").orEmpty() shouldContain "<strong>a</strong>"
            val part = front.messages.last().parts.single()
            part.number("upTo") shouldBe part.text("text")!!.length
            part.text("html").orEmpty() shouldContain "&lt;img src=x"
            part.text("text").orEmpty() shouldContain "⟨U+202E⟩b"
        }
    }
})
