package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.protocol.Protocol
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain

private fun resolve(model: String, vararg environment: Pair<String, String>, settings: ProviderSettings = ProviderSettings()): Target =
    TargetResolver(ProviderRegistry.packed, environment.toMap()::get, emptyMap()).resolve(ModelId.parse(model), settings)

class VertexRowSpec : FunSpec({
    context("the location is in the host, except for locations that have a host of their own") {
        withData(
            mapOf(
                "" to "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1",
                "europe-west4" to "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4",
                "global" to "https://aiplatform.googleapis.com/v1/projects/p/locations/global",
                "eu" to "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu",
            ).map { (location, url) -> location to url },
        ) { (location, url) -> resolve("vertex_ai/gemini-2.5-pro", "GOOGLE_CLOUD_PROJECT" to "p", "VERTEX_LOCATION" to location).baseUrl shouldBe url }
    }

    test("without a project the error names its variable") {
        shouldThrow<LlmException.Configuration> { resolve("vertex_ai/gemini-2.5-pro") }.message shouldContain "VERTEXAI_PROJECT"
    }

    test("the model's name decides the wire") {
        resolve("vertex_ai/gemini-2.5-pro", "VERTEXAI_PROJECT" to "p").protocol shouldBe "vertex-gemini"
        resolve("vertex_ai/claude-opus-4@20250514", "VERTEXAI_PROJECT" to "p").protocol shouldBe "anthropic-vertex"
        val open = resolve("vertex_ai/meta/llama-4", "VERTEXAI_PROJECT" to "p")
        val request = Protocols.named(open.protocol).encode(ChatRequest.build(open.id) { user("hi") }, open, mutableListOf())
        request.url shouldBe open.baseUrl + "/endpoints/openapi/chat/completions"
        request.body.decodeToString() shouldContain "\"model\":\"meta/llama-4\""
        resolve("google/gemini-2.5-pro", "GOOGLE_API_KEY" to "k").protocol shouldBe "gemini-generate"
    }

    test("URLs with a path of the wire have the target's query") {
        val open = resolve("vertex_ai/meta/llama-4", "VERTEXAI_PROJECT" to "p")
        val gateway = Target(open.id, open.provider, "https://gateway.example", null, query = mapOf("tenant" to "a"))
        val request = Protocols.named(open.protocol).encode(ChatRequest.build(open.id) { user("hi") }, gateway, mutableListOf())
        request.url shouldBe "https://gateway.example/endpoints/openapi/chat/completions?tenant=a"
    }

    test("the token may be missing; one from the environment is not sent to a host set in code") {
        resolve("vertex_ai/m", "VERTEXAI_PROJECT" to "p").key shouldBe null
        resolve("vertex_ai/m", "VERTEXAI_PROJECT" to "p", "VERTEX_ACCESS_TOKEN" to "ya29").key shouldBe ApiKey.of("ya29")
        val elsewhere = ProviderSettings(baseUrl = "https://proxy.example/v1")
        shouldThrow<LlmException.Configuration> { resolve("vertex_ai/m", "VERTEX_ACCESS_TOKEN" to "ya29", settings = elsewhere) }.message shouldContain
            "apiKey beside baseUrl"
        shouldThrow<LlmException.Configuration> { resolve("vertex_ai/m", settings = elsewhere) }.message shouldContain "apiKey beside baseUrl"
        resolve("vertex_ai/m", settings = elsewhere.copy(apiKey = ApiKey.of("ya29"))).key shouldBe ApiKey.of("ya29")
    }

    test("a Gemini key is in the first of its variables that is set") {
        for (name in listOf("GEMINI_API_KEY", "GOOGLE_API_KEY")) {
            resolve("google-gemini/m", name to "k", "GOOGLE_GENERATIVE_AI_API_KEY" to "z").key shouldBe
                ApiKey.of("k")
        }
        shouldThrow<LlmException.Configuration> { resolve("gemini/m") }.message shouldContain "GEMINI_API_KEY"
    }
})
