package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.longs.shouldBeGreaterThan
import io.kotest.matchers.longs.shouldBeInRange
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private fun keys(body: String): Set<String> = (Json.parseToJsonElement(body) as JsonObject).keys

/** A server that answers as [answer] does, a client whose provider [name] is that server, and [test]. */
private suspend fun served(
    name: String,
    protocol: String?,
    answer: LoopbackExchange.(LoopbackRequest) -> Unit,
    test: suspend (Llm, LoopbackServer) -> Unit,
) {
    LoopbackServer(answer).use { server ->
        val llm = client {
            provider(name) {
                baseUrl = server.url
                apiKey = "sk-secret"
                protocol?.let { this.protocol = it }
            }
        }
        llm.use { test(it, server) }
    }
}

class CountTokensSpec : FunSpec({
    test("Anthropic counts itself: the request is sent to be counted, and not answered") {
        served("anthropic", null, { whole("""{"input_tokens": 2095}""") }) { llm, server ->
            val call = llm.countTokens("anthropic/claude-sonnet-4") {
                system("Be short.")
                user("Hello")
                maxTokens = 100
                temperature = 0.2
            }
            server.requests.size shouldBe 0
            val counted = call.await()
            counted.count shouldBe 2095
            counted.isEstimated shouldBe false
            counted.source shouldBe "anthropic"
            call.get() shouldBe counted
            val request = server.requests.single()
            request.path shouldBe "/v1/messages/count_tokens"
            request.header("x-api-key") shouldBe "sk-secret"
            keys(request.body) shouldBe setOf("model", "messages", "system")
            llm.costs().isEmpty() shouldBe true
        }
    }

    test("Gemini counts the whole request") {
        served("gemini", null, { whole("""{"totalTokens": 31}""") }) { llm, server ->
            llm.countTokens("gemini/gemini-2.5-flash", "Hello").await().count shouldBe 31
            server.requests.single().path shouldBe "/v1beta/models/gemini-2.5-flash:countTokens"
            server.requests.single().body shouldContain "\"model\":\"models/gemini-2.5-flash\""
        }
    }

    test("Bedrock counts a Converse request") {
        served("bedrock", null, { whole("""{"inputTokens": 7}""") }) { llm, server ->
            llm.countTokens("bedrock/anthropic.claude-3-haiku-20240307-v1:0", "Hello").await().count shouldBe 7
            server.requests.single().path shouldBe "/model/anthropic.claude-3-haiku-20240307-v1%3A0/count-tokens"
            server.requests.single().body shouldContain "{\"input\":{\"converse\":{\"messages\":"
        }
    }

    test("an image is counted as the chat would send it: by its URL, or by its content, which is fetched under the same policy") {
        served("anthropic", null, { whole("""{"input_tokens": 1500}""") }) { llm, server ->
            val question: ChatRequestBuilder.() -> Unit = { user("What is it?") { image("https://cdn.example/cat.png") } }
            llm.countTokens("anthropic/claude-sonnet-4", question).await().count shouldBe 1500
            server.requests.single().body shouldContain "\"url\":\"https://cdn.example/cat.png\""
        }
        served("bedrock", null, { whole("""{"inputTokens": 7}""") }) { llm, server ->
            val png = byteArrayOf(0x89.toByte(), 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 1)
            llm.countTokens("bedrock/anthropic.claude-3-haiku-20240307-v1:0") { user("?") { image(png) } }.await().count shouldBe 7
            server.requests.single().body shouldContain "\"bytes\":\"iVBORw0KGgo"
            val refused = shouldThrow<LlmException.InvalidRequest> {
                llm.countTokens("bedrock/anthropic.claude-3-haiku-20240307-v1:0") { user("?") { image("http://printer.local/a.png") } }.await()
            }
            refused.message!! shouldContain "Image 1 of message 1 at printer.local cannot be fetched"
            server.requests.size shouldBe 1
        }
    }

    test("a server that counts texts only: images are estimated, and the count says so") {
        val answer: LoopbackExchange.(LoopbackRequest) -> Unit = { request ->
            when {
                request.path == "/apply-template" -> whole("""{"prompt": "<image> Hello"}""")
                "content" in keys(request.body) -> whole("""{"tokens": [1, 2, 3, 4, 5]}""")
                else -> whole("""{"tokens": []}""")
            }
        }
        served("my-llama", null, answer) { llm, _ ->
            val counted = llm.countTokens("my-llama/model") { user("Hello") { image("https://cdn.example/a.png") } }.await()
            counted.count shouldBe 1005
            counted.isEstimated shouldBe true
        }
        served("vllm", null, { whole("""{"count": 12}""") }) { llm, _ ->
            val counted = llm.countTokens("vllm/model") {
                user("Hello") { image("https://cdn.example/a.png") }
                toolResult(Part.ToolResult("1", "look", listOf(Part.Image("https://cdn.example/b.png"))))
            }.await()
            counted.count shouldBe 2012
            counted.isEstimated shouldBe true
        }
    }

    test("LiteLLM counts by the provider, or estimates and says so") {
        for ((tokenizer, isEstimated) in listOf("anthropic_api" to false, "openai_tokenizer" to true)) {
            served("litellm_proxy", null, { whole("""{"total_tokens": 8, "tokenizer_type": "$tokenizer"}""") }) { llm, server ->
                for (model in listOf("litellm_proxy/gpt-4o", "litellm_proxy/responses/gpt-4o")) {
                    val counted = llm.countTokens(model, "Hello").await()
                    counted.count shouldBe 8
                    counted.isEstimated shouldBe isEstimated
                    server.requests.last().path shouldBe "/utils/token_counter"
                }
            }
        }
    }

    test("llama.cpp applies its template and splits the prompt") {
        val answer: LoopbackExchange.(LoopbackRequest) -> Unit = { request ->
            when {
                request.path == "/apply-template" -> whole("""{"prompt": "<s>[INST] Hello [/INST]"}""")
                "content" in keys(request.body) -> whole("""{"tokens": [1, 2, 3, 4, 5]}""")
                else -> whole("""{"tokens": []}""")
            }
        }
        served("my-llama", null, answer) { llm, server ->
            val counted = llm.countTokens("my-llama/model", "Hello").await()
            counted.count shouldBe 5
            counted.isEstimated shouldBe false
            server.requests.map { it.path } shouldContainExactly listOf("/tokenize", "/apply-template", "/tokenize")
        }
    }

    test("vLLM counts messages in one request") {
        served("vllm", null, { whole("""{"count": 12, "max_model_len": 4096, "tokens": [1]}""") }) { llm, server ->
            llm.countTokens("vllm/model", "Hello").await().count shouldBe 12
            server.requests.size shouldBe 1
        }
    }

    test("without an endpoint the count is an estimate that says so") {
        client("GROQ_API_KEY" to "k").use { llm ->
            val counted = llm.countTokens("groq/llama-3.1-8b-instant", "The quick brown fox jumps over the lazy dog.").await()
            counted.isEstimated shouldBe true
            counted.source shouldContain "jtokkit"
            counted.count shouldBeInRange 10L..20L
            llm.countTokens("demo/echo", "hi").get().isEstimated shouldBe true
            llm.countTokens(ChatFixture.request).get().isEstimated shouldBe true
        }
        val missing = listOf<LoopbackExchange.(LoopbackRequest) -> Unit>(
            { whole("""{"error":{"message":"Not Found"}}""", 404) },
            { whole("""{"error":"Unexpected endpoint or method. (POST /tokenize)"}""") }, // LM Studio
            { whole("<html>no</html>", 405, type = "text/html") },
        )
        for (answer in missing) {
            served("my-server", null, answer) { llm, _ -> llm.countTokens("my-server/model", "Hello").await().isEstimated shouldBe true }
        }
    }

    test("without JTokkit four bytes of UTF-8 are a token; nothing counts as zero") {
        val bytes = TokenEstimate.forModel("gpt-4o", useJtokkit = false)
        bytes.source shouldBe "UTF-8 bytes / 4"
        bytes.of(listOf(Message.user("a".repeat(400)))) shouldBe 104
        bytes.of(listOf(Message.user("\u6C34".repeat(400)))) shouldBe 304
        for (estimate in listOf(bytes, TokenEstimate.forModel("gpt-4o"), TokenEstimate.forModel("gpt-3.5-turbo"))) {
            val call = Message(Role.ASSISTANT, listOf(Part.ToolCall("c", "look", "{\"a\":1}")))
            estimate.of(listOf(call)) shouldBeGreaterThan estimate.of(listOf(Message.user("")))
            estimate.of(listOf(Message(Role.ASSISTANT, listOf(Part.Raw("search", "x".repeat(400), "a-wire"))))) shouldBe 104
            estimate.of(listOf(Message(Role.USER, listOf(Part.Image("https://example.com/a.png"))))) shouldBeGreaterThan 500
        }
    }

    test("an error of the provider is the failure of the call, without the key") {
        served("anthropic", null, { whole("""{"error":{"type":"authentication_error","message":"bad key sk-secret"}}""", 401) }) { llm, _ ->
            val failure = shouldThrow<LlmException.Authentication> { llm.countTokens("anthropic/claude-sonnet-4", "Hello").await() }
            failure.message!! shouldNotContain "sk-secret"
            failure.status shouldBe 401
        }
        served("anthropic", null, { whole("<html>no</html>", type = "text/html") }) { llm, _ ->
            llm.countTokens("anthropic/claude-sonnet-4", "Hello").await().isEstimated shouldBe true // another server than Anthropic's
        }
    }

    test("a response that is cut, or has no count, is no count") {
        val cut: LoopbackExchange.(LoopbackRequest) -> Unit = {
            head(200, "Content-Length" to "100", "Content-Type" to "application/json")
            write("""{"input_tokens": 20""")
            cut()
        }
        served("anthropic", null, cut) { llm, _ ->
            shouldThrow<LlmException.StreamInterrupted> { llm.countTokens("anthropic/claude-sonnet-4", "Hello").await() }
        }
        served("anthropic", null, { whole("{}") }) { llm, _ ->
            shouldThrow<LlmException.MalformedResponse> { llm.countTokens("anthropic/claude-sonnet-4", "Hello").await() }
        }
    }

    test("deadlines end a count, and cancelling closes its connection") {
        served("anthropic", null, { hold() }) { llm, server ->
            val slow = llm.countTokens("anthropic/claude-sonnet-4") {
                user("Hello")
                timeouts { total = 300.milliseconds }
            }
            shouldThrow<LlmException.Timeout> { slow.await() }.phase shouldBe LlmException.Timeout.Phase.TOTAL
            server.awaitClosed(5.seconds) shouldBe true
            coroutineScope {
                val waiting = async(start = CoroutineStart.UNDISPATCHED) { llm.countTokens("anthropic/claude-sonnet-4", "Hello").await() }
                while (server.requests.size < 2) server.awaitRequest()
                waiting.cancelAndJoin()
            }
            server.awaitClosed(5.seconds) shouldBe true
            val cancelled = llm.countTokens("anthropic/claude-sonnet-4", "Hello")
            cancelled.cancel()
            shouldThrow<LlmException.Cancelled> { cancelled.get() }
        }
    }

    test("a model behind interceptors, an alias and a model of another client are counted by their provider") {
        served("anthropic", null, { whole("""{"input_tokens": 3}""") }) { llm, _ ->
            val wrapped = llm.model("anthropic/claude-sonnet-4").with(Interceptor { request, next -> next.stream(request) })
            client().use { other ->
                other.countTokens(ChatRequest.build(wrapped) { user("hi") }).await().count shouldBe 3
            }
        }
    }
})

private object ChatFixture {
    val request = ChatRequest.build(Models.simple { it }) { user("hi") }
}
