package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeInRange
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent

private val Rendered.answer: String get() = page().answer.wholeText().trim()

/** Replies that have ended or are shown in several cells, and calls that are no chats: fault 225. */
@OptIn(ExperimentalCoroutinesApi::class)
class SharedReplySpec : FunSpec({
    test("a reply that is done shows its final card at once and sends nothing") {
        virtualCell { llm ->
            val model = FakeModel {
                emit(Delta.Text("**x**"))
                emit(finish())
            }
            val reply = llm.chat(model, "?")
            reply.await()
            val output = FakeOutput(this)
            follow(reply, output, clock)
            model.calls shouldBe 1
            output.states shouldContainExactly listOf("done")
            output.last.html shouldBe finalCard(reply).html
            finalCard(reply).html shouldBe finalCard(reply).html
            llm.costs().single().calls shouldBe 1
        }
    }

    test("a reply that has failed shows its final card at once, and fails again") {
        virtualCell { llm ->
            val model = FakeModel { throw LlmException.Overloaded("busy") }
            val reply = llm.chat(model, "?")
            shouldThrow<LlmException.Overloaded> { reply.await() }
            val output = FakeOutput(this)
            shouldThrow<LlmException.Overloaded> { follow(reply, output, clock) }
            model.calls shouldBe 1
            output.states shouldContainExactly listOf("failed")
        }
    }

    test("showing the state of a reply sends nothing") {
        virtualCell { llm ->
            val model = FakeModel { emit(finish()) }
            val reply = llm.chat(model, "?")
            finalCard(reply).page().state shouldBe "new"
            testScheduler.runCurrent()
            model.calls shouldBe 0
            reply.state shouldBe Reply.State.NEW
        }
    }

    test("two cells that show one reply make one call; the later one begins with the text so far") {
        virtualCell { llm ->
            val model = FakeModel(ModelId("fake", "shared")) {
                repeat(10) {
                    emit(Delta.Text("w$it "))
                    delay(100)
                }
                emit(finish())
            }
            val reply = llm.chat(model, "?")
            val first = FakeOutput(this)
            val second = FakeOutput(this)
            val cell = launch { follow(reply, first, clock) }
            advanceTimeBy(450)
            val other = launch { follow(reply, second, clock) }
            testScheduler.runCurrent()
            second.shown.single().page().state shouldBe "streaming"
            second.shown.single().answer shouldBe "w0 w1 w2 w3 w4"
            finalCard(reply).page().state shouldBe "streaming"
            cell.join()
            other.join()
            model.calls shouldBe 1
            first.last.html shouldBe second.last.html
            first.last.answer.trim() shouldBe "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9"
        }
    }

    test("two cells that stream at once show each its own text") {
        virtualCell { llm ->
            val cells = listOf("a", "b").map { name ->
                val model = FakeModel(ModelId("fake", name)) {
                    repeat(10) {
                        emit(Delta.Text("$name$it "))
                        delay(100)
                    }
                    emit(finish())
                }
                val output = FakeOutput(this)
                output to launch { follow(llm.chat(model, "?"), output, clock) }
            }
            advanceTimeBy(450)
            cells.map { (output) -> output.last.answer } shouldContainExactly listOf("a0 a1 a2 a3 a4", "b0 b1 b2 b3 b4")
            cells.forEach { (_, job) -> job.join() }
            cells.map { (output) -> output.last.answer.trim() } shouldContainExactly
                listOf("a", "b").map { name -> (0 until 10).joinToString(" ") { "$name$it" } }
        }
    }

    test("if one of two cells is stopped, the other one gets the whole response") {
        virtualCell { llm ->
            val model = FakeModel {
                repeat(10) {
                    emit(Delta.Text("w$it "))
                    delay(100)
                }
                emit(finish())
            }
            val reply = llm.chat(model, "?")
            val stopped = FakeOutput(this)
            val whole = FakeOutput(this)
            val cell = launch { follow(reply, stopped, clock) }
            val other = launch { follow(reply, whole, clock) }
            advanceTimeBy(450)
            cell.cancelAndJoin()
            other.join()
            stopped.last.page().state shouldBe "stopped"
            stopped.last.answer shouldBe "w0 w1 w2 w3 w4"
            whole.last.page().state shouldBe "done"
            whole.last.answer.trim() shouldBe "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9"
        }
    }

    test("another call shows that it waits, then its result, and is sent once") {
        virtualCell { llm ->
            val model = FakeModel {
                delay(3_000)
                emit(Delta.Embedding(0, floatArrayOf(1f)))
                emit(finish())
            }
            val output = FakeOutput(this)
            val reply = llm.embed(model, "a")
            follow(reply as Call<*>, output, clock)
            output.states shouldContainExactly listOf("waiting", "done")
            output.last.page().footer shouldStartWith "fake/model · 10 in"
            follow(reply as Call<*>, FakeOutput(this), clock)
            model.calls shouldBe 1
        }
    }

    test("previews of an image replace each other, and the image replaces them") {
        virtualCell { llm ->
            val model = FakeModel {
                emit(Delta.Media("image/gif", "data:image/gif;base64,AAAA", isPartial = true))
                delay(500)
                emit(Delta.Media("image/gif", "data:image/gif;base64,BBBB", isPartial = true))
                delay(500)
                emit(Delta.Media("image/gif", "data:image/gif;base64,CCCC"))
                emit(finish())
            }
            val output = FakeOutput(this)
            follow(llm.image(model, "a") as Call<*>, output, clock)
            output.states shouldContainExactly listOf("waiting", "done")
            val sources = output.updates.map { (_, rendered) -> rendered.page().all("img").single().attr("src").takeLast(4) }.distinct()
            sources shouldContainExactly listOf("AAAA", "BBBB", "CCCC")
        }
    }

    test("another call that fails or is cancelled shows so, and throws") {
        virtualCell { llm ->
            val failing = FakeOutput(this)
            shouldThrow<LlmException.InvalidRequest> { follow(llm.embed("demo/echo", "a") as Call<*>, failing, clock) }
            failing.states shouldContainExactly listOf("waiting", "failed")
            failing.last.page().texts(".ullm-error b") shouldContainExactly listOf("Request rejected")
            val stopped = FakeOutput(this)
            val cell = launch { follow(llm.image(FakeModel { awaitCancellation() }, "a") as Call<*>, stopped, clock) }
            runCurrent()
            cell.cancelAndJoin()
            stopped.states shouldContainExactly listOf("waiting", "stopped")
        }
    }
})
