package dev.unifiedllm.jupyter

import dev.unifiedllm.Bulk
import dev.unifiedllm.BulkObserver
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThanOrEqual
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.longs.shouldBeGreaterThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldMatch
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent
import org.jsoup.nodes.Element
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.time.Duration.Companion.seconds

/** Answers after [pause] milliseconds, for a cent; the third call fails. */
private fun model(pause: Long = 0): FakeModel {
    var calls = 0
    return FakeModel {
        val number = ++calls
        delay(pause)
        if (number == 3) throw LlmException.Overloaded("<b>busy</b>")
        emit(Delta.Text("yes"))
        emit(finish(cost = Cost.Known(Usd.of("0.01"), "test")))
    }
}

private fun Llm.calls(count: Int, model: FakeModel, concurrency: Int = 1): Bulk<Int, ChatResponse> =
    map(List(count) { it }, concurrency) { chat(model, "item $it") }

private val Rendered.page: Element get() = safe(html)
private val Rendered.state: String get() = page.all(".ullm-bulk").single().attr("data-state")
private val Rendered.line: String get() = page.texts(".ullm-footer").single().replace('\u00A0', ' ')

/** The line without the time that the bulk took, which is not that of the test. */
private val Rendered.facts: List<String> get() = line.split(" · ").filterNot { it.endsWith(" s") || it.endsWith(" ms") || it.endsWith(" left") }

private class Recorded : CellOutput {
    val all = CopyOnWriteArrayList<Rendered>()

    override fun show(rendered: Rendered) {
        check(all.isEmpty()) { "shown twice" }
        all += rendered
    }

    override fun update(rendered: Rendered) {
        check(all.isNotEmpty()) { "updated before it was shown" }
        all += rendered
    }
}

@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class BulkBarSpec : FunSpec({
    test("the bar is there before a call ends, follows the results, and ends with what was done, what failed, the cost and the time") {
        virtualCell { llm ->
            val output = FakeOutput(this)
            val following = launch { followBulk(llm.calls(4, model(pause = 1_000)), output, clock) }
            runCurrent()
            output.shown.single().facts shouldContainExactly listOf("0 done", "0 failed", "of 4 (0 %)", "$0.00 so far")
            following.join()
            val lines = (output.shown + output.updates.map { it.second }).map { it.facts.take(2) }.distinct()
            val left = output.updates.map { it.second.line.split(" · ").last() }.filter { it.endsWith(" left") }
            left.shouldNotBeEmpty().forEach { it shouldMatch Regex("about \\d+ s left") }
            lines shouldContainExactly listOf(
                listOf("0 done", "0 failed"),
                listOf("1 done", "0 failed"),
                listOf("2 done", "0 failed"),
                listOf("2 done", "1 failed"),
                listOf("3 done", "1 failed"),
            )
            output.last.state shouldBe "done"
            output.last.facts shouldContainExactly listOf("3 done", "1 failed", "of 4 (100 %)", "$0.0300 + 1 unpriced")
            output.last.line.substringAfter("unpriced · ") shouldEndWith "s"
        }
    }

    test("there are at most four updates a second, and one in a second without a result") {
        virtualCell { llm ->
            val many = FakeOutput(this)
            followBulk(llm.calls(200, model(pause = 20)), many, clock)
            val took = (currentTime / 1_000).toInt() + 1 // the virtual time also passes while the functions of the bulk run on threads of their own
            many.updates.size shouldBeLessThanOrEqual took * 5
            many.updates.size shouldBeGreaterThanOrEqual took
            val few = FakeOutput(this)
            val begun = currentTime
            followBulk(llm.calls(1, model(pause = 5_000)), few, clock)
            val seconds = few.updates.dropLast(1).map { (it.first - begun) / 1_000 }
            seconds shouldContainExactly (1L..seconds.last())
            seconds.last() shouldBeGreaterThanOrEqual 4
        }
    }

    test("the bar has a part for what is done and one for what failed, with numbers for those who do not see it") {
        virtualCell { llm ->
            val bulk = llm.calls(4, model())
            bulk.await()
            val bar = bulkCard(bulk).page.all(".ullm-progress").single()
            bar.children().map { it.className() to it.attr("style") } shouldContainExactly
                listOf("ullm-done" to "width:75.00%", "ullm-lost" to "width:25.00%")
            listOf("role", "aria-valuenow", "aria-valuemax").map(bar::attr) shouldContainExactly listOf("progressbar", "4", "4")
        }
    }

    test("without a number of items there are counts and no bar") {
        virtualCell { llm ->
            val model = model()
            val output = FakeOutput(this)
            followBulk(llm.map(sequenceOf("a", "b"), 1) { chat(model, it) }, output, clock)
            output.last.page.all(".ullm-progress").shouldBeEmpty()
            output.last.facts shouldContainExactly listOf("2 done", "0 failed", "$0.0200")
        }
    }

    test("failures of calls are told, escaped, and fail no cell; the plain text has them, too") {
        virtualCell { llm ->
            val output = FakeOutput(this)
            followBulk(llm.calls(3, model()), output, clock)
            output.last.page.texts("details .ullm-note").single() shouldStartWith "Item 2: <b>busy</b>"
            output.last.html shouldNotContain "<b>busy"
            output.last.text shouldContain "2 done · 1 failed · of 3 (100 %)"
            output.last.text shouldContain "Item 2: <b>busy</b>"
        }
    }

    test("why no more calls are made stands below the bar") {
        virtualCell { llm ->
            val model = model()
            val output = FakeOutput(this)
            followBulk(llm.map(List(9) { it }, 1, options = { maxCost = Usd.of("0.02") }) { chat(model, "$it") }, output, clock)
            output.last.facts.take(4) shouldContainExactly listOf("2 done", "0 failed", "7 not started", "of 9 (22 %)")
            output.last.page.texts(".ullm-note").single() shouldContain "maxCost"
        }
    }

    test("a bulk that fails as a whole shows why, and fails the cell") {
        virtualCell { llm ->
            val bulk = llm.calls(2, model())
            bulk.results().collect { }
            val output = FakeOutput(this)
            shouldThrow<IllegalStateException> { followBulk(bulk, output, clock) }
            output.last.state shouldBe "failed"
            output.last.page.texts(".ullm-error").single() shouldContain "The results of a bulk are not kept"
        }
    }

    test("a cell that is stopped shows how far the bulk has come, and ends its calls") {
        virtualCell { llm ->
            var begun = 0
            var ended = 0
            val model = FakeModel {
                begun++
                try {
                    awaitCancellation()
                } finally {
                    ended++
                }
            }
            val output = FakeOutput(this)
            val following = launch { followBulk(llm.calls(9, model, concurrency = 3), output, clock) }
            while (begun < 3) delay(10)
            following.cancelAndJoin()
            while (ended < 3) delay(10)
            output.last.state shouldBe "stopped"
            output.last.line shouldContain "stopped"
        }
    }

    test("as a value it is not sent before its cell ends, and is not sent again after its end") {
        virtualCell { llm ->
            val model = model()
            val bulk = llm.calls(2, model)
            isOpen(bulk).shouldBeTrue()
            safe(checkNotNull(rendered(bulk)).html).wholeText() shouldContain "not sent"
            model.calls shouldBe 0
            unsentIn(listOf(bulk)) shouldBe 0
            bulk.await()
            isOpen(bulk).shouldBeFalse()
            checkNotNull(rendered(bulk)).facts.take(2) shouldContainExactly listOf("2 done", "0 failed")
            model.calls shouldBe 2
        }
    }

    context("a bulk that other code of the cell waits for has a bar") {
        val before = BulkObserver.observer
        val outputs = CopyOnWriteArrayList<Recorded>()
        beforeEach {
            outputs.clear()
            BulkObserver.observer = { bulk -> RunningBar(bulk, Recorded().also { outputs += it }) }
        }
        afterEach { BulkObserver.observer = before }

        test("which is there at the end") {
            Llm.builder().environment { null }.retry { maxRetries = 0 }.build().use { llm ->
                llm.calls(3, model()).get()
                outputs.single().all.first().state shouldBe "streaming"
                outputs.single().all.last().state shouldBe "done"
                outputs.single().all.last().facts shouldContainExactly listOf("2 done", "1 failed", "of 3 (100 %)", "$0.0200 + 1 unpriced")
            }
        }

        test("also by results, and when they are left") {
            Llm.builder().environment { null }.retry { maxRetries = 0 }.build().use { llm ->
                var count = 0L
                llm.calls(2, model()).results().collect { count++ }
                count shouldBeGreaterThanOrEqual 2
                llm.map(generateSequence(1) { it + 1 }, 1) { chat(FakeModel { emit(finish()) }, "$it") }.stream().use { it.findFirst() }
                outputs shouldHaveSize 2
                eventually(5.seconds) { outputs.map { it.all.last().state } shouldContainExactly listOf("done", "stopped") }
            }
        }

        test("and prints none") {
            val printed = java.io.ByteArrayOutputStream()
            val error = System.err
            System.setErr(java.io.PrintStream(printed, true))
            try {
                Llm.builder().environment { null }.build().use { llm ->
                    llm.map(listOf(1), options = { showProgress() }) { chat(FakeModel { emit(finish()) }, "$it") }.get()
                }
            } finally {
                System.setErr(error)
            }
            printed.toString() shouldNotContain "1/1"
        }
    }
})
