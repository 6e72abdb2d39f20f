package dev.unifiedllm

import dev.unifiedllm.chat.Usd
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.time.Instant

private suspend fun listed(
    provider: String,
    answer: LoopbackExchange.(LoopbackRequest) -> Unit,
    block: LlmBuilder.() -> Unit = {},
): Pair<List<ModelInfo>, List<String>> = LoopbackServer(answer).use { server ->
    val llm = client {
        provider(provider) {
            baseUrl = server.url
            apiKey = "k"
        }
        block()
    }
    llm.use { it.models(provider).await() } to server.requests.map { it.line.removeSuffix(" HTTP/1.1") }
}

private fun List<ModelInfo>.names() = map { it.id.toString() }

class ListModelsSpec : FunSpec({
    test("OpenAI's list, with what the catalogue knows beside each model") {
        val body = """{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1721172741,"owned_by":"system"},{"id":"my-own","created":0}]}"""
        val (models, lines) = listed("openai", { whole(body) })
        lines shouldContainExactly listOf("GET /models")
        models.names() shouldContainExactly listOf("openai/gpt-4o-mini", "openai/my-own")
        val known = models[0]
        known.created shouldBe Instant.ofEpochSecond(1721172741)
        known.maxInputTokens shouldBe 128_000
        known.abilities.shouldNotBeNull() shouldContain Ability.TOOLS
        known.price.shouldNotBeNull().inputPerMillion shouldBe Usd.of("0.15")
        val unknown = models[1]
        unknown.created shouldBe null
        unknown.abilities shouldBe null
        unknown.price shouldBe null
        unknown.maxInputTokens shouldBe null
    }

    test("lists of other servers on OpenAI's wire: plain lists, and the context in their own field") {
        val (plain) = listed("together", { whole("""[{"id":"a/b","context_length":4096,"display_name":"B"}]""") })
        plain.single().id.toString() shouldBe "together/a/b"
        plain.single().maxInputTokens shouldBe 4096
        plain.single().displayName shouldBe "B"
        listed("my-vllm", { whole("""{"data":[{"id":"m","max_model_len":8192}]}""") }).first.single().maxInputTokens shouldBe 8192
        val (proxied) = listed("my-proxy", { whole("""{"data":[{"id":"m","max_input_tokens":128000,"max_output_tokens":16384}]}""") })
        proxied.single().run { maxInputTokens to maxOutputTokens } shouldBe (128_000L to 16_384L)
    }

    test("Anthropic's pages, up to the last") {
        val (models, lines) = listed("anthropic", { request ->
            if ("after_id" in request.path) {
                whole("""{"data":[{"id":"claude-b","display_name":"B","created_at":"2025-02-19T00:00:00Z"}],"has_more":false,"last_id":"claude-b"}""")
            } else {
                whole("""{"data":[{"id":"claude-a","created_at":"1970-01-01T00:00:00Z"}],"has_more":true,"last_id":"claude-a"}""")
            }
        })
        models.names() shouldContainExactly listOf("anthropic/claude-a", "anthropic/claude-b")
        models[0].created shouldBe null
        models[1].created shouldBe Instant.parse("2025-02-19T00:00:00Z")
        lines shouldContainExactly listOf("GET /v1/models?limit=1000", "GET /v1/models?limit=1000&after_id=claude-a")
    }

    test("Gemini's pages and limits") {
        val (models, lines) = listed("gemini", { request ->
            if ("pageToken" in request.path) {
                whole("""{"models":[{"name":"models/gemini-b"}]}""")
            } else {
                whole("""{"models":[{"name":"models/gemini-a","displayName":"A","inputTokenLimit":10,"outputTokenLimit":5}],"nextPageToken":"p2"}""")
            }
        })
        models.names() shouldContainExactly listOf("gemini/gemini-a", "gemini/gemini-b")
        models[0].maxInputTokens shouldBe 10
        models[0].maxOutputTokens shouldBe 5
        lines.last() shouldBe "GET /v1beta/models?pageSize=1000&pageToken=p2"
    }

    test("Ollama's, Cohere's and Bedrock's lists") {
        val (ollama, ollamaLines) = listed("ollama", { whole("""{"models":[{"name":"llama3:8b","model":"llama3:8b"}]}""") })
        ollama.names() shouldContainExactly listOf("ollama/llama3:8b")
        ollamaLines shouldContainExactly listOf("GET /api/tags")
        val (cohere, cohereLines) = listed("cohere", { whole("""{"models":[{"name":"command-r","context_length":128000}],"next_page_token":""}""") })
        cohere.names() shouldContainExactly listOf("cohere/command-r")
        cohereLines shouldContainExactly listOf("GET /v1/models?page_size=1000")
        val (bedrock, bedrockLines) = listed("bedrock", { whole("""{"modelSummaries":[{"modelId":"amazon.nova-lite-v1:0","modelName":"Nova Lite"}]}""") })
        bedrock.single().displayName shouldBe "Nova Lite"
        bedrockLines shouldContainExactly listOf("GET /foundation-models")
    }

    test("a page that comes again fails instead of ending the list early or never") {
        shouldThrow<LlmException.MalformedResponse> {
            listed("anthropic", { whole("""{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}""") })
        }.message!! shouldContain "twice"
    }

    test("the price that was set in code counts before the catalogue's") {
        val (models) = listed("openai", { whole("""{"data":[{"id":"gpt-4o-mini"}]}""") }) {
            price("openai/gpt-4o-mini") {
                inputPerMillion = Usd.of("9")
                outputPerMillion = Usd.of("9")
            }
        }
        models.single().price.shouldNotBeNull().inputPerMillion shouldBe Usd.of("9")
    }

    test("the demo models are listed without a network") {
        client().use { llm -> llm.models("demo").get().names() shouldContain "demo/echo" }
    }

    test("what cannot be listed says why") {
        client("REPLICATE_API_TOKEN" to "k").use { llm ->
            shouldThrow<LlmException.InvalidRequest> { llm.models("replicate").await() }.message!! shouldContain "no list"
            shouldThrow<LlmException.Configuration> { llm.models("no-such-provider").await() }
            shouldThrow<IllegalArgumentException> { llm.models(" ") }
        }
        shouldThrow<LlmException.NotFound> { listed("my-server", { whole("{}", 404) }) }.message!! shouldContain "no list of models"
        shouldThrow<LlmException.Authentication> { listed("openai", { whole("""{"error":{"message":"no"}}""", 401) }) }
    }
})
