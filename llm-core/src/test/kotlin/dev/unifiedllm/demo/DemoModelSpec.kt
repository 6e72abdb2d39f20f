package dev.unifiedllm.demo

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.cosineSimilarity
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.chat.imageRequest
import dev.unifiedllm.chat.toResponse
import dev.unifiedllm.client
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.doubles.shouldBeGreaterThan
import io.kotest.matchers.doubles.shouldBeLessThan
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.shouldNotBe
import io.kotest.matchers.string.shouldBeEmpty
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.test.runTest
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import javax.imageio.ImageIO

private fun request(prompt: String = "Why is the sky blue?", block: ChatRequestBuilder.() -> Unit = {}) = ChatRequest.build("demo/any") {
    user(prompt)
    providerOptions { put("tokensPerSecond", 0) }
    block()
}

private val weather = Tool.of(
    "weather",
    "Current weather",
    """{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["C","F"]},"wet":{"type":"boolean"}}}""",
)

@Serializable
private data class Item(val name: String, val price: Double)

@Serializable
private sealed interface Payment {
    @Serializable
    @SerialName("card")
    data class Card(val number: String) : Payment

    @Serializable
    @SerialName("cash")
    data object Cash : Payment
}

@Serializable
private data class Order(val id: String, val items: List<Item>, val payment: Payment, val next: Order? = null, val paid: Boolean)

@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class DemoModelSpec : FunSpec({
    context("the same prompt gets the same response, which names the demo model:") {
        withData("echo", "assistant", "storyteller", "reasoner", "tools", "researcher", "illustrator", "slow") { name ->
            val first = DemoModel(name).stream(request()).toList()
            first shouldContainExactly DemoModel(name).stream(request()).toList()
            val answer = DemoModel(name).stream(request()).toResponse()
            answer.text.lowercase() shouldContain "demo model"
            answer.finishReason shouldBe FinishReason.STOP
            answer.usage.shouldNotBeNull().totalTokens.shouldNotBeNull().toInt() shouldBeGreaterThan 5
            answer.model shouldBe ModelId("demo", name)
        }
    }

    test("the deltas are words that join to the text") {
        val pieces = DemoModel("storyteller").stream(request()).toList().filterIsInstance<Delta.Text>().map { it.text }
        pieces.size shouldBeGreaterThan 50
        pieces.joinToString("") shouldStartWith "*This is the demo model"
        DemoModel.words("a  b\n\nc \n") shouldContainExactly listOf("a", "  b", "\n\nc \n")
        DemoModel.words("") shouldContainExactly emptyList()
        DemoModel("echo").stream(request("")).toResponse().text shouldStartWith "The demo model"
    }

    test("another prompt gets another story") {
        DemoModel("storyteller").stream(request("trains")).toResponse().text shouldNotBe DemoModel("storyteller").stream(request("ships")).toResponse().text
    }

    test("tokensPerSecond sets the speed") {
        runTest {
            val words = DemoModel("echo").stream(request { providerOptions { put("tokensPerSecond", 10) } }).toList().count { it is Delta.Text }
            testScheduler.currentTime shouldBe (words + 1) * 100L
        }
        runTest {
            DemoModel("echo").stream(request()).toList()
            testScheduler.currentTime shouldBe 0
        }
    }

    test("demo/reasoner always reasons, the others if the request asks for it, and reasoning counts as output") {
        val reasoned = DemoModel("reasoner").stream(request()).toResponse()
        reasoned.reasoning shouldContain "Why is the sky blue?"
        reasoned.usage!!.reasoningTokens.shouldNotBeNull().toInt() shouldBeGreaterThan 3
        (reasoned.usage.outputTokens!! > reasoned.usage.reasoningTokens) shouldBe true
        DemoModel("echo").stream(request { reasoning = Effort.LOW }).toResponse().reasoning shouldContain "demo model"
        DemoModel("echo").stream(request { reasoning = Effort.NONE }).toResponse().reasoning.shouldBeEmpty()
        DemoModel("echo").stream(request()).toResponse().reasoning.shouldBeEmpty()
    }

    test("maxTokens ends the response with LENGTH") {
        val answer = DemoModel("storyteller").stream(request { maxTokens = 7 }).toResponse()
        answer.finishReason!!.kind shouldBe FinishReason.Kind.LENGTH
        answer.usage!!.outputTokens shouldBe 7
    }

    test("each tool is called once with arguments that fit its schema; with the results comes text") {
        val first = DemoModel("tools").stream(request { tool(weather) }).toResponse()
        first.finishReason!!.kind shouldBe FinishReason.Kind.TOOL_CALLS
        val call = first.toolCalls.single()
        call.name shouldBe "weather"
        call.arguments shouldBe """{"city":"city","days":1,"unit":"C","wet":true}"""
        val second = request {
            tool(weather)
            message(first.toMessage())
            toolResult(call.id, call.name, "18 °C")
        }
        DemoModel("tools").stream(second).toResponse().text shouldContain "has the results of the tools"
        DemoModel("tools").stream(request()).toResponse().toolCalls.size shouldBe 0
    }

    test("demo/error fails; demo/cut stops halfway with the partial text") {
        shouldThrow<LlmException.Overloaded> { DemoModel("error").stream(request()).toList() }.let {
            it.status shouldBe 503
            it.isRetryable shouldBe true
        }
        client().use { llm ->
            val request = ChatRequest.build("demo/cut") {
                user("hello")
                providerOptions { put("tokensPerSecond", 0) }
            }
            val cut = shouldThrow<LlmException.StreamInterrupted> { llm.chat(request).await() }
            cut.partial!!.text shouldStartWith "This is the demo model"
            cut.partial!!.finishReason shouldBe null
        }
    }

    test("an unknown demo model fails with a list of the demo models") {
        client().use { llm ->
            val message = shouldThrow<LlmException.NotFound> { llm.chat("demo/nobody", "hello").await() }.message!!
            for (name in DemoScript.names) message shouldContain "demo/$name"
        }
    }

    test("a JSON schema as the response format gets JSON that fits it, in several pieces") {
        val schema = """
            {"type":"object","properties":{"value":{"type":"array","items":{"DOLLARref":"#/DOLLARdefs/Movie"}}},
             "DOLLARdefs":{"Movie":{"type":"object","properties":{
               "title":{"type":["string","null"]}, "year":{"type":"integer"}, "genre":{"type":"string","enum":["DRAMA","COMEDY"]},
               "seen":{"type":"string","format":"date"}, "sequel":{"anyOf":[{"DOLLARref":"#/DOLLARdefs/Movie"},{"type":"null"}]}}}}}
        """.replace("DOLLAR", "\$")
        val deltas = DemoModel("storyteller").stream(request { responseFormat = ResponseFormat.jsonSchema("movies", schema) }).toList()
        deltas.count { it is Delta.Text } shouldBeGreaterThan 10
        val movies = Json.parseToJsonElement(ChatResponse.of(deltas).text).jsonObject.getValue("value").jsonArray.map { it.jsonObject }
        movies.map { it.getValue("title") } shouldContainExactly listOf("title 1", "title 2").map(::JsonPrimitive)
        movies.map { it.getValue("year") } shouldContainExactly listOf(1, 2).map(::JsonPrimitive)
        movies.map { it.getValue("genre") } shouldContainExactly listOf("DRAMA", "COMEDY").map(::JsonPrimitive)
        movies.first().getValue("seen") shouldBe JsonPrimitive("2026-01-01")
        generateSequence(movies.first()) { it["sequel"] as? JsonObject }.toList().last()["sequel"] shouldBe JsonNull // a recursive type ends
    }

    test("typed answers of all kinds are read") {
        client().use { llm ->
            val order = llm.chat("demo/echo", "?").awaitAs<Order>()
            order.copy(next = null) shouldBe Order("id", listOf(Item("name 1", 1.0), Item("name 2", 2.0)), Payment.Card("number"), null, true)
            llm.chat("demo/echo", "?").awaitAs<List<Item>>() shouldContainExactly listOf(Item("name 1", 1.0), Item("name 2", 2.0))
            llm.chat("demo/echo", "?").awaitAs<DemoKind>() shouldBe DemoKind.CHAT
            llm.chat("demo/echo", "?").awaitAs<Int>() shouldBe 1
        }
    }

    test("demo/embedder: texts that share words are similar") {
        client().use { llm ->
            val response = llm.embed("demo/embedder", listOf("a cat sleeps", "the cat sleeps", "trains run")).await()
            val (cat, same, train) = response.vectors
            cat.cosineSimilarity(same) shouldBeGreaterThan 0.5
            cat.cosineSimilarity(train) shouldBeLessThan 0.3
            cat shouldBe llm.embed("demo/embedder", "a cat sleeps").await().vector
            response.dimensions shouldBe 256
            response.usage?.inputTokens shouldBe 8
            (response.cost as Cost.Known).source shouldBe "demo"
            llm.embed("demo/embedder") {
                input("a")
                dimensions = 8
            }.await().dimensions shouldBe 8
        }
    }

    test("demo/painter: PNG images of the asked size, with previews, the same for the same prompt and seed") {
        client().use { llm ->
            val reply = llm.image("demo/painter") {
                prompt = "a hill"
                size = "120x80"
                n = 2
                partialImages = 1
            }
            val previews = reply.events().toList().filterIsInstance<Delta.Media>().map { it.isPartial }
            previews shouldContainExactly listOf(true, false, true, false)
            val response = reply.await()
            val (first, second) = response.images.map { it.bytes() }
            val drawn = ImageIO.read(first.inputStream())
            (drawn.width to drawn.height) shouldBe (120 to 80)
            first.contentEquals(second) shouldBe false
            first.contentEquals(reply.again().await().images.first().bytes()) shouldBe true
            response.cost.usd() shouldBe Usd.of("0.02")
            llm.image("demo/painter") {
                prompt = "a hill"
                size = "16:9"
            }.await().warnings.single() shouldContain "16:9"
        }
    }

    test("a demo model refuses requests of another kind and names one that takes them") {
        client().use { llm ->
            shouldThrow<LlmException.InvalidRequest> { llm.chat("demo/painter", "hello").await() }.message shouldContain "demo/echo"
            shouldThrow<LlmException.InvalidRequest> { llm.embed("demo/echo", "hello").await() }.message shouldContain "demo/embedder"
            shouldThrow<LlmException.InvalidRequest> { llm.image("demo/embedder", "hello").await() }.message shouldContain "demo/painter"
        }
    }

    test("other requests than chats are refused") {
        for (other in listOf(imageRequest(ModelId("demo", "echo"), "a cat"), embeddingRequest(ModelId("demo", "echo"), listOf("a")))) {
            shouldThrow<LlmException.InvalidRequest> { DemoModel("echo").stream(other).toList() }.kind shouldBe LlmException.InvalidRequest.Kind.UNSUPPORTED
        }
    }

    test("a demo model is never the default model") {
        client().use { llm -> shouldThrow<LlmException.Configuration> { llm.chat { user("hello") }.await() } }
    }
})
