package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Answers with how many messages it was sent. */
private fun counting() = Scripted("test/counting") {
    emit(Delta.Start(null, it.model))
    emit(Delta.Text("n=${it.messages.size}"))
    emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 1), Cost.Known(Usd.of("0.5"), "test")))
}

private fun Conversation.said() = messages.map { "${it.role.name.lowercase()}: ${it.text}" }

class ConversationSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    test("each turn sends what was said before, and adds the question and the answer") {
        val model = counting()
        val talk = llm.conversation(model) { system("Be short.") }
        talk.said() shouldContainExactly listOf("system: Be short.")
        talk.ask("one").await().text shouldBe "n=2"
        talk.ask("two").get().text shouldBe "n=4"
        talk.said() shouldContainExactly listOf("system: Be short.", "user: one", "assistant: n=2", "user: two", "assistant: n=4")
        talk.cost shouldBe Usd.of("1")
        model.calls shouldBe 2
    }

    test("asking sends nothing, and leaves the history as it is, until the answer is there") {
        val model = counting()
        val talk = llm.conversation(model)
        val reply = talk.ask("one")
        delay(30)
        model.calls shouldBe 0
        talk.messages shouldContainExactly emptyList()
        reply.await()
        reply.await()
        talk.messages.size shouldBe 2
    }

    test("the history is read when the call starts, not when it is built") {
        val talk = llm.conversation(counting())
        val first = talk.ask("one")
        val second = talk.ask("two")
        second.await().text shouldBe "n=1"
        first.await().text shouldBe "n=3"
        talk.said() shouldContainExactly listOf("user: two", "assistant: n=1", "user: one", "assistant: n=3")
    }

    test("a turn that fails leaves the history as it was; its partial answer stays on the reply") {
        var fails = true
        val model = Scripted("test/a") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("half"))
            if (fails) throw LlmException.StreamInterrupted("cut")
            emit(Delta.Finish(FinishReason.STOP, null))
        }
        val talk = llm.conversation(model)
        val reply = talk.ask("one")
        shouldThrow<LlmException.StreamInterrupted> { reply.await() }
        talk.messages shouldContainExactly emptyList()
        reply.partial.shouldNotBeNull().text shouldBe "half"
        fails = false
        reply.again().await().text shouldBe "half"
        talk.said() shouldContainExactly listOf("user: one", "assistant: half")
    }

    test("a turn that is cancelled leaves the history as it was, and the next one goes on") {
        val valve = Valve()
        val talk = llm.conversation(valve)
        valve.send("a", "b")
        val reply = talk.ask("one")
        reply.deltas().first()
        eventually(5.seconds) { reply.state shouldBe Reply.State.CANCELLED }
        talk.messages shouldContainExactly emptyList()
        valve.finish()
        talk.ask("two").await()
        talk.messages.first() shouldBe Message.user("two")
    }

    test("a turn that is started while another runs waits for it") {
        val valve = Valve("test/turns")
        val talk = llm.conversation(valve)
        coroutineScope {
            val one = async { talk.ask("one").await() }
            eventually(5.seconds) { valve.calls shouldBe 1 }
            val waiting = talk.ask("two")
            val two = async { waiting.await() }
            delay(50)
            valve.calls shouldBe 1
            waiting.state shouldBe Reply.State.RUNNING
            talk.messages shouldContainExactly emptyList()
            valve.send("x")
            valve.finish()
            one.await().text shouldBe "x"
            two.await().text shouldBe ""
        }
        talk.said() shouldContainExactly listOf("user: one", "assistant: x", "user: two", "assistant: ")
    }

    test("the wait for the turn before counts in a turn's total deadline") {
        val valve = Valve("test/turns")
        val talk = llm.conversation(valve)
        coroutineScope {
            val one = async { talk.ask("one").await() }
            eventually(5.seconds) { valve.calls shouldBe 1 }
            val waiting = talk.ask {
                user("two")
                timeouts { total = 50.milliseconds }
            }
            shouldThrow<LlmException.Timeout> { waiting.await() }.phase shouldBe LlmException.Timeout.Phase.TOTAL
            valve.send("x")
            valve.finish()
            one.await().text shouldBe "x"
        }
        valve.calls shouldBe 1
        talk.said() shouldContainExactly listOf("user: one", "assistant: x")
    }

    test("again() asks once more, with the history of that moment") {
        val talk = llm.conversation(counting())
        val reply = talk.ask("one")
        reply.await().text shouldBe "n=1"
        reply.again().await().text shouldBe "n=3"
        talk.said() shouldContainExactly listOf("user: one", "assistant: n=1", "user: one", "assistant: n=3")
    }

    test("a fork has the same past and its own future") {
        val talk = llm.conversation(counting())
        talk.ask("one").await()
        val other = talk.fork()
        other.said() shouldBe talk.said()
        other.cost shouldBe talk.cost
        other.ask("two").await()
        talk.messages.size shouldBe 2
        other.messages.size shouldBe 4
        talk.cost shouldBe Usd.of("0.5")
        other.cost shouldBe Usd.of("1")
    }

    test("settings stay, a turn's own are its own, and its block runs once") {
        val model = counting()
        var runs = 0
        val talk = llm.conversation(model) {
            system("s")
            temperature = 0.1
            maxTokens = 9
        }
        talk.ask {
            user("turn ${++runs}")
            temperature = 1.0
        }.await()
        talk.ask("two").await()
        model.requests.map { it.temperature } shouldContainExactly listOf(1.0, 0.1)
        model.requests.map { it.maxTokens } shouldContainExactly listOf(9, 9)
        model.requests[0].messages.map { it.text } shouldContainExactly listOf("s", "turn 1")
        talk.said().drop(1).first() shouldBe "user: turn 1"
        runs shouldBe 1
    }

    test("a mistake in a turn's block is thrown at once") {
        shouldThrow<IllegalArgumentException> { llm.conversation(counting()).ask { temperature = 9.0 } }
    }

    test("reasoning and tool calls stay in the history, as they were") {
        val model = Scripted("test/a") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Reasoning("hm", "signature"))
            emit(Delta.ToolCallDelta(0, "c1", "f", "{}"))
            emit(Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS), null))
        }
        val talk = llm.conversation(model)
        talk.ask("one").await()
        talk.messages.last() shouldBe Message(Role.ASSISTANT, listOf(Part.Reasoning("hm", "signature"), Part.ToolCall("c1", "f", "{}")), model = model.id)
    }

    test("media of a response are not in the history: a warning before the finish says so, with the next step for images") {
        val model = Scripted("test/painter") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("Here it is."))
            emit(Delta.Media("image/png", "data:image/png;base64,AA=="))
            emit(Delta.Media("image/png", "data:image/png;base64,BB=="))
            emit(Delta.Finish(FinishReason.STOP, null))
        }
        val talk = llm.conversation(model)
        val reply = talk.ask("Paint a train.")
        val events = reply.events().toList()
        (events[events.size - 2] as Delta.Warning).message shouldContain "does not keep the media of this response (image/png)"
        val response = reply.await()
        response.warnings.single() shouldContain "user(\"…\") { image(url) }"
        response.warnings.single() shouldContain "user(\"…\", u -> u.image(url))"
        response.media.size shouldBe 2
        talk.messages.last() shouldBe Message(Role.ASSISTANT, listOf(Part.Text("Here it is.")), model = model.id)
        talk.ask { user("Make it blue.") { image(response.media.last().url) } }.await()
        model.requests.last().messages.map { it.parts.size } shouldContainExactly listOf(1, 1, 2)
        llm.chat(model, "Paint a train.").await().warnings shouldContainExactly emptyList()
    }

    test("a sound is not in the history either; a response without media has no such warning") {
        val speaker = Scripted("test/speaker") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Media("audio/wav", "data:audio/wav;base64,AA=="))
            emit(Delta.Finish(FinishReason.STOP, null))
        }
        val warning = llm.conversation(speaker).ask("Hum.").await().warnings.single()
        warning shouldContain "(audio/wav)"
        warning shouldNotContain "image"
        llm.conversation(counting()).ask("one").await().warnings shouldContainExactly emptyList()
    }

    test("an answer of a fallback is part of the conversation") {
        val talk = llm.conversation(failing("test/down") { LlmException.ServerError("down") }) { fallback(saying("test/up", "hi")) }
        talk.ask("one").await().fallbackUsed shouldBe true
        talk.said() shouldContainExactly listOf("user: one", "assistant: hi")
    }

    test("turns of unknown cost are counted, also those that were cut") {
        var cut = false
        val model = Scripted("test/a") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("Hi"))
            if (cut) throw LlmException.StreamInterrupted("cut")
            emit(Delta.Finish(FinishReason.STOP, null))
        }
        val talk = llm.conversation(model)
        talk.ask("one").await()
        talk.unknownCosts shouldBe 1
        cut = true
        shouldThrow<LlmException.StreamInterrupted> { talk.ask("two").await() }
        talk.unknownCosts shouldBe 2
        talk.cost shouldBe Usd.ZERO
        talk.fork().unknownCosts shouldBe 2
    }
})
