package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.JsonObject
import java.util.concurrent.CountDownLatch
import kotlin.time.Duration.Companion.seconds

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

    test("it gets the history; what its calls cost is not known here") {
        val seen = mutableListOf<List<String>>()
        functionTest({ history -> "n${history.size}".also { seen += history.map { message -> message.text } } }) {
            chat("one")
            chat("two")
            seen shouldContainExactly listOf(listOf("one"), listOf("one", "n1", "two"))
            (front.state["totals"] as JsonObject).text("text") shouldBe "2 answers"
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

    test("a group of calls is sent, and shown when all have ended; a widget is shown as its transcript") {
        lateinit var llm: Llm
        functionTest({ listOf(llm.chat(echo(), "a"), llm.chat(echo(), "b")) }) {
            llm = Llm.builder().apply { context = StandardTestDispatcher(test.testScheduler) }.build()
            chat("hi")
            val html = front.messages.last().parts.single().text("html").orEmpty()
            html shouldContain "echo a"
            html shouldContain "echo b"
            llm.close()
        }
        functionTest({ chatWidget("demo/echo") }) {
            chat("hi")
            front.messages.last().parts.single().text("html").orEmpty() shouldContain "ullm-transcript"
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

    test("a Reply that is stopped has its estimated tokens") {
        lateinit var llm: Llm
        val model = ScriptedModel {
            emit(Delta.Text("from a model"))
            awaitCancellation()
        }
        functionTest({ llm.chat(model, "inner") }) {
            llm = Llm.builder().apply { context = StandardTestDispatcher(test.testScheduler) }.build()
            val id = send("hi")
            test.advanceTimeBy(100)
            tell("stop", "requestId" to id)
            settle()
            llm.close()
            session.value.last().let { "${it.state} ${it.text} ${it.model} ${it.usage?.estimated}" } shouldBe "STOPPED from a model fake/model true"
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

    context("what blocks is interrupted when it is stopped:") {
        withData<String>({ it }, "a flow", "a sequence") { kind ->
            val interrupted = CompletableDeferred<Boolean>()
            fun block() = try {
                CountDownLatch(1).await()
            } catch (interrupt: InterruptedException) {
                interrupted.complete(true)
                throw interrupt
            }
            val values: Any = if (kind == "a flow") {
                flow {
                    emit("a")
                    block()
                }
            } else {
                sequence {
                    yield("a")
                    block()
                }
            }
            val request = ChatRequest.build(FunctionAnswerer.ID) { user("hi") }
            val answering = FunctionAnswerer { _, _ -> values }.answering(request)
            withTimeout(30.seconds) {
                answering.events.first { it is Delta.Text }
                interrupted.await() shouldBe true
            }
        }
    }

    test("a flow that fails is a failed answer with what it gave") {
        val values = flow {
            emit("a")
            error("no more")
        }
        functionTest({ values }) {
            chat("hi")
            front.shown().last() shouldBe "assistant failed: a"
            session.value.last().failure?.message shouldBe "no more"
        }
    }

    test("a function can have the settings, also those that the user changes") {
        functionTest(WidgetConfig(chat = ChatConfig(temperature = 0.5)), { _, config -> "t ${config.temperature} k ${config.topK}" }) {
            chat("hi")
            tell("configure", "config" to json("topK" to 3, "system" to "Be brief."))
            chat("hi")
            session.value.filter { it.role == Role.ASSISTANT }.map { it.text } shouldContainExactly listOf("t 0.5 k null", "t 0.5 k 3")
        }
    }

    test("a system message is the first of the history") {
        functionTest(WidgetConfig(system = "Be brief."), { history, _ -> history.joinToString { "${it.role} ${it.text}" } }) {
            chat("hi")
            session.value.last().text shouldBe "SYSTEM Be brief., USER hi"
        }
    }

    test("all forms of a function can be written in a cell") {
        chatWidget { history -> history.size }.config shouldBe ChatConfig()
        chatWidget { it.size }.config shouldBe ChatConfig()
        chatWidget { "Hello" }.config shouldBe ChatConfig()
        chatWidget({ it.last().text }, system = "Be brief.", prompts = listOf("Hi")).session().config.system shouldBe "Be brief."
        chatWidget(config = ChatConfig(topK = 2)) { history, config -> "${history.size} ${config.topK}" }.config.topK shouldBe 2
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
