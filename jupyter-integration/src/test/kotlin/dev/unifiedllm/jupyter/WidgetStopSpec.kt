package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Role
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.Runnable
import kotlinx.coroutines.delay
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlin.coroutines.CoroutineContext

private val slow get() = ScriptedModel {
    repeat(10) {
        delay(100)
        emit(Delta.Text("**w$it** "))
    }
    emit(finish())
}

/** A model that goes on for a while after it was stopped. */
private fun stubborn(milliseconds: Long) = ScriptedModel {
    emit(Delta.Text("a"))
    try {
        delay(10_000)
    } finally {
        withContext(NonCancellable) { delay(milliseconds) }
    }
}

/** Keeps what is to run. */
private class Kept : CoroutineDispatcher() {
    val tasks = mutableListOf<Runnable>()

    override fun dispatch(context: CoroutineContext, block: Runnable) {
        tasks += block
    }
}

/** The ends of answers in a chat widget: stops, and what is told after an end. */
@OptIn(ExperimentalCoroutinesApi::class)
class WidgetStopSpec : FunSpec({
    test("a stopped answer has its estimated tokens, in the message, in the footer and in the total") {
        widgetTest(slow) {
            val id = send("hi")
            test.advanceTimeBy(350)
            tell("stop", "requestId" to id)
            session.value.last().usage.shouldNotBeNull().estimated.shouldBeTrue()
            val ended = front.frames("end").single()
            (ended.getValue("message") as JsonObject).text("footer").orEmpty() shouldContain " out"
            (ended.getValue("totals") as JsonObject).text("text").orEmpty() shouldStartWith "1 answer · "
            (front.state["totals"] as JsonObject).text("text").orEmpty() shouldContain " out"
        }
    }

    test("a stopped answer is rendered to its end") {
        widgetTest(slow) {
            val id = send("hi")
            test.advanceTimeBy(250)
            tell("stop", "requestId" to id)
            val part = front.messages.last().parts.single()
            part.text("html").orEmpty() shouldContain "<strong>w1</strong>"
            part.number("upTo") shouldBe part.text("text")!!.length
        }
    }

    test("a call that does not end after a stop is not waited for longer than 300 ms") {
        widgetTest(stubborn(5_000)) {
            val id = send("hi")
            test.advanceTimeBy(50)
            tell("stop", "requestId" to id)
            test.advanceTimeBy(290)
            front.frames("end").shouldBeEmpty()
            test.advanceTimeBy(20)
            front.frames("end").single()
            front.shown().last() shouldBe "assistant stopped: a"
        }
    }

    test("after stop() by code the next message can be added at once; the tokens come when the call has ended") {
        widgetTest(stubborn(200)) {
            send("hi")
            test.advanceTimeBy(50)
            session.stop()
            front.state["running"] shouldBe JsonNull
            session.append(Message.user("more"))
            front.shown() shouldContainExactly listOf("user done: hi", "assistant stopped: a", "user done: more")
            front.frames("end").size shouldBe 1
            session.value[1].usage shouldBe null
            settle()
            session.value.map { it.state } shouldContainExactly
                listOf(ChatMessage.State.DONE, ChatMessage.State.STOPPED, ChatMessage.State.DONE)
            session.value[1].usage.shouldNotBeNull()
            front.messages[1].text("footer").orEmpty() shouldContain " out"
            front.frames("end").size shouldBe 1
        }
    }

    test("after reset() by code, too, and nothing of the old answer comes back") {
        val told = mutableListOf<Int>()
        val model = stubborn(200)
        widgetTest(model, WidgetOptions(model, onMessage = { told += it.size })) {
            send("hi")
            test.advanceTimeBy(50)
            session.reset()
            session.append(Message.user("new"))
            settle()
            front.shown() shouldContainExactly listOf("user done: new")
            told.shouldBeEmpty()
        }
    }

    test("an answer that begins while the one before still ends is not disturbed by that end") {
        var calls = 0
        val model = ScriptedModel {
            if (++calls == 1) {
                emit(Delta.Text("old"))
                withContext(NonCancellable) { delay(1_000) }
                delay(1)
            } else {
                repeat(10) {
                    delay(100)
                    emit(Delta.Text("n$it "))
                }
                emit(finish())
            }
        }
        widgetTest(model) {
            send("one")
            test.advanceTimeBy(60)
            session.stop()
            send("two", "second")
            settle()
            front.shown() shouldContainExactly
                listOf("user done: one", "assistant stopped: old", "user done: two", "assistant done: " + (0..9).joinToString("") { "n$it " })
            front.frames("end").map { it.text("requestId") } shouldContainExactly listOf("q1", "second")
            model.lastHistory shouldContainExactly listOf("user: one", "assistant: old", "user: two")
        }
    }

    test("the transcript is brought up to date before a cell that waits for the answer goes on") {
        widgetTest(echo()) {
            val order = mutableListOf<String>()
            session.onChange = { order += "transcript of ${session.shown.size} messages" }
            session.ask(Message.user("hi"))!!.end.invokeOnCompletion { order += "end" }
            settle()
            order shouldContainExactly listOf("transcript of 2 messages", "end")
        }
    }

    test("onMessage has the messages at the end of its answer, also if the next turn has begun") {
        val told = mutableListOf<List<String>>()
        val model = echo()
        widgetTest(model, WidgetOptions(model, onMessage = { all -> told += all.map { it.text } })) {
            var asked = 0
            session.onChange = { if (asked++ == 0) session.ask(Message.user("two")) }
            chat("one")
            told shouldContainExactly listOf(listOf("one", "echo one"), listOf("one", "echo one", "two", "echo two"))
        }
    }

    test("calls of onMessage run one after the other, in order") {
        val threads = Kept()
        val told = mutableListOf<Int>()
        val listener = WidgetListener(CoroutineScope(Job()), threads) { told += it.size }
        val message = ChatMessage.of("a", Role.USER, ChatMessage.State.DONE, emptyList())
        repeat(3) { count -> listener.tell(List(count) { message }) }
        threads.tasks.size shouldBe 1
        threads.tasks.removeFirst().run()
        told shouldContainExactly listOf(0, 1, 2)
        listener.tell(emptyList())
        threads.tasks.size shouldBe 1
    }
})
