package dev.unifiedllm.demo

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.toResponse
import dev.unifiedllm.client
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.Serializable

private class Asked(val prompt: String, vararg val parts: String)

@Serializable
private data class Movie(val title: String, val genre: String, val year: Int)

private val weather = Tool.of("weather", "Current weather in a city", """{"type":"object","properties":{"city":{"type":"string"}}}""")
private val clock = Tool.of("clock", "The time of day", """{"type":"object","properties":{"zone":{"type":"string"}}}""")

class DemoAssistantSpec : FunSpec({
    suspend fun answer(prompt: String, model: String = "assistant", block: ChatRequestBuilder.() -> Unit = {}) = DemoModel(model).stream(
        ChatRequest.build("demo/$model") {
            user(prompt)
            providerOptions { put("tokensPerSecond", 0) }
            block()
        },
    ).toResponse()

    context("it answers in the words of the prompt, shortly, and says that it is no model:") {
        withData<Asked>(
            { it.prompt.ifBlank { "no text" } },
            Asked("Why is the sky blue?", "You asked: “Why is the sky blue?”", "about **sky** and **blue**"),
            Asked("How many times does the letter r stand in strawberry?", "The letter **r** stands 3 times in “strawberry”."),
            Asked("How many r's are in “strawberry”?", "stands 3 times"),
            Asked("Is the letter z in the word pizza or not?", "stands 2 times in “pizza”"),
            Asked("How many times is the letter \uD835\uDC2B in \uD835\uDC2Bust\uD835\uDC2B?", "stands 2 times in"),
            Asked("What is 12 * 7?", "12 * 7 = **84**"),
            Asked("1.5 + 2.25", "= **3.75**"),
            Asked("And 1 / 3 then", "0.3333333"),
            Asked("What is 1 / 0?", "You asked"),
            Asked("A table of rivers, please: Rhine", "| word | letters |\n| --- | ---: |\n", "| Rhine | 5 |"),
            Asked("Some Kotlin code about trains", "```kotlin\n", "\"trains\""),
            Asked("A table and some Java code about the rivers of Europe", "| rivers | 6 |\n| Europe | 6 |", "listOf(\"rivers\", \"Europe\")"),
            Asked("Give me a list of trains", "- **trains**, a word of 6 letters"),
            Asked("The formula of Euler", "$$\\int_0^1 x^2"),
            Asked("   ", "The request has no text."),
        ) { asked ->
            val text = answer(asked.prompt).text
            for (part in asked.parts) text shouldContain part
            text shouldContain "The demo model answers: no language model runs here."
            DemoModel.words(text).size shouldBeLessThan 100
        }
    }

    test("a speed that is no number is no speed") {
        for (speed in listOf("NaN", "-1", "Infinity")) answer("Hello") { providerOptions { put("tokensPerSecond", speed) } }.text shouldContain "You asked"
    }

    test("dates, versions and parts of words are no sums") {
        for (prompt in listOf("On 2024-01-02", "Version 1.2.3", "a1 + 2b", "and/or 24/7")) answer(prompt).text shouldContain "You asked"
    }

    test("it knows what came before in the conversation, and what came with the prompt") {
        val text = answer("first") {
            assistant("ok")
            user("second") {
                image("https://example.com/cat.png")
                file("notes".toByteArray(), "text/plain", "notes.txt")
            }
        }.text
        text shouldContain "Before that you wrote: “first”"
        text shouldContain "With it came an image and `notes.txt`"
        answer("first").text shouldNotContain "Before that"
    }

    test("it answers in the role that the system message gives it") {
        suspend fun said(system: String, prompt: String) = DemoModel("assistant").stream(
            ChatRequest.build("demo/assistant") {
                system(system)
                user(prompt)
                providerOptions { put("tokensPerSecond", 0) }
            },
        ).toResponse().text
        said("You are Lisa, a data scientist. Be short.", "What is a train ride?") shouldBe
            "As Lisa, a data scientist, I would now say something about **train** and **ride**; but this is the demo model, and no language model runs here."
        said("You are a tutor.", "12 * 7") shouldContain "**84**"
        said("Be short.", "What is a train ride?") shouldContain "You asked"
    }

    test("a typed response has words of the prompt, but not the name of the type") {
        client().use { llm -> llm.chat("demo/assistant", "A movie about bureaucracy and love").awaitAs<Movie>() shouldBe Movie("bureaucracy", "love", 1) }
        client().use { llm -> llm.chat("demo/echo", "A movie about bureaucracy").awaitAs<Movie>() shouldBe Movie("title", "genre", 1) }
    }

    test("it calls the tools that the prompt is about, with names from the prompt, then answers with their results") {
        client().use { llm ->
            val response = llm.chat("demo/assistant") {
                user("How is the weather in Paris?")
                providerOptions { put("tokensPerSecond", 0) }
                tool("weather", "Current weather in a city", """{"type":"object","properties":{"city":{"type":"string"}}}""") { "clear, 21 °C" }
                tool(clock)
            }.await()
            response.messages.flatMap { it.parts }.filterIsInstance<Part.ToolCall>().map { "${it.name} ${it.arguments}" }
                .shouldContainExactly("weather {\"city\":\"Paris\"}")
            response.text shouldContain "- `weather` returned: `clear, 21 °C`"
        }
    }

    test("it calls no tool that does not fit, unless the request requires a call; and none that the request forbids") {
        suspend fun calls(prompt: String, block: ChatRequestBuilder.() -> Unit = {}) = answer(prompt) {
            tool(weather)
            tool(clock)
            block()
        }.toolCalls.map { it.name }
        calls("Hello there").shouldBeEmpty()
        answer("Hello there") { tool(weather) }.text shouldContain "It may call `weather`"
        calls("Hello there") { toolChoice = ToolChoice.Required } shouldContainExactly listOf("weather")
        calls("Hello there") { toolChoice = ToolChoice.Named("clock") } shouldContainExactly listOf("clock")
        calls("The weather at this time?") shouldContainExactly listOf("weather", "clock")
        calls("The weather at this time?") { parallelToolCalls = false } shouldContainExactly listOf("weather")
        calls("The weather at this time?") { toolChoice = ToolChoice.None }.shouldBeEmpty()
    }

    test("arguments take names, quotations and numbers of the prompt in their order, and stay within the schema") {
        val book = Tool.of(
            "book",
            "Books a room",
            """{"type":"object","properties":{"query":{"type":"string"},"from":{"type":"string"},"to":{"type":"string"},"note":{"type":"string"},
               "nights":{"type":"integer","minimum":5},"guests":{"type":"integer","maximum":4},"floor":{"type":"number","exclusiveMinimum":1}}}""",
        )
        val prompt = "Book from Berlin to New York for 2 nights and 9 guests, \"no smoking\""
        answer(prompt, "tools") { tool(book) }.toolCalls.single().arguments shouldBe
            """{"query":"Book from Berlin to New York for 2 nights and 9 guests, \"no smoking\"","from":"Berlin","to":"New York","note":"no smoking",""" +
            """"nights":5,"guests":4,"floor":2}"""
    }

    test("a call of a tool streams its arguments in pieces") {
        val two = Tool.of("two", "Two", """{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}}}""")
        val deltas = DemoModel("tools").stream(
            ChatRequest.build("demo/tools") {
                user("4 and 5")
                tool(two)
                providerOptions { put("tokensPerSecond", 0) }
            },
        ).toList().filterIsInstance<Delta.ToolCallDelta>()
        deltas.map { it.argumentsFragment } shouldContainExactly listOf("{\"a\":4,", "\"b\":5}")
        deltas.map { it.name } shouldContainExactly listOf("two", null)
    }

    test("a turn after one with tools calls them again") {
        val first = answer("The weather?") { tool(weather) }
        first.finishReason!!.kind shouldBe FinishReason.Kind.TOOL_CALLS
        answer("The weather?") {
            tool(weather)
            message(first.toMessage())
            toolResult("demo_call_0", "weather", "18 °C")
            assistant("It is 18 °C.")
            user("And the weather in Rome?")
        }.toolCalls.single().arguments shouldBe """{"city":"Rome"}"""
    }
})
