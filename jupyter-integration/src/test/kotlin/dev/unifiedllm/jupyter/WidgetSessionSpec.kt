package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Role
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeInRange
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject

private val slow get() = ScriptedModel { request ->
    repeat(10) {
        delay(100)
        emit(Delta.Text("w$it "))
    }
    emit(finish())
}

/** The state of a chat widget under its commands. */
@OptIn(ExperimentalCoroutinesApi::class)
class WidgetSessionSpec : FunSpec({
    test("a message is answered: the question and an empty answer at once, then deltas, then one end, then the state without a running answer") {
        widgetTest(slow) {
            send("hi", "q")
            front.shown() shouldContainExactly listOf("user done: hi", "assistant streaming: ")
            front.state["running"] shouldBe json("requestId" to "q", "messageId" to front.messages[1].text("id"))
            settle()
            front.frames("end").single().text("requestId") shouldBe "q"
            front.frames.last().text("type") shouldBe "end"
            front.shown() shouldContainExactly listOf("user done: hi", "assistant done: w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 ")
            front.state["running"] shouldBe JsonNull
            front.state["phase"] shouldBe JsonNull
            val text = front.frames("delta").flatMap { it.parts }.joinToString("") { it.text("text").orEmpty() }
            front.messages[1].words() shouldStartWith text // the rest came with the end
            text shouldStartWith "w0 w1 w2 w3 w4 w5 w6 w7 w8 "
        }
    }

    test("each delta begins where the one before ended, and 10,000 pieces make at most 20 messages a second") {
        val model = ScriptedModel {
            repeat(10_000) {
                delay(1)
                emit(Delta.Text("p$it "))
            }
            emit(finish())
        }
        widgetTest(model) {
            chat("go")
            var length = 0
            for (delta in front.frames("delta")) {
                val part = delta.parts.single()
                part.number("from") shouldBe length
                part.number("index") shouldBe 0
                length += part.text("text")!!.length
            }
            front.messages[1].words() shouldBe (0 until 10_000).joinToString("") { "p$it " }
            val starts = front.frames.indices.filter { front.frames[it].text("type") == "delta" }.map { front.times[it] }
            starts.windowed(21).forEach { (it.last() - it.first()).toInt() shouldBeInRange 1_000..100_000 }
            (front.frames("delta").size in 150..200) shouldBe true
        }
    }

    test("the second request has the first turn; the usage of each answer is in its message and in the total") {
        val model = echo()
        widgetTest(model) {
            chat("one")
            chat("two")
            model.lastHistory shouldContainExactly listOf("user: one", "assistant: echo one", "user: two")
            session.value.map { it.usage?.outputTokens } shouldContainExactly listOf(null, 20L, null, 20L)
            (front.state["totals"] as JsonObject).text("text") shouldStartWith "2 answers · 20 in + 40 out · "
        }
    }

    test("stop before the first token: the end says stopped, the question is marked, and is not sent with the next one") {
        var calls = 0
        val model = ScriptedModel {
            if (++calls == 1) awaitCancellation()
            emit(Delta.Text("second"))
            emit(finish())
        }
        widgetTest(model) {
            val id = send("first")
            tell("stop", "requestId" to id)
            front.shown() shouldContainExactly listOf("user unanswered: first", "assistant stopped: ")
            front.frames("end").single().text("requestId") shouldBe id
            chat("next")
            model.lastHistory shouldContainExactly listOf("user: next")
        }
    }

    test("a stopped answer keeps its text, is marked, and is part of the history; nothing of it comes later") {
        val model = slow
        widgetTest(model) {
            val id = send("hi")
            test.advanceTimeBy(350)
            tell("stop", "requestId" to id)
            front.shown().last() shouldBe "assistant stopped: w0 w1 w2 "
            front.messages[1].text("stateText") shouldBe "Stopped. The answer is not complete."
            val before = front.frames.size
            test.advanceTimeBy(5_000)
            test.runCurrent()
            front.frames.size shouldBe before
            session.value.last().state shouldBe ChatMessage.State.STOPPED
            send("on", "second")
            test.advanceTimeBy(250)
            front.frames.drop(before).mapNotNull { it.text("requestId") }.distinct() shouldContainExactly listOf("second")
            model.lastHistory shouldContainExactly listOf("user: hi", "assistant: w0 w1 w2 ", "user: on")
        }
    }

    test("the stop of another request does nothing") {
        widgetTest(slow) {
            send("hi")
            tell("stop", "requestId" to "older")
            settle()
            front.shown().last() shouldStartWith "assistant done"
        }
    }

    test("a failure: one end with the cause, the question stays and can be sent again") {
        var calls = 0
        val model = ScriptedModel {
            if (++calls == 1) throw LlmException.Overloaded("fake/model is overloaded. Wait a minute, or use another model.")
            emit(Delta.Text("now"))
            emit(finish())
        }
        widgetTest(model) {
            chat("hi")
            val (question, answer) = front.messages
            question.text("state") shouldBe "unanswered"
            answer.text("state") shouldBe "failed"
            val error = answer.getValue("error") as JsonObject
            error.text("title") shouldBe "Overloaded"
            error.text("message") shouldBe "fake/model is overloaded. Wait a minute, or use another model."
            front.frames("end").size shouldBe 1
            tell("regenerate", "requestId" to "again", "messageId" to question.text("id"))
            settle()
            front.shown() shouldContainExactly listOf("user done: hi", "assistant done: now")
        }
    }

    test("a failure after text keeps the text") {
        val model = ScriptedModel {
            emit(Delta.Text("half"))
            delay(100)
            throw LlmException.StreamInterrupted("The connection was lost. Send it again.")
        }
        widgetTest(model) {
            chat("hi")
            front.shown().last() shouldBe "assistant failed: half"
            session.history.map { it.text } shouldContainExactly listOf("hi", "half")
        }
    }

    test("a model that throws anything ends as a failure, too") {
        widgetTest(ScriptedModel { throw StackOverflowError("too deep") }) {
            chat("hi")
            front.frames("end").single()
            front.messages[1].text("state") shouldBe "failed"
        }
    }

    test("a second message while an answer is written is refused with its request id, and changes nothing") {
        val model = slow
        widgetTest(model) {
            send("one")
            send("two", "second")
            val refused = front.frames("refused").single()
            refused.text("requestId") shouldBe "second"
            refused.text("reason") shouldContain "Stop it first"
            settle()
            model.requests.size shouldBe 1
            front.messages.size shouldBe 2
        }
    }

    test("an empty message is refused") {
        widgetTest(echo()) {
            send("  \n")
            front.frames("refused").single().text("reason") shouldBe "The message is empty."
        }
    }

    test("messages of another version, of unknown types and without fields are ignored") {
        val model = echo()
        widgetTest(model) {
            for (v in listOf(0, 2, null)) protocol.receive(json("v" to v, "type" to "send", "requestId" to "q", "text" to "hi"))
            tell("dance")
            listOf("send", "stop", "regenerate", "edit", "delete", "undo", "configure", "approve", "attach", "detach", "file", "export").forEach { tell(it) }
            settle()
            model.requests.shouldBeEmpty()
            session.value.shouldBeEmpty()
        }
    }

    test("two widgets do not mix: each answer is in its own") {
        widgetTest(echo()) {
            val first = this
            val other = FakeFront(test)
            val second = WidgetSession(WidgetOptions(session.options.model), ModelAnswerer { error("not asked") }, scope, config = WidgetConfig())
            second.port = other
            first.chat("hi")
            second.value.shouldBeEmpty()
            other.frames.shouldBeEmpty()
        }
    }

    test("the full state while an answer grows has its text so far, and the next delta goes on from there") {
        widgetTest(slow) {
            send("hi")
            test.advanceTimeBy(330)
            tell("refresh")
            front.shown().last() shouldBe "assistant streaming: w0 w1 w2 "
            val before = front.frames.size
            test.advanceTimeBy(200)
            front.frames.drop(before).first { it.text("type") == "delta" }.parts.single().number("from") shouldBe "w0 w1 w2 ".length
        }
    }

    test("the end of the kernel stops the answer, with an end") {
        widgetTest(slow) {
            send("hi")
            test.advanceTimeBy(250)
            scope.cancel()
            test.runCurrent()
            front.frames("end").size shouldBe 1
            front.shown().last() shouldBe "assistant stopped: w0 w1 "
        }
    }

    test("append adds messages that the next request sends; reset removes all and stops") {
        val model = slow
        widgetTest(model) {
            session.append(Message.system("Be brief."))
            session.append(Message.assistant("Welcome!"))
            front.shown() shouldContainExactly listOf("system done: Be brief.", "assistant done: Welcome!")
            send("hi")
            model.lastHistory shouldContainExactly listOf("system: Be brief.", "assistant: Welcome!", "user: hi")
            shouldThrow<IllegalStateException> { session.append(Message.user("x")) }.message shouldContain "stop()"
            session.reset()
            settle()
            front.messages.shouldBeEmpty()
            front.state["running"] shouldBe JsonNull
            front.frames("end").size shouldBe 1
            session.value.shouldBeEmpty()
        }
    }

    test("a disabled widget refuses, and takes messages again when it is enabled") {
        widgetTest(echo()) {
            session.isDisabled = true
            (front.state["options"] as JsonObject).flag("disabled") shouldBe true
            send("hi")
            front.frames("refused").single().text("reason") shouldBe "The chat is disabled."
            session.isDisabled = false
            chat("hi")
            front.messages.size shouldBe 2
        }
    }

    test("value has the growing answer, with its state") {
        widgetTest(slow) {
            send("hi")
            test.advanceTimeBy(250)
            session.value.map { it.role to it.state } shouldContainExactly
                listOf(Role.USER to ChatMessage.State.DONE, Role.ASSISTANT to ChatMessage.State.STREAMING)
            session.value.last().text shouldBe "w0 w1 "
            session.turn.shouldNotBeNull().isStopped.shouldBeFalse()
        }
    }
})
