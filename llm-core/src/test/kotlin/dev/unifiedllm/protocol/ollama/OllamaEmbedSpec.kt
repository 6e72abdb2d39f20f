package dev.unifiedllm.protocol.ollama

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.chat.imageRequest
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.flow.toList

private suspend fun stream(request: Request, script: LoopbackExchange.() -> Unit, check: (LoopbackServer) -> Unit = {}): List<Delta> =
    LoopbackServer { script() }.use { server ->
        val variables = mapOf("OLLAMA_API_BASE" to server.url, "OPENAI_API_KEY" to "sk-test")
        Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { llm ->
            llm.model(request.model.toString()).stream(request).toList().also { check(server) }
        }
    }

class OllamaEmbedSpec : FunSpec({
    val request = embeddingRequest(ModelId("ollama", "all-minilm"), listOf("a", "b"), 2)

    test("each input has its vector") {
        val answer = """{"model":"all-minilm","embeddings":[[0.5,-1e-2],[1,2]],"total_duration":1,"prompt_eval_count":8}"""
        val deltas = stream(request, { whole(answer) }) { server ->
            server.requests.single().path shouldBe "/api/embed"
            server.requests.single().body shouldBe """{"model":"all-minilm","input":["a","b"],"dimensions":2}"""
        }
        deltas.filterNot { it is Delta.Finish } shouldBe listOf(
            Delta.Start(null, request.model, "all-minilm"),
            Delta.Embedding(0, floatArrayOf(0.5f, -0.01f)),
            Delta.Embedding(1, floatArrayOf(1f, 2f)),
        )
        (deltas.last() as Delta.Finish).let { finish ->
            finish.reason shouldBe FinishReason.STOP
            finish.usage shouldBe Usage.of(8, 0)
        }
    }

    test("a response without vectors is malformed") {
        shouldThrow<LlmException.MalformedResponse> { stream(request, { whole("""{"model":"all-minilm","embedding":[1,2]}""") }) }
            .message shouldContain "it has no embeddings"
    }

    test("an error in the form of an object is not lost, and an empty one is none") {
        shouldThrow<LlmException.RateLimited> { stream(request, { whole("""{"error":{"message":"slow down","code":429}}""") }) }
            .message shouldContain "slow down"
        stream(request, { whole("""{"embeddings":[[1],[2]],"error":{}}""") }).filterIsInstance<Delta.Embedding>() shouldHaveSize 2
    }

    test("an error for a missing model says how to pull it") {
        shouldThrow<LlmException.NotFound> { stream(request, { whole("""{"error":"model \"all-minilm\" not found, try pulling it first"}""", 404) }) }
            .message shouldContain "ollama pull all-minilm"
    }

    test("a request of a kind that the API lacks is refused before anything is sent") {
        for (unserved in listOf(embeddingRequest(ModelId("replicate", "a/b"), listOf("a")), imageRequest(ModelId("ollama", "llama3"), "a train"))) {
            val variables = mapOf("REPLICATE_API_KEY" to "r8_test")
            val error = Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { llm ->
                shouldThrow<LlmException.InvalidRequest> { llm.model(unserved.model.toString()).stream(unserved).toList() }
            }
            error.kind shouldBe LlmException.InvalidRequest.Kind.UNSUPPORTED
        }
        val chat = ChatRequest.build("ollama/llama3") { user("hi") }
        stream(chat, { whole("""{"message":{"content":"ho"},"done":true}""") }).filterIsInstance<Delta.Text>() shouldHaveSize 1
    }
})
