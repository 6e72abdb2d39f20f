package dev.unifiedllm

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeInRange
import io.kotest.matchers.shouldBe

private fun call(id: String) = Message(Role.ASSISTANT, listOf(Part.ToolCall(id, "look", "{}")))

private fun result(id: String) = Message.tool(Part.ToolResult(id, "look", "found"))

class TrimmedConversationSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    fun talk(messages: List<Message>) = llm.conversation("demo/echo") { messages(messages) }

    val long = "word ".repeat(100)
    val history = listOf(
        Message.system("Be short."),
        Message.user("one $long"), Message.assistant("first"),
        Message.user("two"), call("c1"), result("c1"), Message.assistant("second $long"),
        Message.user("three"), Message.assistant("third"),
    )

    test("the newest turns that fit are kept, with the system messages") {
        talk(history).trim(100_000).messages shouldContainExactly history
        talk(history).trim(200).messages shouldContainExactly listOf(history[0]) + history.drop(3)
        talk(history).trim(50).messages shouldContainExactly listOf(history[0]) + history.drop(7)
    }

    test("the newest turn stays, even if it is too long") {
        talk(history).trim(1).messages shouldContainExactly listOf(history[0]) + history.drop(7)
    }

    test("tool calls stay with their results, at every limit") {
        for (limit in 1..500) {
            val kept = talk(history).trim(limit).messages
            kept.flatMap { it.parts }.filterIsInstance<Part.ToolCall>().size shouldBe kept.flatMap { it.parts }.filterIsInstance<Part.ToolResult>().size
            kept shouldContainAll listOf(history.first(), history.last())
            kept.size shouldBeInRange 3..history.size
        }
    }

    test("several messages of the user in a row are one turn, and system messages keep their place") {
        val mixed = listOf(
            Message.user("old $long"),
            Message.assistant("a"),
            Message.system("Now in French."),
            Message.user("x"),
            Message.user("y"),
            Message.assistant("b"),
        )
        talk(mixed).trim(40).messages shouldContainExactly mixed.drop(2)
    }

    test("trimming changes another conversation, and keeps the usage and the cost") {
        val talk = talk(history)
        talk.ask("four").await()
        val trimmed = talk.trim(30)
        talk.messages.size shouldBe history.size + 2
        trimmed.usage shouldBe talk.usage
        trimmed.cost shouldBe talk.cost
        shouldThrow<IllegalArgumentException> { talk.trim(0) }.message shouldBe "maxTokens must be positive, was 0"
    }

    test("tools that all turns share take their part of the context") {
        val tools = llm.conversation("demo/echo") {
            messages(history)
            tool("look", long, "{\"type\":\"object\",\"properties\":{}}") { "found" }
        }
        tools.trim(200).messages.size shouldBe 3
    }
})
