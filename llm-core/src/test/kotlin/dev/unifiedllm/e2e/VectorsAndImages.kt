package dev.unifiedllm.e2e

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.chat.imageRequest
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.floats.shouldBeWithinPercentageOf
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.toList

private val inputs = listOf("a known vector", "another one")

private suspend fun answer(variables: Map<String, String>, model: String, request: (ModelId) -> Request): List<Delta> =
    Llm.builder().environment { variables[it] }.build().use { it.model(model).stream(request(ModelId.parse(model))).toList() }

/** Vectors and images, over the wires of the servers that carry them. */
internal fun FunSpec.vectorsAndImages(servers: () -> Servers) {
    fun openai() = mapOf("OPENAI_BASE_URL" to "${servers().aimock}/v1", "OPENAI_API_KEY" to "sk-made-up")

    context("vectors") {
        val places: List<Pair<String, () -> Map<String, String>>> = listOf(
            "openai/text-embedding-3-small" to ::openai,
            "azure/text-embedding-3-small" to { mapOf("AZURE_API_BASE" to servers().aimock, "AZURE_API_KEY" to "made-up") },
            "litellm_proxy/up-embed" to { servers().variables },
        )
        for ((model, variables) in places) {
            test(model) {
                val deltas = answer(variables(), model) { embeddingRequest(it, inputs) }
                val vectors = deltas.filterIsInstance<Delta.Embedding>()
                vectors.map { it.index } shouldBe listOf(0, 1)
                vectors.map { it.vector.size }.distinct().size shouldBe 1
                deltas.filterIsInstance<Delta.Finish>().single().usage.shouldNotBeNull().outputTokens shouldBe 0
            }
        }

        test("the numbers are those that the server was told") {
            val deltas = answer(openai(), "openai/text-embedding-3-small") { embeddingRequest(it, listOf("a known vector")) }
            val vector = deltas.filterIsInstance<Delta.Embedding>().single().vector
            vector.size shouldBe 4
            listOf(0.5f, -0.25f, 0.125f).forEachIndexed { index, number -> vector[index].shouldBeWithinPercentageOf(number, 0.001) }
        }

        test("aimock answers Ollama's /api/embed as the older /api/embeddings, without the list: that is no answer") {
            val failure =
                shouldThrow<LlmException.MalformedResponse> {
                    answer(mapOf("OLLAMA_API_BASE" to servers().aimock), "ollama/llama3") { embeddingRequest(it, inputs) }
                }
            failure.message!! shouldContain "ollama/llama3"
        }
    }

    context("an image") {
        for (model in listOf("openai/gpt-image-1", "litellm_proxy/up-image")) {
            test(model) {
                val variables = if (model.startsWith("openai")) openai() else servers().variables
                val image = answer(variables, model) { imageRequest(it, "a red dot", size = "1024x1024") }.filterIsInstance<Delta.Media>().single()
                image.mediaType shouldBe "image/png"
                image.url shouldStartWith "data:image/png;base64,iVBORw0KGgo"
            }
        }
    }
}
