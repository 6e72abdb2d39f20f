package dev.unifiedllm.chat

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Scripted
import dev.unifiedllm.client
import dev.unifiedllm.linkFlow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import java.time.Duration

private val model = ModelId("test", "m")
private val toolCalls = FinishReason(FinishReason.Kind.TOOL_CALLS)

private fun call(id: String, arguments: String) = Delta.ToolCallDelta(0, id, "weather", arguments)

/** A tool loop of two steps, both of which call tool number 0, and its last response. */
private val loop = listOf(
    Delta.Start("r1", model),
    Delta.Text("I look it up."),
    call("a", "{\"city\":"),
    Delta.ToolCallDelta(0, null, null, "\"Paris\"}"),
    Delta.StepFinish(0, toolCalls, Usage.of(1, 2), Cost.Free),
    Delta.ToolResult("a", "weather", listOf(Part.Text("21"), Part.Image("data:image/png;base64,AA==")), Duration.ofMillis(3)),
    Delta.Start("r2", model),
    call("b", "{}"),
    Delta.StepFinish(1, toolCalls, Usage.of(1, 2), Cost.Free),
    Delta.ToolResult("b", "weather", listOf(Part.Text("no such city")), Duration.ZERO, IllegalStateException("no such city")),
    Delta.Start("r3", model),
    Delta.Text("21 degrees"),
    Delta.Text("."),
    Delta.Finish(FinishReason.STOP, Usage.of(3, 6), Cost.Free),
)

private val messages = listOf(
    Message(Role.ASSISTANT, listOf(Part.Text("I look it up."), Part.ToolCall("a", "weather", "{\"city\":\"Paris\"}")), model = model),
    Message.tool(Part.ToolResult("a", "weather", listOf(Part.Text("21"), Part.Image("data:image/png;base64,AA==")))),
    Message(Role.ASSISTANT, listOf(Part.ToolCall("b", "weather", "{}")), model = model),
    Message.tool(Part.ToolResult("b", "weather", "no such city", isError = true)),
    Message(Role.ASSISTANT, listOf(Part.Text("21 degrees.")), model = model),
)

class ResponseFoldSpec : FunSpec({
    test("each step is folded by itself: its messages stand in order, the last one is the response") {
        val response = ChatResponse.of(loop)
        response.text shouldBe "21 degrees."
        response.toolCalls.shouldBeEmpty()
        response.messages shouldContainExactly messages
        response.toMessage() shouldBe messages.last()
        response.steps.map { it.index } shouldContainExactly listOf(0, 1)
    }

    test("a response cut in its second step keeps the messages of the first") {
        val response = ChatResponse.of(loop.take(8))
        response.messages shouldContainExactly messages.take(3)
        response.toolCalls.single().id shouldBe "b"
        response.finishReason shouldBe null
    }

    test("a restart discards the body of its step, with its sources and media, and nothing before it") {
        val source = Delta.Source("https://example.com/1")
        val deltas =
            loop.take(6) + listOf(Delta.Start("x", model), Delta.Text("wrong"), source, Delta.Media("image/png", "data:,"), Delta.Reset) + loop.drop(10)
        val response = ChatResponse.of(deltas)
        response.messages shouldContainExactly messages.take(2) + messages.last()
        response.sources.shouldBeEmpty()
        response.media.shouldBeEmpty()
    }

    test("a conversation takes over all messages of a turn, and sends them with the next one") {
        val looping = Scripted("test/m") { request -> (if (request.messages.size == 1) loop else loop.takeLast(4)).forEach { emit(it) } }
        client().use { llm ->
            val talk = llm.conversation(looping)
            talk.ask("weather?").await()
            talk.messages shouldContainExactly listOf(Message.user("weather?")) + messages
            talk.ask("and now?").await()
            looping.requests[1].messages shouldContainExactly listOf(Message.user("weather?")) + messages + Message.user("and now?")
        }
    }

    test("a cache of a user replays deltas, and folds them as a reply does") {
        val stored = mutableListOf<Delta>()
        val cache = Interceptor { request, next ->
            linkFlow {
                if (stored.isEmpty()) next.stream(request).collect { stored += it }
                stored.forEach { emit(it) }
            }
        }
        client { intercept(cache) }.use { llm ->
            val first = llm.chat("demo/echo", "hi").await()
            llm.chat("demo/echo", "other").await().text shouldBe first.text
            ChatResponse.of(stored).text shouldBe first.text
            stored.any { it.isContent } shouldBe true
        }
    }
})
