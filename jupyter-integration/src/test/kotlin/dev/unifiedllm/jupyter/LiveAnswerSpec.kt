package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.longs.shouldBeLessThan
import io.kotest.matchers.longs.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.delay
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TestTimeSource

private class Growing(question: String? = null) {
    val time = TestTimeSource()
    val live = LiveAnswer(gpt, question, time)

    fun add(vararg deltas: Delta) = apply { deltas.forEach(live::add) }

    val page: Page get() = live.rendered().page()

    val footer: String get() = page.footer
}

private fun java(millis: Long) = java.time.Duration.ofMillis(millis)

@OptIn(ExperimentalCoroutinesApi::class)
class LiveAnswerSpec : FunSpec({
    test("the phases of a call, with the time that has passed") {
        val answer = Growing()
        answer.footer shouldBe "openai/gpt-4o · connecting"
        answer.time += 1_500.milliseconds
        answer.footer shouldBe "openai/gpt-4o · connecting · 1 s"
        answer.add(Delta.Waiting(gpt, "a limit of 3 requests a minute", java(12_000))).footer shouldBe
            "openai/gpt-4o · queued: a limit of 3 requests a minute, 12 s left · 1 s"
        answer.time += 5.seconds
        answer.footer shouldBe "openai/gpt-4o · queued: a limit of 3 requests a minute, 7 s left · 6 s"
        answer.add(Delta.Attempt(gpt, LlmException.Overloaded("busy"), java(2_000))).footer shouldBe "trying again, 2 s left · 6 s"
        answer.add(start()).footer shouldBe "openai/gpt-4o · waiting for the first token · 6 s"
        answer.add(Delta.Reasoning("Hm")).footer shouldBe "openai/gpt-4o · thinking · 6 s"
        answer.time += 3.seconds
        answer.add(Delta.Text("Yes")).footer shouldBe "openai/gpt-4o · streaming · 9 s"
        answer.page.texts(".ullm-reasoning summary") shouldContainExactly listOf("Thinking (2 characters, 3.0 s)")
    }

    test("the phases of a tool loop, and how long the tools ran") {
        val answer = Growing().add(start(), Delta.ToolCallDelta(0, "c1", "weather", "{}"))
        answer.footer shouldBe "openai/gpt-4o · calling weather"
        answer.add(Delta.StepFinish(0, FinishReason(FinishReason.Kind.TOOL_CALLS), null, Cost.Free)).footer shouldBe "openai/gpt-4o · running tools"
        answer.page.texts(".ullm-result") shouldContainExactly listOf("running…")
        answer.add(Delta.ToolResult("c1", "weather", listOf(Part.Text("sunny")), java(420))).footer shouldBe "openai/gpt-4o · waiting for the answer"
        answer.page.texts(".ullm-result") shouldContainExactly listOf("→ sunny · 0.42 s")
        answer.live.facts().toolTimes shouldContainExactly listOf(420.milliseconds)
    }

    test("complete blocks are Markdown, the rest is plain; the mark is at the end of the text") {
        val page = Growing().add(start(), Delta.Text("**A** <b>\n\n**op")).page
        page.all(".ullm-text p strong").map { it.text() } shouldContainExactly listOf("A")
        page.answer.wholeText() shouldContain "**op"
        page.all(".ullm-plain > .ullm-caret").size shouldBe 1
        page.state shouldBe "streaming"
    }

    test("a text that starts again, and the text of the next step, replace the one before") {
        val answer = Growing().add(start(), Delta.Text("Wrong"), Delta.Reset)
        answer.page.answer.wholeText() shouldNotContain "Wrong"
        answer.add(start(), Delta.Text("Right")).page.answer.wholeText() shouldBe "Right"
        answer.add(Delta.StepFinish(0, FinishReason.STOP, null, Cost.Free), start(), Delta.Text("Next")).page.answer.wholeText() shouldBe "Next"
    }

    test("a card is due when the phase changes, for new text, and once a second") {
        val answer = Growing()
        answer.live.isDue().shouldBeFalse()
        answer.time += 1.seconds
        answer.live.isDue().shouldBeTrue()
        answer.live.rendered()
        answer.add(start(), Delta.Text("x".repeat(4_000)))
        answer.live.isDue().shouldBeFalse() // within a millisecond
        answer.time += 53.milliseconds
        answer.live.isDue().shouldBeTrue()
        answer.live.rendered()
        answer.time += 53.milliseconds
        answer.add(Delta.Text("y"))
        answer.live.isDue().shouldBeFalse() // one letter of a text of 4,000
        answer.add(Delta.Text("y".repeat(200)))
        answer.live.isDue().shouldBeTrue()
    }

    context("20,000 words send a few megabytes in all, at any speed") {
        withData(25L to 8_000_000L, 10L to 8_000_000L, 1L to 6_000_000L) { (pause, limit) ->
            virtualCell { llm ->
                val model = FakeModel {
                    repeat(20_000) {
                        emit(Delta.Text(if (it % 80 == 79) "word.\n\n" else "words "))
                        delay(pause)
                    }
                    emit(finish())
                }
                val output = FakeOutput(this)
                follow(llm.chat(model, "?"), output, clock)
                output.updates.sumOf { it.second.html.length.toLong() + it.second.text.length } shouldBeLessThan limit
                val longest = (listOf(0L) + output.times).zipWithNext { a, b -> b - a }.max()
                longest shouldBeLessThanOrEqual 17_000L
            }
        }
    }

    test("while nothing arrives the card is updated once a second, with the time") {
        virtualCell { llm ->
            val model = FakeModel {
                delay(10_000)
                emit(Delta.Text("x"))
                emit(finish())
            }
            val output = FakeOutput(this)
            follow(llm.chat(model, "?"), output, clock)
            val waiting = output.updates.map { it.second.page() }.filter { it.state == "waiting" }.map { it.footer }
            waiting.last() shouldBe "fake/model · waiting for the first token · 9 s"
            (waiting.size <= 12).shouldBeTrue()
        }
    }

    test("the plain text of a growing card is short") {
        val text = Growing().add(start(), Delta.Text("x".repeat(50_000))).live.rendered().text
        text shouldStartWith "… xxx"
        (text.length < 1_200).shouldBeTrue()
    }

    test("the question is one grey line; a long one, or one of several lines, is folded") {
        Growing("Why?").page.texts(".ullm-question") shouldContainExactly listOf("Why?")
        val long = "x".repeat(300)
        Growing(long).page.texts(".ullm-question summary") shouldContainExactly listOf("x".repeat(200) + "…")
        Growing(long).page.texts(".ullm-question div") shouldContainExactly listOf(long)
        Growing("One\n<two>").page.texts(".ullm-question summary") shouldContainExactly listOf("One …")
        Growing("One\n<two>").page.texts(".ullm-question div") shouldContainExactly listOf("One\n<two>")
        Growing().page.all(".ullm-question").shouldBeEmpty()
    }

    test("an update of a card with 10 kB of text takes less than 2 ms") {
        val answer = Growing("Why?").add(start(), Delta.Text("A paragraph with **bold** words and `code` in it.\n\n".repeat(200)))
        repeat(500) { answer.live.rendered() }
        val begin = System.nanoTime()
        repeat(200) { answer.live.rendered() }
        val each = (System.nanoTime() - begin) / 200
        each shouldBeLessThan 2_000_000L
    }

    test("the name of a model that answers in place of another is shown while it streams") {
        val answer = Growing().add(Delta.Attempt(gpt, LlmException.Overloaded("busy")), start(ModelId("groq", "x")), Delta.Text("y"))
        answer.page.texts(".ullm-note") shouldContainExactly listOf("openai/gpt-4o failed (Overloaded), tried groq/x instead")
        answer.footer shouldBe "groq/x · streaming"
    }
})
