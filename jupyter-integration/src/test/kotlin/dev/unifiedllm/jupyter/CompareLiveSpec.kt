package dev.unifiedllm.jupyter

import dev.unifiedllm.Comparison
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.test.testTimeSource
import org.jsoup.Jsoup
import org.jsoup.nodes.Element

/** What an output shows of a comparison. */
private class Seen(val at: Long, rendered: Rendered) {
    private val root = Jsoup.parse(rendered.html).select(".ullm-compare").single()
    val state: String = root.attr("data-state")
    val states: List<String> = root.select(".ullm-column .ullm-card").map { it.attr("data-state") }
    val texts: List<String> = root.select(".ullm-column .ullm-text").map { it.wholeText().trim() }
    val marks: List<String> = root.select(".ullm-mark").map { it.wholeText() }
    val whole: String = root.wholeText()
}

@OptIn(ExperimentalCoroutinesApi::class)
private class Watching(private val scope: TestScope) : CellOutput {
    val all = mutableListOf<Seen>()

    override fun show(rendered: Rendered) {
        check(all.isEmpty()) { "shown twice" }
        all += Seen(scope.currentTime, rendered)
    }

    override fun update(rendered: Rendered) {
        check(all.isNotEmpty()) { "updated before it was shown" }
        all += Seen(scope.currentTime, rendered)
    }
}

/** Says [words] words, one each [pause] milliseconds, then ends. */
private fun talking(name: String, words: Int, pause: Long) = FakeModel(ModelId("fake", name)) {
    repeat(words) {
        delay(pause)
        emit(Delta.Text("$name$it "))
    }
    emit(finish())
}

@OptIn(ExperimentalCoroutinesApi::class)
private fun virtual(block: suspend TestScope.(compare: (List<Model>) -> Comparison) -> Unit) = runTest {
    val llm = Llm.builder().environment { null }.retry { maxRetries = 0 }.apply { context = StandardTestDispatcher(testScheduler) }.build()
    llm.use { block { models -> it.compare(*models.toTypedArray()) { user("Why?") } } }
}

@OptIn(ExperimentalCoroutinesApi::class)
class CompareLiveSpec : FunSpec({
    test("all columns are shown at once, before anything is sent") {
        virtual { compare ->
            val models = List(3) { number -> FakeModel(ModelId("fake", "m$number")) { awaitCancellation() } }
            val output = Watching(this)
            val cell = launch { followComparison(compare(models), output, testTimeSource) }
            runCurrent()
            output.all.first().let {
                it.at shouldBe 0
                it.states shouldContainExactly List(3) { "waiting" }
                it.whole shouldContain "Why?"
            }
            models.map { it.calls } shouldContainExactly listOf(1, 1, 1)
            cell.cancelAndJoin()
        }
    }

    test("the answers grow at once, side by side, and each shows its end when it comes") {
        virtual { compare ->
            val output = Watching(this)
            followComparison(compare(listOf(talking("a", 20, 20), talking("b", 60, 20))), output, testTimeSource)
            output.all.any { seen -> seen.states == listOf("streaming", "streaming") && seen.texts.all { it.isNotEmpty() } }.shouldBeTrue()
            output.all.map { it.states } shouldContain listOf("done", "streaming")
            val lengths = output.all.map { it.texts.joinToString("").trim('▍').length }
            (lengths == lengths.sorted()).shouldBeTrue()
            lengths.distinct().size shouldBeGreaterThan 5
            output.all.last().let {
                it.state shouldBe "done"
                it.states shouldContainExactly listOf("done", "done")
                it.texts.last() shouldBe (0 until 60).joinToString(" ") { word -> "b$word" }
                it.marks shouldContain "✓ fastest"
            }
            output.all.dropLast(1).flatMap { it.marks }.shouldBeEmpty()
        }
    }

    test("three answers of a delta a millisecond make at most 20 updates a second in all, and the exact texts") {
        virtual { compare ->
            val output = Watching(this)
            val comparison = compare(listOf("a", "b", "c").map { talking(it, 3_000, 1) })
            followComparison(comparison, output, testTimeSource)
            val times = output.all.map { it.at }
            for (from in times) times.count { it in from until from + 1_000 } shouldBeLessThanOrEqual 20
            times.size shouldBeGreaterThan 10
            output.all.last().texts shouldContainExactly comparison.replies.map { it.await().text.trim() }
        }
    }

    test("a model that fails is shown in its column, ends nothing else and is not thrown") {
        virtual { compare ->
            val output = Watching(this)
            val failing = FakeModel(ModelId("fake", "down")) { throw LlmException.Overloaded("too many requests") }
            followComparison(compare(listOf(talking("a", 30, 20), failing)), output, testTimeSource)
            output.all.map { it.states } shouldContain listOf("streaming", "failed")
            output.all.last().let {
                it.states shouldContainExactly listOf("done", "failed")
                it.whole shouldContain "too many requests"
                it.whole shouldContain "2 models, 1 failed"
            }
        }
    }

    test("if all fail the card says so, and nothing is thrown") {
        virtual { compare ->
            val output = Watching(this)
            followComparison(compare(List(2) { FakeModel { throw IllegalStateException("no") } }), output, testTimeSource)
            output.all.last().states shouldContainExactly listOf("failed", "failed")
        }
    }

    test("a cell that is stopped ends all calls and keeps what had arrived") {
        virtual { compare ->
            val output = Watching(this)
            val comparison = compare(listOf(talking("a", 2, 10), talking("b", 10_000, 50), FakeModel { awaitCancellation() }))
            val cell = launch { followComparison(comparison, output, testTimeSource) }
            advanceTimeBy(1_000)
            cell.cancelAndJoin()
            comparison.replies.map { it.state } shouldContainExactly listOf(Reply.State.DONE, Reply.State.CANCELLED, Reply.State.CANCELLED)
            output.all.last().let {
                it.states shouldContainExactly listOf("done", "stopped", "stopped")
                it.texts.first() shouldBe "a0 a1"
                it.texts[1] shouldContain "b0 b1"
            }
        }
    }

    test("a comparison that is cancelled elsewhere shows it and is thrown") {
        virtual { compare ->
            val output = Watching(this)
            val comparison = compare(listOf(talking("a", 1_000, 50), talking("b", 1_000, 50)))
            val cell = launch { shouldThrow<LlmException.Cancelled> { followComparison(comparison, output, testTimeSource) } }
            advanceTimeBy(500)
            comparison.cancel()
            cell.join()
            output.all.last().states shouldContainExactly listOf("stopped", "stopped")
        }
    }

    test("one that has ended is shown as it ended, and sends nothing") {
        virtual { compare ->
            val model = talking("a", 3, 10)
            val comparison = compare(listOf(model))
            comparison.await()
            val output = Watching(this)
            follow(comparison, output)
            output.all.single().states shouldContainExactly listOf("done")
            model.calls shouldBe 1
        }
    }

    test("follow() of a call knows comparisons") {
        virtual { compare ->
            val output = Watching(this)
            follow(compare(listOf(talking("a", 3, 10), talking("b", 3, 10))), output)
            output.all.last().texts shouldContainExactly listOf("a0 a1 a2", "b0 b1 b2")
        }
    }

    test("long answers are sent less often: what is sent stays in proportion to them") {
        virtual { compare ->
            val sizes = mutableListOf<Int>()
            val output = object : CellOutput {
                override fun show(rendered: Rendered) {
                    sizes += rendered.html.length
                }

                override fun update(rendered: Rendered) {
                    sizes += rendered.html.length
                }
            }
            followComparison(compare(List(2) { talking("word$it-", 10_000, 10) }), output, testTimeSource)
            (sizes.sumOf { it.toLong() } / sizes.last()).toInt() shouldBeLessThanOrEqual 90
        }
    }
})
