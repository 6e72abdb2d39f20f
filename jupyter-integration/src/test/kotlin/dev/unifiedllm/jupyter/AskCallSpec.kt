package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent

private fun slow() = ScriptedModel { request ->
    repeat(10) {
        delay(100)
        emit(Delta.Text("${request.messages.last().text}$it "))
    }
    emit(finish())
}

private class Output : CellOutput {
    val cards = mutableListOf<Rendered>()

    override fun show(rendered: Rendered) {
        cards += rendered
    }

    override fun update(rendered: Rendered) {
        cards += rendered
    }
}

private fun WidgetTest.ask(text: String) = AskCall(session, Message.user(text), scope)

/** `chat.ask("…")` of a cell. */
@OptIn(ExperimentalCoroutinesApi::class)
class AskCallSpec : FunSpec({
    test("nothing is sent before the first terminal; then the answer is in the widget, too, and comes once") {
        val model = slow()
        widgetTest(model) {
            val call = ask("a")
            settle()
            model.requests.shouldBeEmpty()
            val first = test.async { call.await() }
            val second = test.async { call.await() }
            settle()
            first.await().text shouldBe second.await().text
            model.requests.size shouldBe 1
            front.shown().map { it.substringBefore(':') } shouldContainExactly listOf("user done", "assistant done")
        }
    }

    test("it waits for an answer that is being written") {
        val model = slow()
        widgetTest(model) {
            send("a")
            val call = test.async { ask("b").await() }
            test.advanceTimeBy(500)
            model.requests.size shouldBe 1
            settle()
            call.await().text.substringBefore(' ') shouldBe "b0"
            model.requests.size shouldBe 2
        }
    }

    test("it shows a card that grows in the cell") {
        widgetTest(slow()) {
            val output = Output()
            val cell = test.launch { ask("a").follow(output) }
            settle()
            cell.join()
            output.cards.size shouldBeGreaterThan 3
            output.cards.first().html shouldContain "data-state=\"waiting\""
            output.cards.last().html shouldContain "data-state=\"done\""
            output.cards.last().text shouldContain "a0 a1 a2"
        }
    }

    test("an interrupted cell stops the answer, and what had arrived stays") {
        widgetTest(slow()) {
            val output = Output()
            val cell = test.launch { ask("a").follow(output) }
            test.advanceTimeBy(350)
            cell.cancelAndJoin()
            settle()
            front.shown().last() shouldBe "assistant stopped: a0 a1 a2 "
            session.turn shouldBe null
            output.cards.last().html shouldContain "data-state=\"stopped\""
            output.cards.last().text shouldContain "~"
            output.cards.last().text shouldContain Regex("in \\+ ~?\\d+ out")
        }
    }

    test("settings that are wrong are thrown, once, and the card says it; they do not keep the thread busy") {
        for (wrong in listOf(IllegalArgumentException("temperature must be lower."), NotImplementedError("no settings yet"))) {
            var builds = 0
            val model = slow()
            val options = WidgetOptions(model) {
                builds++
                throw wrong
            }
            widgetTest(model, options) {
                shouldThrow<Throwable> { session.ask(Message.user("a")) }.message shouldBe wrong.message
                val result = test.async { runCatching { ask("a").await() } }
                test.runCurrent()
                result.await().exceptionOrNull()?.message shouldBe wrong.message
                val output = Output()
                val cell = test.async { runCatching { ask("a").follow(output) } }
                test.runCurrent()
                cell.await().exceptionOrNull()?.message shouldBe wrong.message
                output.cards.last().html shouldContain "data-state=\"failed\""
                output.cards.last().text shouldContain wrong.message!!.removeSuffix(".")
                builds shouldBe 3
                session.value.shouldBeEmpty()
                session.turn shouldBe null
            }
        }
    }

    test("a call that was cancelled before it is shown has the card of a stopped one") {
        widgetTest(slow()) {
            val output = Output()
            val call = ask("a").apply { cancel() }
            val cell = test.async { runCatching { call.follow(output) } }
            test.runCurrent()
            (cell.await().exceptionOrNull() is LlmException.Cancelled) shouldBe true
            output.cards.last().html shouldContain "data-state=\"stopped\""
        }
    }

    test("an answer that is stopped in the widget while the cell shows it has its tokens in the cell, too") {
        widgetTest(slow()) {
            val output = Output()
            val cell = test.async { runCatching { ask("a").follow(output) } }
            test.advanceTimeBy(350)
            tell("stop", "requestId" to session.turn?.requestId)
            settle()
            (cell.await().exceptionOrNull() is LlmException.Cancelled) shouldBe true
            output.cards.last().html shouldContain "data-state=\"stopped\""
            output.cards.last().text shouldContain Regex("in \\+ ~?\\d+ out")
        }
    }

    test("a failed answer is thrown, a stopped one as Cancelled") {
        widgetTest(ScriptedModel { throw LlmException.Overloaded("Overloaded. Wait.") }) {
            val call = test.async { runCatching { ask("a").await() } }
            settle()
            call.await().exceptionOrNull()?.message shouldBe "Overloaded. Wait."
        }
        widgetTest(slow()) {
            val call = ask("a")
            val result = test.async { runCatching { call.await() } }
            test.advanceTimeBy(150)
            call.cancel()
            settle()
            (result.await().exceptionOrNull() is LlmException.Cancelled) shouldBe true
        }
    }

    test("a call that is cancelled before it is sent sends nothing") {
        val model = slow()
        widgetTest(model) {
            val call = ask("a")
            call.cancel()
            val result = test.async { runCatching { call.await() } }
            settle()
            (result.await().exceptionOrNull() is LlmException.Cancelled) shouldBe true
            model.requests.shouldBeEmpty()
        }
    }

    test("a disabled chat refuses") {
        widgetTest(slow()) {
            session.isDisabled = true
            val result = test.async { runCatching { ask("a").await() } }
            test.runCurrent()
            shouldThrow<IllegalStateException> { result.await().getOrThrow() }.message shouldContain "disabled = false"
            val output = Output()
            val cell = test.async { runCatching { ask("a").follow(output) } }
            test.runCurrent()
            cell.await().isFailure shouldBe true
            output.cards.last().html shouldContain "data-state=\"failed\""
        }
    }
})
