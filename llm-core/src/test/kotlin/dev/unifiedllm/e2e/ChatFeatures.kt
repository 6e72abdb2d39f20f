package dev.unifiedllm.e2e

import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.Serializable
import java.util.Base64
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.time.Duration.Companion.seconds

/** What a tool of the test is asked for. */
@Serializable
internal data class Forecast(val city: String, val days: Int)

@Serializable
internal data class Company(val name: String, val employees: Int)

/** A feature of chats that runs on every wire, streamed and whole. [run] asserts what the caller gets and, where the server shows it, what was sent. */
internal class ChatFeature(val name: String, val run: suspend Caller.() -> Unit)

/** The wires that match a result with its call by their order. */
private val WITHOUT_CALL_IDS = setOf("gemini-generate", "vertex-gemini", "ollama-chat")

private const val TOOL = "get_weather"

private fun ChatRequestBuilder.weather(asked: MutableList<Forecast>, answer: suspend (Forecast) -> String) {
    tool(TOOL, "The weather in a city") { forecast: Forecast ->
        asked += forecast
        answer(forecast)
    }
}

private val ChatResponse.allCalls: List<Part.ToolCall> get() = messages.flatMap { it.parts }.filterIsInstance<Part.ToolCall>()

/** The first request has no result; the second has the calls with their arguments, and one result for each of them. */
private fun Caller.checkSecondTurn(response: ChatResponse, arguments: List<Forecast>, vararg results: String) {
    val requests = sent() ?: return
    withClue({ requests.joinToString("\n") }) {
        requests shouldHaveSize 2
        requests.first().toolCalls(TOOL).shouldBeEmpty()
        requests.first().resultIds().shouldBeEmpty()
        val second = requests.last()
        second.toolCalls(TOOL) shouldBe arguments.map { mapOf("city" to it.city, "days" to it.days.toString()) }
        if (seen!!.wire !in WITHOUT_CALL_IDS) second.resultIds() shouldBe response.allCalls.map { it.id }
        for (result in results) second.strings().count { result in it } shouldBe 1
    }
}

internal val chatFeatures: List<ChatFeature> = listOf(
    ChatFeature(RealServerFeature.TOOL_LOOP) {
        val asked = CopyOnWriteArrayList<Forecast>()
        val reply = ask("the forecast for Paris") { weather(asked) { "21.5 degrees" } }
        val events = reply.events().toList()
        val response = reply.await()
        asked shouldBe listOf(Forecast("Paris", 2))
        response.text shouldBe "Paris has 21.5 degrees."
        response.finishReason.shouldNotBeNull().kind shouldBe Kind.STOP
        response.steps.single().reason.kind shouldBe Kind.TOOL_CALLS
        response.messages.map { it.role } shouldBe listOf(Role.ASSISTANT, Role.TOOL, Role.ASSISTANT)
        events.filterIsInstance<Delta.ToolResult>().single().run { text to error } shouldBe ("21.5 degrees" to null)
        events.indexOfFirst { it is Delta.StepFinish } shouldBeGreaterThan events.indexOfLast { it is Delta.ToolCallDelta }
        checkSecondTurn(response, asked, "21.5 degrees")
    },
    ChatFeature(RealServerFeature.PARALLEL_TOOLS) {
        val asked = CopyOnWriteArrayList<Forecast>()
        val second = CompletableDeferred<Unit>()
        val response = answer("the forecasts for two cities") {
            weather(asked) { forecast ->
                // The first call ends after the second one has: they run at the same time, and keep their order.
                if (forecast.city == "Paris") withTimeout(10.seconds) { second.await() } else second.complete(Unit)
                if (forecast.city == "Paris") "21.5 degrees" else "-3.5 degrees"
            }
        }
        asked.toSet() shouldBe setOf(Forecast("Paris", 1), Forecast("Łódź", 3))
        response.text shouldBe "Paris has 21.5 degrees, Łódź has -3.5."
        response.steps.single().reason.kind shouldBe Kind.TOOL_CALLS
        response.allCalls.map { it.id }.distinct() shouldHaveSize 2
        response.messages.flatMap { it.parts }.filterIsInstance<Part.ToolResult>().map { it.text } shouldBe listOf("21.5 degrees", "-3.5 degrees")
        checkSecondTurn(response, listOf(Forecast("Paris", 1), Forecast("Łódź", 3)), "21.5 degrees", "-3.5 degrees")
    },
    ChatFeature(RealServerFeature.TEXT_AND_TOOL) {
        val asked = CopyOnWriteArrayList<Forecast>()
        val response = answer("say it, then look it up") { weather(asked) { "21.5 degrees" } }
        asked shouldBe listOf(Forecast("Rome", 1))
        val first = response.messages.first()
        first.text shouldBe "I look it up."
        first.parts.filterIsInstance<Part.ToolCall>().single().name shouldBe TOOL
        response.text shouldBe "It is 21.5 degrees."
        checkSecondTurn(response, asked, "21.5 degrees", "I look it up.")
    },
    ChatFeature(RealServerFeature.FAILED_TOOL) {
        val asked = CopyOnWriteArrayList<Forecast>()
        val reply = ask("the forecast for nowhere") { weather(asked) { error("no such city") } }
        val result = reply.events().toList().filterIsInstance<Delta.ToolResult>().single()
        result.error.shouldNotBeNull().message shouldBe "no such city"
        val response = reply.await()
        response.text shouldBe "There is no such city."
        response.finishReason.shouldNotBeNull().kind shouldBe Kind.STOP
        checkSecondTurn(response, asked, "no such city")
    },
    ChatFeature(RealServerFeature.TOOL_USAGE) {
        val response = answer("the forecast for Paris") { weather(mutableListOf()) { "21.5 degrees" } }
        response.steps.single().usage.shouldNotBeNull().run { inputTokens to outputTokens } shouldBe (20L to 5L)
        response.usage.shouldNotBeNull().run { inputTokens to outputTokens } shouldBe (60L to 14L)
    },
    ChatFeature(RealServerFeature.TYPED_ANSWER) {
        val reply = ask("one company, please")
        reply.awaitAs<Company>() shouldBe Company("Acme é", 12)
        val response = reply.await()
        response.warnings.filter { "refused" in it || "again" in it }.shouldBeEmpty()
        response.finishReason.shouldNotBeNull().kind shouldBe Kind.STOP
        val request = sent()?.single() ?: return@ChatFeature
        withClue({ request.toString() }) { request.schemaOfAnswer(seen!!.wire)?.required() shouldBe listOf("name", "employees") }
    },
    ChatFeature(RealServerFeature.PARTIAL_VALUES) {
        val values = ask("one company, please").partials<Company>().toList()
        values.last() shouldBe Company("Acme é", 12)
        values.distinct() shouldBe values
    },
    ChatFeature(RealServerFeature.REPAIRED_ANSWER) {
        val reply = ask("a company in words")
        reply.awaitAs<Company>() shouldBe Company("Acme", 12)
        reply.await().warnings.single { "asked once again" in it } shouldContain "employees"
        val requests = sent() ?: return@ChatFeature
        requests shouldHaveSize 2
        requests.last().strings().count { it == """{"name":"Acme","employees":"a dozen"}""" } shouldBe 1
    },
    ChatFeature(RealServerFeature.REASONING) {
        val reply = ask("add two and two slowly") { reasoning = Effort.LOW }
        val events = reply.events().toList()
        val response = reply.await()
        response.reasoning shouldBe "Two and two make four, and that is even."
        response.text shouldBe "The answer is 4."
        if (!isStreamed) return@ChatFeature // the fields of a whole message have no order
        events.indexOfFirst { it is Delta.Text && it.isContent } shouldBeGreaterThan events.indexOfLast { it is Delta.Reasoning && it.text.isNotEmpty() }
        events.filterIsInstance<Delta.Reasoning>().count { it.text.isNotEmpty() } shouldBeGreaterThan 1
        // LiteLLM sends the signature of Anthropic's reasoning after the text.
        response.toMessage().parts.take(2).map { it.javaClass.simpleName } shouldBe listOf("Reasoning", "Text")
    },
    ChatFeature(RealServerFeature.VISION) {
        val response = chat { user("what is in the picture?") { image(RED_DOT) } }.await()
        response.text shouldBe "A red dot."
        response.warnings.filter { "image" in it }.shouldBeEmpty()
        val strings = sent()?.single()?.strings() ?: return@ChatFeature
        strings.count { Base64.getEncoder().encodeToString(RED_DOT) in it } shouldBe 1
    },
)

/** A PNG of one pixel. */
internal val RED_DOT: ByteArray = Base64.getDecoder().decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
)
