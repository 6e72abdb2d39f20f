package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.currentTime
import org.jsoup.Jsoup

private fun echo(name: String, pause: Long = 0) = FakeModel(ModelId("fake", name)) {
    delay(pause)
    emit(Delta.Text("answer $name"))
    emit(finish())
}

@OptIn(ExperimentalCoroutinesApi::class)
class GroupsSpec : FunSpec({
    context("what is no group of results") {
        val values = listOf<Any>(listOf(1, 2), emptyList<Any>(), mapOf("a" to 1), "text", 1 to 2, listOf(null))
        for (value in values) test("$value") { Group.of(value).shouldBeNull() }
    }

    test("a group with anything else in it is left to the kernel") {
        virtualCell { llm ->
            Group.of(listOf(llm.chat(echo("a"), "?"), "text")).shouldBeNull()
            Group.of(listOf(llm.chat(echo("a"), "?"), null)).shouldBeNull()
        }
    }

    test("lists, arrays, maps and pairs are groups; names are escaped") {
        virtualCell { llm ->
            val reply = llm.chat(echo("a"), "What?")
            for (value in listOf(listOf(reply), setOf(reply), arrayOf(reply), mapOf("<b>" to reply), reply to reply, Triple(reply, reply, reply))) {
                Group.of(value).shouldNotBeNull().isSent.shouldBeTrue()
            }
            val page = Jsoup.parse(Group.of(mapOf("<b>" to reply)).shouldNotBeNull().render().html)
            page.select(".ullm-note b").map { it.wholeText() } shouldContainExactly listOf("<b>")
            page.select(".ullm-question").map { it.wholeText() } shouldContainExactly listOf("What?")
        }
    }

    test("a group of replies that have ended is not sent, and has one style element for cards that are alike") {
        virtualCell { llm ->
            val replies = List(3) { llm.chat(echo("a"), "?") }
            replies.forEach { it.await() }
            val group = Group.of(replies).shouldNotBeNull()
            group.isSent.shouldBeFalse()
            val page = Jsoup.parse(group.render().html)
            page.select("style").size shouldBe 1
            page.select(".ullm-card").size shouldBe 3
        }
    }

    test("a group of more than 50 calls is not sent, and says so") {
        virtualCell { llm ->
            val group = Group.of(List(51) { llm.chat(echo("a"), "?") }).shouldNotBeNull()
            group.isSent.shouldBeFalse()
            group.render().html shouldContain "Not sent: a cell sends at most 50 calls of one value."
            group.render().text shouldContain "1 more value not shown."
        }
    }

    test("all calls of a group are sent at once, each in its own output, in order") {
        virtualCell { llm ->
            val outputs = mutableListOf<FakeOutput>()
            val names = listOf("a", "b", "c")
            followAll(Group.of(names.associateWith { llm.chat(echo(it, pause = 1_000), "?") }).shouldNotBeNull()) { FakeOutput(this).also { outputs += it } }
            (currentTime < 2_000).shouldBeTrue()
            outputs.filterIndexed { index, _ -> index % 2 == 0 }.map { it.shown.single().text } shouldContainExactly names
            outputs.filterIndexed { index, _ -> index % 2 == 1 }.map { it.last.page().answer.wholeText().trim() } shouldContainExactly
                names.map { "answer $it" }
        }
    }

    test("a failure ends no other call, and fails the cell when all have ended") {
        virtualCell { llm ->
            val outputs = mutableListOf<FakeOutput>()
            val failing = FakeModel { throw LlmException.Overloaded("busy. Try again.") }
            val calls = listOf(llm.chat(failing, "?"), llm.chat(echo("b", pause = 500), "?"))
            val failure = shouldThrow<CallFailed> { followAll(Group.of(calls).shouldNotBeNull()) { FakeOutput(this).also { outputs += it } } }
            failure.message shouldBe "1 of 2 calls failed. The first: busy."
            outputs.map { it.last.page().state } shouldContainExactly listOf("failed", "done")
        }
    }

    test("stopping the cell stops all calls of a group") {
        virtualCell { llm ->
            val outputs = mutableListOf<FakeOutput>()
            val calls = List(2) { llm.chat(FakeModel { awaitCancellation() }, "?") }
            val cell = launch { followAll(Group.of(calls).shouldNotBeNull()) { FakeOutput(this@virtualCell).also { outputs += it } } }
            advanceTimeBy(1_000)
            cell.cancelAndJoin()
            outputs.map { it.last.page().state } shouldContainExactly listOf("stopped", "stopped")
        }
    }

    test("a flow of deltas is collected once, and its failure is shown and thrown") {
        virtualCell {
            var collections = 0
            val output = FakeOutput(this)
            var last: Rendered? = null
            val deltas = flow {
                collections++
                emit(start())
                emit(Delta.Text("**Hi**"))
                emit(finish())
            }
            followFlow(deltas, output) { last = it }
            collections shouldBe 1
            output.last shouldBeSameInstanceAs last
            output.last.page().answer.select("strong").text() shouldBe "Hi"
            val failing = FakeOutput(this)
            val failure = LlmException.StreamInterrupted("cut")
            shouldThrow<LlmException.StreamInterrupted> {
                followFlow(
                    flow {
                        emit(start())
                        emit(Delta.Text("Half"))
                        throw failure
                    },
                    failing,
                ) { }
            } shouldBeSameInstanceAs failure
            failing.last.page().state shouldBe "cut"
        }
    }

    test("messages are a transcript") {
        val shown = messages(listOf(Message.user("Hi <b>"), Message.assistant("**Hello**"))).shouldNotBeNull()
        Jsoup.parse(shown.html).select("strong").text() shouldBe "Hello"
        shown.html shouldContain "Hi &lt;b&gt;"
        messages(Message.user("Hi")).shouldNotBeNull().text shouldContain "Hi"
        messages(listOf(Message.user("Hi"), 1)).shouldBeNull()
        messages("Hi").shouldBeNull()
    }

    test("the error of a cell is one line: the first sentence of the failure") {
        val failure = CallFailed(LlmException.Configuration("No API key for groq/x. Set the variable GROQ_API_KEY."))
        failure.message shouldBe "No API key for groq/x."
        failure.stackTraceToString() shouldBe ""
        CallFailed(LlmException.Overloaded("x".repeat(5_000))).message.orEmpty() shouldStartWith "xxx"
    }
})
