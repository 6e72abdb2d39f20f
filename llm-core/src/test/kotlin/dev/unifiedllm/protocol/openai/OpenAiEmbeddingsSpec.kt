package dev.unifiedllm.protocol.openai

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Models
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.each
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.target
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.flow.toList

private val keys = listOf("OPENAI", "OPENROUTER", "PERPLEXITYAI", "MISTRAL", "AZURE", "AZURE_AI").associate { "${it}_API_KEY" to "sk-test" }
private val variables = keys + mapOf("AZURE_RESOURCE_NAME" to "res", "LITELLM_PROXY_BASE_URL" to "https://proxy.example.org")

private fun target(model: String, baseUrl: String? = null): Target =
    TargetResolver(ProviderRegistry.packed, variables::get, emptyMap()).resolve(ModelId.parse(model), ProviderSettings(baseUrl = baseUrl))

private fun body(target: Target, dimensions: Int? = null): String =
    OpenAiEmbeddings.encode(embeddingRequest(target.id, listOf("a", "b"), dimensions), target, mutableListOf()).body.decodeToString()

/** The result with a server that sends this response. Each of the variables [at] holds its URL. */
private suspend fun ask(
    model: String,
    vararg at: String,
    texts: List<String> = listOf("a", "b"),
    script: LoopbackExchange.(String) -> Unit,
): List<Delta> =
    LoopbackServer { script(it.path) }.use { server ->
        val environment = keys + at.associateWith { server.url + "/v1" }
        Llm.builder().retry { maxRetries = 0 }.environment { environment[it] }.build().use { llm ->
            llm.model(model).stream(embeddingRequest(ModelId.parse(model), texts)).toList()
        }
    }

private val ONE = listOf("a")
private const val SMALL = "openai/text-embedding-3-small"

class OpenAiEmbeddingsSpec : FunSpec({
    test("each input has a vector, in the order of the inputs, with the model, the tokens and the price") {
        val vectors = """{"index":1,"embedding":[1,2e0]},{"embedding":[0.5,-1e-2],"index":0}"""
        val answer = """{"data":[$vectors],"model":"text-embedding-3-small-1","usage":{"prompt_tokens":5,"total_tokens":5}}"""
        val deltas = ask(SMALL, "OPENAI_BASE_URL") { whole(answer) }
        deltas.dropLast(1) shouldBe listOf(
            Delta.Start(null, ModelId.parse(SMALL), "text-embedding-3-small-1"),
            Delta.Embedding(0, floatArrayOf(0.5f, -0.01f)),
            Delta.Embedding(1, floatArrayOf(1f, 2f)),
        )
        val finish = deltas.last() as Delta.Finish
        finish.reason shouldBe FinishReason.STOP
        finish.usage shouldBe Usage.of(5, 0)
        finish.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.0000001")
    }

    context("the URL and the body of a request") {
        withData<Triple<String, String?, String>>(
            { (model, base, _) -> model + (base?.let { " at $it" } ?: "") },
            Triple(SMALL, null, "https://api.openai.com/v1/embeddings"),
            Triple("openai/responses/text-embedding-3-small", null, "https://api.openai.com/v1/embeddings"),
            Triple("openrouter/openai/text-embedding-3-small", null, "https://openrouter.ai/api/v1/embeddings"),
            Triple("litellm_proxy/any", null, "https://proxy.example.org/embeddings"),
            Triple("hosted_vllm/any", "http://127.0.0.1:8000/v1/embeddings", "http://127.0.0.1:8000/v1/embeddings"),
            Triple("perplexity/pplx-embed-v1-4b", null, "https://api.perplexity.ai/v1/embeddings"),
            Triple("perplexity/pplx-embed-v1-4b", "https://api.perplexity.ai/v1", "https://api.perplexity.ai/v1/embeddings"),
            Triple("azure/mine", null, "https://res.openai.azure.com/openai/deployments/mine/embeddings?api-version=2024-10-21"),
            Triple("azure/mine", "https://res.openai.azure.com/openai/v1/", "https://res.openai.azure.com/openai/v1/embeddings"),
            Triple(
                "azure_ai/mine",
                "https://res.services.ai.azure.com",
                "https://res.services.ai.azure.com/models/embeddings?api-version=2024-05-01-preview",
            ),
        ) { (model, base, url) ->
            val target = target(model, base)
            val sent = OpenAiEmbeddings.encode(embeddingRequest(target.id, listOf("a")), target, mutableListOf())
            sent.url shouldBe url
            sent.headers.filter { (_, value) -> "sk-test" in value }.map { it.first.lowercase() } shouldBe when {
                target.key == null -> emptyList()
                target.provider.azure != null -> listOf("api-key")
                else -> listOf("authorization")
            }
        }
    }

    test("the length has the field that the provider names, and is left out if it is not set") {
        body(target(SMALL)) shouldBe """{"model":"text-embedding-3-small","input":["a","b"]}"""
        body(target(SMALL), 8) shouldBe """{"model":"text-embedding-3-small","input":["a","b"],"dimensions":8}"""
        body(target("mistral/codestral-embed"), 8) shouldBe """{"model":"codestral-embed","input":["a","b"],"output_dimension":8}"""
    }

    test("base64 vectors are little-endian floats, at Perplexity signed bytes; the cost that it reports is used") {
        fun answer(vector: String) = """{"data":[{"embedding":"$vector","index":0}],"usage":{"prompt_tokens":5,"cost":{"total_cost":0.000000028}}}"""
        ask(SMALL, "OPENAI_BASE_URL", texts = ONE) { whole(answer("AAAAPwAAgL8=")) }[1] shouldBe Delta.Embedding(0, floatArrayOf(0.5f, -1f))
        val bytes = ask("perplexity/pplx-embed-v1-0.6b", "PERPLEXITY_API_BASE", texts = ONE) {
            whole(
                answer("9sZ/gA=="),
                if (it ==
                    "/v1/embeddings"
                ) {
                    200
                } else {
                    404
                },
            )
        }
        bytes[1] shouldBe Delta.Embedding(0, floatArrayOf(-10f, -58f, 127f, -128f))
        (bytes.last() as Delta.Finish).cost shouldBe Cost.Known(Usd.of("0.000000028"), "perplexity")
    }

    test("if vectors have no index, or all the same, their order counts") {
        for (index in listOf("", ""","index":0""", ""","index":null""")) {
            val answer = """{"data":[{"embedding":[1]$index},{"embedding":[2]$index}],"usage":{"prompt_tokens":1}}"""
            ask(SMALL, "OPENAI_BASE_URL") { whole(answer) }.filterIsInstance<Delta.Embedding>() shouldBe
                listOf(Delta.Embedding(0, floatArrayOf(1f)), Delta.Embedding(1, floatArrayOf(2f)))
        }
    }

    test("tokens that are not reported are null, with a warning") {
        val deltas = ask(SMALL, "OPENAI_BASE_URL", texts = ONE) { whole("""{"data":[{"embedding":[1]}]}""") }
        (deltas.last() as Delta.Finish).usage shouldBe null
        deltas.filterIsInstance<Delta.Warning>().single().message shouldContain "did not report the tokens"
    }

    context("a response without vectors is malformed") {
        withData(
            """{}""",
            """{"data":[]}""",
            """{"data":[{"index":0}]}""",
            """{"data":[{"embedding":[]}]}""",
            """{"data":["AAAA"]}""",
            """{"data":[{"embedding":"AAAA"}]}""",
            """{"data":[{"embedding":"no base64!"}]}""",
            """{"data":[{"embedding":[1,null]}]}""",
            """{"data":[{"embedding":[[1,2]]}]}""",
            """{"data":[{"embedding":[1],"index":0},{"embedding":[2],"index":7}]}""",
            """{"data":[{"embedding":[1],"index":-1}]}""",
            """{"data":[{"embedding":[1],"index":0},{"embedding":[2],"index":0},{"embedding":[3],"index":1}]}""",
            """{"data":[{"embedding":"AADAfw=="}]}""",
            """{"data":[],"code":0,"message":"success"}""",
            """[[1,2]]""",
            """<html></html>""",
        ) { body ->
            shouldThrow<LlmException.MalformedResponse> { ask(SMALL, "OPENAI_BASE_URL") { whole(body) } }
        }
    }

    test("a cut response is interrupted, and an error with status 200 is typed") {
        shouldThrow<LlmException.StreamInterrupted> { ask(SMALL, "OPENAI_BASE_URL") { whole("""{"data":[{"embedding":[1""") } }
        val error = """{"error":{"message":"slow down","type":"rate_limit_exceeded"}}"""
        shouldThrow<LlmException.RateLimited> { ask(SMALL, "OPENAI_BASE_URL") { whole(error) } }.message shouldContain "slow down"
        val flat = """{"message":"rate limit","code":429}"""
        shouldThrow<LlmException.RateLimited> { ask(SMALL, "OPENAI_BASE_URL") { whole(flat) } }.message shouldContain "rate limit"
    }

    test("an empty error beside the vectors is none") {
        for (error in listOf("null", "\"\"", "{}", "[]", "false", "0")) {
            val answer = """{"data":[{"embedding":[1]}],"error":$error,"usage":{"prompt_tokens":1}}"""
            ask(SMALL, "OPENAI_BASE_URL", texts = ONE) { whole(answer) }.filterIsInstance<Delta.Embedding>() shouldBe
                listOf(Delta.Embedding(0, floatArrayOf(1f)))
        }
    }

    test("the error of a server without embeddings says that it may not serve them") {
        for (status in listOf(404, 405)) {
            val error = shouldThrow<LlmException.NotFound> { ask(SMALL, "OPENAI_BASE_URL") { whole("{}", status) } }
            error.message shouldContain "for /embeddings, and that"
            error.status shouldBe status
        }
    }

    test("the next model of a chain answers if the first fails") {
        val answer = """{"embeddings":[[1]],"prompt_eval_count":1}"""
        LoopbackServer { if (it.path == "/api/embed") whole(answer) else whole("{}", 503) }.use { server ->
            val environment = mapOf("OPENAI_API_KEY" to "sk-test", "OPENAI_BASE_URL" to server.url + "/v1", "OLLAMA_API_BASE" to server.url)
            Llm.builder().retry { maxRetries = 0 }.environment { environment[it] }.build().use { llm ->
                val deltas = llm.client.stream(Models.firstOf("openai/a", "ollama/b"), embeddingRequest(ModelId.parse("openai/a"), listOf("a"))).toList()
                deltas.filterIsInstance<Delta.Attempt>().single().error.shouldBeInstanceOf<LlmException.ServerError>()
                deltas.filterIsInstance<Delta.Embedding>().single().index shouldBe 0
                deltas.filterIsInstance<Delta.Warning>().shouldBeEmpty()
            }
        }
    }
})
