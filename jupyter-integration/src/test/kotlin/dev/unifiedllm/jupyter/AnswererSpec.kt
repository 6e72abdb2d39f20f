package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usage
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.serialization.json.JsonObject

private class Returned(val what: String, val value: Any?, val text: String) {
    override fun toString() = what
}

/** Functions of the history as models of a chat widget. */
@OptIn(ExperimentalCoroutinesApi::class)
class AnswererSpec : FunSpec({
    context("a function may return") {
        withData(
            Returned("a text", "hello", "hello"),
            Returned("a flow of texts", flowOf("a", "b"), "ab"),
            Returned("a flow of deltas", flowOf(Delta.Text("a"), finish()), "a"),
            Returned("a sequence", sequenceOf("a", "b"), "ab"),
            Returned("nothing", Unit, ""),
            Returned("null", null, ""),
            Returned("any value", listOf(1, 2), "[1, 2]"),
            Returned("a response", answer(start(), Delta.Text("r"), finish()), "r"),
        ) { case ->
            functionTest({ case.value }) {
                chat("hi")
                session.value.last().let { "${it.state} ${it.text}" } shouldBe "DONE ${case.text}"
                front.messages.last().text("state") shouldBe "done"
            }
        }
    }

    test("it gets the history, and its cost is free") {
        val seen = mutableListOf<List<String>>()
        functionTest({ history -> "n${history.size}".also { seen += history.map { message -> message.text } } }) {
            chat("one")
            chat("two")
            seen shouldContainExactly listOf(listOf("one"), listOf("one", "n1", "two"))
            (front.state["totals"] as JsonObject).text("text") shouldBe "2 answers · free"
            (front.state["options"] as JsonObject).text("title") shouldBe "function"
        }
    }

    test("a value that is no text stays in value, and is shown as in a cell") {
        val failure = LlmException.Configuration("No key. Set one.")
        functionTest({ failure }) {
            chat("hi")
            session.value.last().result shouldBe failure
            val part = front.messages.last().parts.single()
            part.text("type") shouldBe "html"
            part.text("html").orEmpty() shouldContain "ullm-error"
        }
    }

    test("a Reply streams with its usage and its model") {
        lateinit var llm: Llm
        val model = ScriptedModel {
            emit(Delta.Text("from a model"))
            emit(finish(Usage.of(3, 4)))
        }
        functionTest({ llm.chat(model, "inner") }) {
            llm = Llm.builder().apply { context = StandardTestDispatcher(test.testScheduler) }.build()
            chat("hi")
            llm.close()
            session.value.last().let { "${it.text} ${it.model} ${it.usage?.outputTokens}" } shouldBe "from a model fake/model 4"
        }
    }

    test("a function that throws is a failed answer with its message") {
        functionTest({ error("no data for ${it.last().text}") }) {
            chat("Paris")
            (front.messages.last().getValue("error") as JsonObject).text("message") shouldBe "no data for Paris"
            session.value.last().failure?.message shouldBe "no data for Paris"
        }
    }

    test("a flow that is stopped keeps what it gave") {
        val words = flow {
            repeat(100) {
                emit("w$it ")
                delay(100)
            }
        }
        functionTest({ words }) {
            val id = send("hi")
            test.advanceTimeBy(250)
            tell("stop", "requestId" to id)
            front.shown().last() shouldBe "assistant stopped: w0 w1 w2 "
        }
    }

    test("a function that waits is left when it is stopped") {
        functionTest({ flow<String> { awaitCancellation() } }) {
            val id = send("hi")
            tell("stop", "requestId" to id)
            front.frames("end").size shouldBe 1
            session.value.last().result.shouldBeNull()
        }
    }
})
