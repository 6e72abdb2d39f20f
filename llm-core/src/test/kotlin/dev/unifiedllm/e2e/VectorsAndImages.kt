package dev.unifiedllm.e2e

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.cosineSimilarity
import dev.unifiedllm.e2e.OptionalProgram.AIMOCK
import dev.unifiedllm.e2e.OptionalProgram.LITELLM
import dev.unifiedllm.e2e.OptionalProgram.LLAMA
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeGreaterThan
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.doubles.plusOrMinus
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain

/** A model of a server for vectors or images. [variables] are the environment of a client of that server. */
private class Place(
    val model: String,
    val wire: String,
    val server: String,
    vararg val programs: OptionalProgram,
    val variables: (Addresses) -> Map<String, String>,
) {
    suspend fun <T> use(servers: Servers, block: suspend (Llm) -> T): T {
        val variables = variables(servers.relayed)
        return Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { block(it) }
    }

    fun case(feature: String, run: suspend Place.(Servers) -> Unit) =
        RealServerCase(feature, wire, server, "$server's $model", programs.toList()) { run(it) }
}

private fun openai(servers: Addresses) = mapOf("OPENAI_BASE_URL" to "${servers.aimock}/v1", "OPENAI_API_KEY" to "sk-made-up")

private fun azure(servers: Addresses) = mapOf("AZURE_API_BASE" to servers.aimock, "AZURE_API_KEY" to "made-up")

private fun azureV1(servers: Addresses) = mapOf("AZURE_API_BASE" to "${servers.aimock}/openai/v1", "AZURE_API_KEY" to "made-up")

private fun cohere(servers: Addresses) = mapOf("COHERE_API_BASE" to "${servers.aimock}/v2", "COHERE_API_KEY" to "made-up")

private fun gemini(servers: Addresses) = mapOf("GEMINI_API_BASE" to "${servers.aimock}/v1beta", "GEMINI_API_KEY" to "made-up")

/** Servers whose vectors aimock's fixture states. */
private val known = listOf(
    Place("openai/text-embedding-3-small", "openai-chat", "aimock", AIMOCK, variables = ::openai),
    Place("azure/text-embedding-3-small", "openai-chat", "aimock", AIMOCK, variables = ::azure),
    Place("cohere/embed-v4.0", "cohere-chat", "aimock", AIMOCK, variables = ::cohere),
    Place("litellm_proxy/up-embed", "openai-chat", "LiteLLM", LITELLM, AIMOCK) { it.proxyVariables },
)

/** Servers that compute the vectors. */
private val local = listOf(Place("lm_studio/tiny", "openai-chat", "llama.cpp", LLAMA) { it.llamaVariables })

private val olderOllama = Place("ollama/llama3", "ollama-chat", "aimock", AIMOCK) { mapOf("OLLAMA_API_BASE" to it.aimock) }

private val olderFormat =
    Fault("aimock answers /api/embed in the format of the older /api/embeddings", "MalformedResponse")

private val images = listOf(
    Place("openai/gpt-image-1", "openai-chat", "aimock", AIMOCK, variables = ::openai),
    Place("openai/dall-e-3", "openai-chat", "aimock", AIMOCK, variables = ::openai),
    Place("azure/gpt-image-1", "openai-chat", "aimock", AIMOCK, variables = ::azureV1),
    Place("gemini/imagen-4.0-generate-001", "gemini-generate", "aimock", AIMOCK, variables = ::gemini),
    Place("litellm_proxy/up-image", "openai-chat", "LiteLLM", LITELLM, AIMOCK) { it.proxyVariables },
)

private val edits = listOf(
    Place("openai/gpt-image-1", "openai-chat", "aimock", AIMOCK, variables = ::openai),
    Place("litellm_proxy/up-image", "openai-chat", "LiteLLM", LITELLM, AIMOCK) { it.proxyVariables },
)

private suspend fun Place.checkKnownVectors(servers: Servers) = use(servers) { llm ->
    val one = llm.embed(model, "a known vector").await()
    one.vector.toList() shouldBe listOf(0.5f, -0.25f, 0.125f, 0f)
    one.model.toString() shouldBe model
    one.attempts.single().error shouldBe null
    val several = llm.embed(model, listOf("some text", "another text", "some text")).await()
    several.vectors shouldHaveSize 3
    several.vectors.map { it.size }.distinct() shouldHaveSize 1
    several.usage?.outputTokens?.let { it shouldBe 0 }
}

private suspend fun Place.checkOwnVectors(servers: Servers) = use(servers) { llm ->
    val response = llm.embed(model, listOf("A train leaves the station.", "Bananas are yellow.", "A train leaves the station.")).await()
    response.dimensions shouldBe 64
    response.usage.shouldNotBeNull().inputTokens.shouldNotBeNull() shouldBeGreaterThan 8L
    val (first, second, third) = response.vectors
    first.cosineSimilarity(third) shouldBe (1.0 plusOrMinus 1e-6)
    first.cosineSimilarity(second) shouldBeLessThan 0.99
}

private suspend fun Place.checkImage(servers: Servers) = use(servers) { llm ->
    val prompt = "a red dot for $server's $model"
    val response = llm.image(model) {
        this.prompt = prompt
        size = "1024x1024"
    }.await()
    val image = response.images.single()
    image.isInline shouldBe true
    image.mediaType shouldBe "image/png"
    image.bytes().toList() shouldBe RED_DOT.toList()
    response.model.toString() shouldBe model
    val size = if ("imagen" in model) "1:1" else "1024x1024"
    if (server == "aimock") withClue(response.warnings) { servers.relay.bodiesWith(prompt).single() shouldContain size }
}

private suspend fun Place.checkEdit(servers: Servers) = use(servers) { llm ->
    val prompt = "paint it green for $server's $model"
    val response = llm.image(model) {
        this.prompt = prompt
        image(RED_DOT)
    }.await()
    response.images.single().bytes().toList() shouldBe RED_DOT.toList()
    if (server == "aimock") servers.relay.bodiesWith(prompt).single() shouldContain "Content-Type: image/png"
}

internal val vectorAndImageCases: List<RealServerCase> =
    known.map { it.case(RealServerFeature.EMBEDDINGS) { servers -> checkKnownVectors(servers) } } +
        images.map { it.case(RealServerFeature.IMAGES) { servers -> checkImage(servers) } } +
        edits.map { it.case(RealServerFeature.IMAGE_EDITS) { servers -> checkEdit(servers) } } +
        local.map { it.case(RealServerFeature.EMBEDDINGS) { servers -> checkOwnVectors(servers) } } +
        olderOllama.let {
            RealServerCase(RealServerFeature.EMBEDDINGS, it.wire, it.server, "aimock's ollama/llama3", listOf(AIMOCK), olderFormat) { servers ->
                it.use(servers) { llm -> llm.embed("ollama/llama3", "a").await() }
            }
        }
