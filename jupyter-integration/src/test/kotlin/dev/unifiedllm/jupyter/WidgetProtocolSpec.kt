package dev.unifiedllm.jupyter

import dev.unifiedllm.Conversation
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.delay
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject

/** The envelope of the messages of a chat widget, and those that are no commands. */
@OptIn(ExperimentalCoroutinesApi::class)
class WidgetProtocolSpec : FunSpec({
    test("a ping is answered at once; the kernel tells every 3 s that it is alive, for 60 s after the last ping") {
        widgetTest(echo()) {
            tell("ping", "n" to 7)
            front.frames("pong").single().number("n") shouldBe 7
            test.advanceTimeBy(200_000)
            test.runCurrent()
            front.frames("alive").size shouldBe 20
            front.frames("alive").map { it.flag("busy") }.distinct() shouldContainExactly listOf(false)
            tell("ping", "n" to 8)
            tell("ping", "n" to 9)
            test.advanceTimeBy(3_500)
            front.frames("alive").size shouldBe 21
        }
    }

    test("while a cell runs, which keeps pings waiting, the kernel goes on telling that it is alive and busy") {
        var isBusy = true
        widgetTest(echo(), isBusy = { isBusy }) {
            tell("ping", "n" to 1)
            test.advanceTimeBy(600_000)
            test.runCurrent()
            front.frames("alive").size shouldBe 200
            front.frames("alive").last().flag("busy") shouldBe true
            isBusy = false
            test.advanceTimeBy(10_000)
            front.frames("alive").last().flag("busy") shouldBe false
            front.frames("alive").size shouldBe 201
        }
    }

    test("an export as JSON is a conversation that can be loaded, with the usage of each answer; as Markdown it is a document") {
        widgetTest(echo()) {
            chat("one")
            tell("export", "format" to "json")
            tell("export", "format" to "markdown")
            tell("export", "format" to "docx")
            val (json, markdown) = front.frames("export")
            json.text("name") shouldBe "chat.json"
            Conversation.fromJson(json.text("text")!!).messages.map { it.text } shouldContainExactly listOf("one", "echo one")
            val chat = (Json.parseToJsonElement(json.text("text")!!) as JsonObject).getValue("chat") as JsonArray
            val answer = chat.last() as JsonObject
            (answer.getValue("usage") as JsonObject).number("outputTokens") shouldBe 20
            markdown.text("name") shouldBe "chat.md"
            markdown.text("text").orEmpty() shouldContain "# Chat with fake/model\n\n## You\n\none\n\n## fake/model\n\necho one\n"
            front.frames("export").size shouldBe 2
        }
    }

    test("an export as JSON has the tokens and the cost of the answers, as a saved conversation has") {
        var calls = 0
        val model = ScriptedModel {
            emit(Delta.Text("a"))
            val cost = if (++calls < 3) Cost.Known(Usd.of("0.25"), "user") else Cost.Unknown("no price")
            emit(finish(usage = Usage.of(10, 20).takeIf { calls < 3 }, cost = cost))
        }
        widgetTest(model) {
            repeat(3) { chat("hi") }
            tell("export", "format" to "json")
            val saved = Conversation.fromJson(front.frames("export").single().text("text")!!)
            saved.cost shouldBe Usd.of("0.50")
            saved.unknownCosts shouldBe 1
            saved.usage shouldBe Usage.of(20, 40)
            saved.unknownUsages shouldBe 1
        }
    }

    test("the model of the front end: anywidget's keys beside ours; request_state is answered with all of them") {
        widgetTest(echo()) {
            val sent = mutableListOf<JsonObject>()
            val model = AnyWidget("id-1", session, protocol, sent::add)
            session.port = model
            model.receive(json("method" to "request_state"))
            val state = sent.single().getValue("state") as JsonObject
            sent.single().text("method") shouldBe "update"
            state.keys shouldContainAll listOf("_esm", "_css", "protocol", "messages", "running", "phase", "options", "config", "settings", "totals")
            state.text("_model_name") shouldBe "AnyModel"
            state.text("_anywidget_id") shouldBe "unified-llm.chat.id-1"
            state.text("_esm").orEmpty() shouldContain "export"
            state.text("_css").orEmpty() shouldContain ".ullm-transcript[data-chat=\"id-1\"]"
            model.receive(json("method" to "update", "state" to json("messages" to listOf("forged"))))
            session.value.shouldBeEmpty()
            model.receive(json("method" to "custom", "content" to frame("send", "requestId" to "q", "text" to "hi")))
            settle()
            sent.drop(1).mapNotNull { it.text("method") }.distinct() shouldContainExactly listOf("update", "custom")
            session.value.size shouldBe 2
        }
    }

    test("fault 229: messages of another version, of no known type, or for an answer that has ended change nothing") {
        widgetTest(echo()) {
            chat("one")
            val before = front.shown()
            front.frames.clear()
            protocol.receive(json("v" to 0, "type" to "clear"))
            protocol.receive(json("type" to "clear"))
            protocol.receive(json("v" to "one", "type" to "clear"))
            tell("erase")
            tell("stop", "requestId" to "q1")
            tell("approve", "requestId" to "q1", "callId" to "n1", "isApproved" to true)
            settle()
            front.frames.shouldBeEmpty()
            front.shown() shouldContainExactly before
            chat("two")
            front.shown().size shouldBe 4
        }
    }

    test("updates while a turn runs do not send the ES module again") {
        widgetTest(echo()) {
            chat("hi")
            ("_esm" in front.state) shouldBe false
        }
    }

    test("text that is no well-formed Unicode can be sent, with the same length") {
        json("a" to "x\uD83Dy").text("a") shouldBe "x\uFFFDy"
        json("a" to "\uD83D\uDE00").text("a") shouldBe "\uD83D\uDE00"
    }

    test("half of a character waits for the other half") {
        val model = ScriptedModel {
            emit(Delta.Text("a\uD83D"))
            delay(100)
            emit(Delta.Text("\uDE00"))
            emit(finish())
        }
        widgetTest(model) {
            chat("hi")
            front.frames("delta").first().parts.single().text("text") shouldBe "a"
            front.messages.last().words() shouldBe "a\uD83D\uDE00"
        }
    }

    test("onMessage is told after each answer; what it throws is shown and breaks nothing") {
        val told = mutableListOf<List<String>>()
        val model = echo()
        val options = WidgetOptions(model, onMessage = { all ->
            told += all.map { it.text }
            check(told.size < 2) { "enough" }
        })
        widgetTest(model, options) {
            chat("one")
            chat("two")
            told shouldContainExactly listOf(listOf("one", "echo one"), listOf("one", "echo one", "two", "echo two"))
            front.frames("notice").single().text("text") shouldBe "onMessage failed: enough"
            chat("three")
            told.size shouldBe 3
        }
    }
})
