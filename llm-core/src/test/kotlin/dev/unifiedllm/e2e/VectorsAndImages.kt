package dev.unifiedllm.e2e

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.chat.imageRequest
import dev.unifiedllm.e2e.OptionalProgram.AIMOCK
import dev.unifiedllm.e2e.OptionalProgram.LITELLM
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.floats.shouldBeWithinPercentageOf
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.toList

private val inputs = listOf("a known vector", "another one")

private suspend fun deltas(variables: Map<String, String>, model: String, request: (ModelId) -> Request): List<Delta> =
    Llm.builder().environment { variables[it] }.build().use { it.model(model).stream(request(ModelId.parse(model))).toList() }

private fun openai(servers: Servers) = mapOf("OPENAI_BASE_URL" to "${servers.aimock}/v1", "OPENAI_API_KEY" to "sk-made-up")

private class Place(val model: String, val variables: (Servers) -> Map<String, String>, vararg val programs: OptionalProgram)

private val embeddings = listOf(
    Place("openai/text-embedding-3-small", ::openai, AIMOCK),
    Place("azure/text-embedding-3-small", { mapOf("AZURE_API_BASE" to it.aimock, "AZURE_API_KEY" to "made-up") }, AIMOCK),
    Place("litellm_proxy/up-embed", { it.proxyVariables }, LITELLM, AIMOCK),
)

private val images = listOf(
    Place("openai/gpt-image-1", ::openai, AIMOCK),
    Place("litellm_proxy/up-image", { it.proxyVariables }, LITELLM, AIMOCK),
)

/** Embeddings and images, from the servers that have them. */
internal fun FunSpec.vectorsAndImages(servers: Servers) {
    for (place in embeddings) {
        needs(*place.programs) {
            test("vectors of ${place.model}") {
                val deltas = deltas(place.variables(servers), place.model) { embeddingRequest(it, inputs) }
                val vectors = deltas.filterIsInstance<Delta.Embedding>()
                vectors.map { it.index } shouldBe listOf(0, 1)
                vectors.map { it.vector.size }.distinct().size shouldBe 1
                deltas.filterIsInstance<Delta.Finish>().single().usage.shouldNotBeNull().outputTokens shouldBe 0
            }
        }
    }

    needs(AIMOCK) {
        test("the numbers of a vector are those in aimock's fixture") {
            val deltas = deltas(openai(servers), "openai/text-embedding-3-small") { embeddingRequest(it, listOf("a known vector")) }
            val vector = deltas.filterIsInstance<Delta.Embedding>().single().vector
            vector.size shouldBe 4
            listOf(0.5f, -0.25f, 0.125f).forEachIndexed { index, number -> vector[index].shouldBeWithinPercentageOf(number, 0.001) }
        }

        test("aimock answers Ollama's /api/embed in the format of the older /api/embeddings, which is a malformed response") {
            val failure =
                shouldThrow<LlmException.MalformedResponse> {
                    deltas(mapOf("OLLAMA_API_BASE" to servers.aimock), "ollama/llama3") { embeddingRequest(it, inputs) }
                }
            failure.message!! shouldContain "ollama/llama3"
        }
    }

    for (place in images) {
        needs(*place.programs) {
            test("an image of ${place.model}") {
                val image = deltas(place.variables(servers), place.model) { imageRequest(it, "a red dot", size = "1024x1024") }
                    .filterIsInstance<Delta.Media>().single()
                image.mediaType shouldBe "image/png"
                image.url shouldStartWith "data:image/png;base64,iVBORw0KGgo"
            }
        }
    }
}
