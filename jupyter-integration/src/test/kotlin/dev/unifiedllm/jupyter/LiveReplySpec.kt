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

/** What a cell shows of a call while it runs: fault 227. */
@OptIn(ExperimentalCoroutinesApi::class)
class LiveReplySpec : FunSpec({
    test("the card is shown at once, before the request is sent") {
        virtualCell { llm ->
            val model = FakeModel {
                delay(60_000)
                emit(Delta.Text("x"))
                delay(200)
                emit(finish())
            }
            val output = FakeOutput(this)
            val cell = launch { follow(llm.chat(model, "?"), output, clock) }
            testScheduler.runCurrent()
            currentTime shouldBe 0
            output.shown.single().page().state shouldBe "waiting"
            output.shown.single().page().footer shouldBe "fake/model · connecting"
            advanceTimeBy(59_999)
            output.last.page().state shouldBe "waiting"
            cell.join()
            output.states shouldContainExactly listOf("waiting", "streaming", "done")
        }
    }

    context("10,000 deltas make at most 20 updates a second and the exact text") {
        withData("all at once" to 0L, "one a millisecond" to 1L, "one in seven" to 7L) { (_, pause) ->
            virtualCell { llm ->
                val words = (0 until 10_000).map { "w$it " }
                val model = FakeModel {
                    for (word in words) {
                        if (pause > 0) delay(pause)
                        emit(Delta.Text(word))
                    }
                    emit(finish())
                }
                val output = FakeOutput(this)
                val reply = llm.chat(model, "?")
                follow(reply, output, clock)
                output.shown.size shouldBe 1
                for (from in output.times) output.times.count { it in from until from + 1_000 } shouldBeLessThanOrEqual 20
                if (pause > 0) output.updates.size shouldBeInRange (10 * pause.toInt()..200 * pause.toInt() + 2)
                reply.await().text shouldBe words.joinToString("")
                output.last.page().state shouldBe "done"
                output.last.answer.trim() shouldBe words.joinToString("").trim()
                output.last.text shouldContain words.joinToString("")
            }
        }
    }

    test("a failure right after an update makes no more than 20 updates in a second") {
        for (end in 900L..1_100L step 7) {
            virtualCell { llm ->
                val model = FakeModel {
                    var time = 0L
                    while (time < end) {
                        emit(Delta.Text("x"))
                        delay(1)
                        time++
                    }
                    throw LlmException.StreamInterrupted("cut")
                }
                val output = FakeOutput(this)
                shouldThrow<LlmException.StreamInterrupted> { follow(llm.chat(model, "?"), output, clock) }
                for (from in output.times) output.times.count { it in from until from + 1_000 } shouldBeLessThanOrEqual 20
            }
        }
    }

    test("the text grows with each update") {
        virtualCell { llm ->
            val output = FakeOutput(this)
            follow(
                llm.chat("demo/storyteller") {
                    user("Why?")
                    providerOptions { put("tokensPerSecond", 20) }
                },
                output,
                clock,
            )
            val lengths = output.updates.dropLast(1).map { it.second.answer.length }
            (lengths == lengths.sorted() && lengths.distinct().size > 20).shouldBeTrue()
            output.last.page().footer shouldContain "(demo)"
            output.last.page().all(".ullm-text ol li").size shouldBe 3
        }
    }

    test("a longer card is updated less often") {
        virtualCell { llm ->
            val model = FakeModel {
                repeat(100) {
                    emit(Delta.Text("x".repeat(5_000)))
                    delay(50)
                }
                emit(finish())
            }
            val output = FakeOutput(this)
            follow(llm.chat(model, "?"), output, clock)
            val bytes = output.updates.sumOf { it.second.html.length.toLong() }
            (bytes < 10_000_000).shouldBeTrue()
            output.last.answer.length shouldBe 500_000
        }
    }

    test("a failure is shown below the text that had arrived, and is thrown unchanged") {
        virtualCell { llm ->
            val failure = LlmException.StreamInterrupted("The connection was lost: ask again.")
            val model = FakeModel {
                emit(Delta.Text("Hal"))
                delay(500)
                emit(Delta.Text("f"))
                throw failure
            }
            val output = FakeOutput(this)
            val reply = llm.chat(model, "?")
            val thrown = shouldThrow<LlmException.StreamInterrupted> { follow(reply, output, clock) }
            thrown shouldBeSameInstanceAs failure
            thrown.partial?.text shouldBe "Half"
            output.states shouldContainExactly listOf("waiting", "streaming", "cut")
            output.last.answer shouldBe "Half"
            output.last.page().texts(".ullm-error div").take(1) shouldContainExactly listOf("The connection was lost: ask again.")
            finalCard(reply).html shouldBe output.last.html
        }
    }

    test("a failure that is no LlmException is shown and thrown, too") {
        virtualCell { llm ->
            val model = FakeModel {
                emit(Delta.Text("Hal"))
                throw IllegalStateException("a bug of the model's")
            }
            val output = FakeOutput(this)
            val reply = llm.chat(model, "?")
            shouldThrow<IllegalStateException> { follow(reply, output, clock) }.message shouldBe "a bug of the model's"
            output.last.page().state shouldBe "failed"
            output.last.page().texts(".ullm-error b") shouldContainExactly listOf("IllegalStateException")
            finalCard(reply).page().state shouldBe "failed"
        }
    }

    test("demo/error fails the cell") {
        virtualCell { llm ->
            val output = FakeOutput(this)
            shouldThrow<LlmException.Overloaded> { follow(llm.chat("demo/error", "?"), output, clock) }
            output.states shouldContainExactly listOf("waiting", "failed")
        }
    }

    test("the times of a failed reply do not grow after its end") {
        virtualCell { llm ->
            val reply = llm.chat(
                FakeModel {
                    emit(Delta.Text("Hal"))
                    throw LlmException.StreamInterrupted("cut")
                },
                "?",
            )
            shouldThrow<LlmException> { follow(reply, FakeOutput(this), clock) }
            val first = finalCard(reply).html
            Thread.sleep(20)
            finalCard(reply).html shouldBe first
        }
    }

    test("stopping the cell keeps the partial text, cancels the call and rethrows the cancellation") {
        virtualCell { llm ->
            var isClosed = false
            val model = FakeModel {
                try {
                    emit(Delta.Text("Hal"))
                    awaitCancellation()
                } finally {
                    isClosed = true
                }
            }
            val output = FakeOutput(this)
            val reply = llm.chat(model, "?")
            var thrown: Throwable? = null
            val cell = launch {
                try {
                    follow(reply, output, clock)
                } catch (cancelled: CancellationException) {
                    thrown = cancelled
                    throw cancelled
                }
            }
            advanceTimeBy(1_000)
            cell.cancelAndJoin()
            testScheduler.runCurrent()
            (thrown is CancellationException).shouldBeTrue()
            isClosed.shouldBeTrue()
            output.states shouldContainExactly listOf("waiting", "streaming", "stopped")
            output.last.answer shouldBe "Hal"
            output.last.page().all(".ullm-error").shouldBeEmpty()
            finalCard(reply).page().state shouldBe "stopped"
        }
    }

    test("stopping before any text leaves a cancelled card") {
        virtualCell { llm ->
            val output = FakeOutput(this)
            val cell = launch { follow(llm.chat(FakeModel { awaitCancellation() }, "?"), output, clock) }
            advanceTimeBy(1_000)
            cell.cancelAndJoin()
            output.states shouldContainExactly listOf("waiting", "stopped")
            output.last.page().footer shouldStartWith "fake/model · stopped"
        }
    }

    test("a call that is cancelled elsewhere is shown as cancelled, and its cell fails") {
        virtualCell { llm ->
            val output = FakeOutput(this)
            val reply = llm.chat(
                FakeModel {
                    emit(Delta.Text("Hal"))
                    awaitCancellation()
                },
                "?",
            )
            val cell = async { runCatching { follow(reply, output, clock) } }
            advanceTimeBy(1_000)
            reply.cancel()
            (cell.await().exceptionOrNull() is LlmException.Cancelled).shouldBeTrue()
            output.states shouldContainExactly listOf("waiting", "streaming", "stopped")
            output.last.answer shouldBe "Hal"
        }
    }
})
