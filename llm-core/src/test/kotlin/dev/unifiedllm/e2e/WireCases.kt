package dev.unifiedllm.e2e

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotBeEmpty
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlin.time.Duration.Companion.seconds

/** The requests with a test id as a server got them, on the wire [wire]. */
internal class SeenRequests(val wire: String, val withTestId: (String) -> List<JsonElement>)

/** Sends requests to one model, streamed or whole. aimock counts the requests with the same [id] together. [seen] is null where nothing shows the requests. */
internal class Caller(private val llm: Llm, val model: String, val delivery: Delivery, private val id: String, val seen: SeenRequests? = null) {
    private val testId = id.filter { it.isLetterOrDigit() }
    val isStreamed: Boolean get() = delivery == Delivery.STREAM

    fun ask(prompt: String, block: ChatRequestBuilder.() -> Unit = {}) = chat {
        user(prompt)
        block()
    }

    fun chat(block: ChatRequestBuilder.() -> Unit) = llm.chat(model) {
        delivery = this@Caller.delivery
        extraHeader("X-Test-Id", testId)
        block()
    }

    /** What was sent; null where nothing shows it. */
    fun sent(): List<JsonElement>? = seen?.withTestId?.invoke(testId)

    suspend fun answer(prompt: String, block: ChatRequestBuilder.() -> Unit = {}): ChatResponse = ask(prompt, block).await()

    suspend inline fun <reified E : LlmException> failure(prompt: String): E {
        val thrown = shouldThrow<LlmException> { answer(prompt) }
        withClue({ thrown.toString() }) { thrown::class shouldBe E::class }
        thrown.message!!.shouldContain(model.substringAfterLast('/'))
        return thrown as E
    }
}

/** A test that runs on every protocol. */
internal class WireCase(val name: String, val streamedOnly: Boolean = false, val run: suspend Caller.() -> Unit) {
    override fun toString(): String = name
}

private fun tool(name: String, property: String) =
    Tool.of(name, "A tool of the test", """{"type":"object","properties":{"$property":{"type":"string"}},"required":["$property"]}""")

private val tools: ChatRequestBuilder.() -> Unit = {
    tool(tool("get_weather", "city"))
    tool(tool("get_time", "zone"))
}

private fun arguments(text: String) = Json.parseToJsonElement(text) as JsonObject

internal val wireCases: List<WireCase> = listOf(
    WireCase("a text") {
        val reply = ask("hello")
        val pieces = reply.events().toList().filterIsInstance<Delta.Text>()
        val response = reply.await()
        response.text shouldBe "Hello! What can I do for you?"
        response.finishReason!!.kind shouldBe Kind.STOP
        if (isStreamed) pieces.size shouldBeGreaterThan 1
    },
    WireCase("usage") {
        val usage = answer("hello").usage.shouldNotBeNull()
        usage.inputTokens shouldBe 11
        usage.outputTokens shouldBe 8
    },
    WireCase("other alphabets") { answer("other alphabets").text shouldBe "Zażółć gęślą jaźń — 日本語 — конец" },
    WireCase("surrogate pairs that are split between chunks") { answer("some faces").text shouldBe "a 😀👩‍👩‍👧 end" },
    WireCase("reasoning") {
        val response = answer("reason first")
        response.reasoning shouldBe "Two and two make four."
        response.text shouldBe "The answer is 4."
    },
    WireCase("a tool call, and the turn after it") {
        val first = answer("what is the weather?", tools)
        val call = first.toolCalls.single()
        call.name shouldBe "get_weather"
        arguments(call.arguments) shouldBe arguments("""{"city":"Paris","unit":"c"}""")
        answer("what is the weather?") {
            tools()
            message(first.toMessage())
            toolResult(call.id, call.name, "21")
        }.text shouldBe "Paris has 21 degrees."
    },
    WireCase("a turn after a text") {
        val first = answer("hello")
        answer("hello") {
            message(first.toMessage())
            user("other alphabets")
        }.text shouldBe "Zażółć gęślą jaźń — 日本語 — конец"
    },
    WireCase("a turn after reasoning") {
        val first = answer("reason first")
        answer("reason first") {
            message(first.toMessage())
            user("hello")
        }.text shouldBe "Hello! What can I do for you?"
    },
    WireCase("a turn after two tool calls") {
        val first = answer("use both tools", tools)
        answer("use both tools") {
            tools()
            message(first.toMessage())
            for ((call, result) in first.toolCalls.zip(listOf("21", "12:00"))) toolResult(call.id, call.name, result)
        }.text shouldBe "Łódź has 21 degrees at noon."
    },
    WireCase("a turn after reasoning, a text and a tool call") {
        val first = answer("think, then use a tool", tools)
        val call = first.toolCalls.single()
        answer("think, then use a tool") {
            tools()
            message(first.toMessage())
            toolResult(call.id, call.name, "21")
        }.text shouldBe "Oslo has 21 degrees."
    },
    WireCase("a turn after a tool call whose id is long") {
        val id = "call_" + "x".repeat(101)
        answer("what is the weather?") {
            tools()
            message(Message(Role.ASSISTANT, listOf(Part.ToolCall(id, "get_weather", """{"city":"Paris"}"""))))
            toolResult(id, "get_weather", "21")
        }.text shouldBe "Paris has 21 degrees."
    },
    WireCase("the finish reason of a tool call") { answer("what is the weather?", tools).finishReason!!.kind shouldBe Kind.TOOL_CALLS },
    WireCase("two tool calls at once") {
        val calls = answer("use both tools", tools).toolCalls
        calls.map { it.name } shouldBe listOf("get_weather", "get_time")
        calls.map { arguments(it.arguments) } shouldBe listOf(arguments("""{"city":"Łódź"}"""), arguments("""{"zone":"Europe/Warsaw"}"""))
        calls.map { it.id }.distinct() shouldHaveSize 2
    },
    WireCase("text before a tool call") {
        val response = answer("words, then a tool", tools)
        response.text shouldBe "I look it up."
        response.toolCalls.single().name shouldBe "get_weather"
    },
    WireCase("a response with a JSON schema") {
        val schema = """{"type":"object","properties":{"name":{"type":"string"},"employees":{"type":"integer"}},"required":["name","employees"]}"""
        val response = answer("the company as JSON") { responseFormat = ResponseFormat.JsonSchema("company", arguments(schema)) }
        arguments(response.text) shouldBe arguments("""{"name":"Acme","employees":12}""")
    },
    WireCase("a response that reached its token limit") {
        val response = answer("too few tokens") { maxTokens = 3 }
        response.text shouldBe "Stopped by the len"
        response.finishReason!!.kind shouldBe Kind.LENGTH
    },
    WireCase("a truncated stream", streamedOnly = true) {
        val error = failure<LlmException.StreamInterrupted>("this will be cut")
        val text = error.partial.shouldNotBeNull().text
        text.shouldNotBeEmpty()
        "This sentence loses its end on the way, and nobody will ever read it." shouldStartWith text
        text.length shouldBeLessThan 68
        error.partial?.finishReason shouldBe null
    },
    WireCase("a consumer that cancels", streamedOnly = true) {
        ask("a slow story").deltas().take(2).toList().joinToString("").shouldNotBeEmpty()
        answer("hello").text.shouldNotBeEmpty()
    },
    WireCase("a wrong key: 401") { failure<LlmException.Authentication>("answer 401").status shouldBe 401 },
    WireCase("not allowed: 403") { failure<LlmException.PermissionDenied>("answer 403").isRetryable shouldBe false },
    WireCase("an invalid request: 400") { failure<LlmException.InvalidRequest>("answer 400").message!! shouldContain "No such field" },
    WireCase("not found: 404") { failure<LlmException.NotFound>("nobody has an answer to this").status shouldBe 404 },
    WireCase("too many requests: 429") {
        val error = failure<LlmException.RateLimited>("answer 429")
        error.isRetryable shouldBe true
        error.retryAfter shouldBe 2.seconds
        error.message!! shouldContain "Slow down"
    },
    WireCase("broken: 500") { failure<LlmException.ServerError>("answer 500").isRetryable shouldBe true },
    WireCase("overloaded: 529") { failure<LlmException.Overloaded>("answer 529").isRetryable shouldBe true },
    WireCase("a prompt that is too long") { failure<LlmException.ContextLengthExceeded>("too much text").isRetryable shouldBe false },
    WireCase("a body that is not JSON") { failure<LlmException.MalformedResponse>("broken JSON") },
    WireCase("a connection that is closed before the response") { failure<LlmException.Network>("hang up").isRetryable shouldBe true },
    WireCase("429, then 503, then a response") {
        failure<LlmException.RateLimited>("third time").retryAfter shouldBe 1.seconds
        failure<LlmException.ServerError>("third time").status shouldBe 503
        answer("third time").text shouldBe "Third time lucky."
    },
)
