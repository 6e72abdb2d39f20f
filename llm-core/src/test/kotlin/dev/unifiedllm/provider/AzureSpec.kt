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
import io.kotest.matchers.string.shouldNotContain

private val resource = mapOf("AZURE_RESOURCE_NAME" to "res", "AZURE_API_KEY" to "k")

/** @param baseUrl set in code; null: that of the environment */
private class Addressing(
    val model: String,
    val url: String,
    val baseUrl: String? = null,
    val environment: Map<String, String> = resource,
    val header: String = "api-key: k",
)

private fun target(model: String, baseUrl: String?, environment: Map<String, String>): Target {
    val own = ProviderSettings(baseUrl = baseUrl)
    return TargetResolver(ProviderRegistry.packed, environment::get, emptyMap()).resolve(ModelId.parse(model), own)
}

class AzureSpec : FunSpec({
    context("the address of a model") {
        val openai = "https://res.openai.azure.com"
        val foundry = "https://res.services.ai.azure.com"
        withData<Addressing>(
            { listOfNotNull(it.model, it.baseUrl, it.environment["AZURE_API_VERSION"]).joinToString(" at ") },
            Addressing("azure/gpt-4o", "$openai/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"),
            Addressing("azure/gpt+4", "$openai/openai/deployments/gpt%2B4/chat/completions?api-version=2024-10-21"),
            Addressing(
                "azure/gpt-4o",
                "$openai/openai/deployments/gpt-4o/chat/completions?api-version=2025-01-01-preview",
                environment = resource + ("AZURE_API_VERSION" to "2025-01-01-preview"),
            ),
            Addressing(
                "azure/gpt-4o",
                "https://res.cognitiveservices.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
                "https://res.cognitiveservices.azure.com/",
            ),
            Addressing("azure/gpt-4o", "$foundry/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", foundry),
            Addressing("azure/gpt-4o", "$openai/openai/v1/chat/completions", "$openai/openai/v1/"),
            Addressing("azure/gpt-4o", "$openai/openai/v1/chat/completions?api-version=preview", "$openai/openai/v1?api-version=preview"),
            Addressing(
                "azure/any",
                "$openai/openai/deployments/mine/chat/completions?api-version=2024-12-01-preview",
                "$openai/openai/deployments/mine/chat/completions?api-version=2024-12-01-preview",
            ),
            Addressing("azure/any", "$openai/openai/deployments/mine/chat/completions?api-version=2024-10-21", "$openai/openai/deployments/mine"),
            Addressing("azure/gpt-4o", "https://res.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", "$openai/openai"),
            Addressing("azure/gpt-4o", "$openai/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", "$openai/openai/deployments/"),
            Addressing("azure/gpt-4o", "$openai/openai/v1/chat/completions", "$openai/openai/v1/chat/completions?api-version=2024-10-21"),
            Addressing(
                "azure/responses/gpt-5",
                "$openai/openai/v1/responses",
                "$openai/openai/deployments/mine/chat/completions?api-version=2024-12-01-preview",
            ),
            Addressing("azure/responses/gpt-5", "$openai/openai/v1/responses?api-version=preview", "$openai/openai/v1/responses?api-version=preview"),
            Addressing("azure/responses/gpt-5", "$openai/openai/v1/responses"),
            Addressing("azure/responses/gpt-5", "$openai/openai/v1/responses", "$openai/openai/v1/responses"),
            Addressing(
                "azure_ai/DeepSeek-V3",
                "$foundry/models/chat/completions?api-version=2024-05-01-preview",
                environment = mapOf("AZURE_AI_API_BASE" to foundry, "AZURE_AI_API_KEY" to "k"),
            ),
            Addressing(
                "azure_ai/DeepSeek-V3",
                "$foundry/models/chat/completions?api-version=2024-05-01-preview",
                "$foundry/models/chat/completions?api-version=2024-05-01-preview",
            ),
            Addressing(
                "azure_ai/mistral",
                "https://m.eastus.models.ai.azure.com/chat/completions",
                environment = mapOf("AZURE_AI_API_BASE" to "https://m.eastus.models.ai.azure.com", "AZURE_AI_API_KEY" to "k"),
                header = "Authorization: Bearer k",
            ),
            Addressing("openai/gpt-4o", "$openai/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", openai),
            Addressing("openai/gpt-4o", "$openai/openai/v1/chat/completions", "$openai/openai/v1"),
            Addressing("openai/responses/gpt-5", "$openai/openai/v1/responses", openai),
            Addressing(
                "openai/gpt-4o",
                "$openai/openai/v1/chat/completions",
                environment = mapOf("OPENAI_BASE_URL" to "$openai/openai/v1/", "OPENAI_API_KEY" to "k"),
            ),
            Addressing(
                "gpt-4o",
                "$openai/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
                environment = mapOf("OPENAI_API_BASE" to openai, "OPENAI_API_KEY" to "other", "AZURE_API_KEY" to "k"),
            ),
        ) { case ->
            val target = target(case.model, case.baseUrl, case.environment)
            val request = Protocols.named(target.protocol).encode(ChatRequest.build(target.id) { user("hi") }, target, mutableListOf())
            request.url shouldBe case.url
            request.headers.map { "${it.first}: ${it.second}" }.single { it.endsWith("k") } shouldBe case.header
        }
    }

    test("a version before max_completion_tokens is sent max_tokens") {
        fun field(version: String) = target("azure/gpt-4o", null, resource + ("AZURE_API_VERSION" to version)).provider.quirks.maxTokensField
        field("2024-02-01") shouldBe "max_tokens"
        field("2024-10-21") shouldBe "max_completion_tokens"
    }

    test("without a resource the error names the variables") {
        val error = shouldThrow<LlmException.Configuration> { target("azure/gpt-4o", null, emptyMap()) }
        error.message shouldContain "AZURE_RESOURCE_NAME"
        error.message shouldContain "AZURE_API_BASE"
    }

    test("without a key the error names its variable; an Entra token replaces the key") {
        shouldThrow<LlmException.Configuration> { target("azure/gpt-4o", null, resource - "AZURE_API_KEY") }.message shouldContain "AZURE_API_KEY"
        target("azure/gpt-4o", null, resource - "AZURE_API_KEY" + ("AZURE_AD_TOKEN" to "t")).key shouldBe null
    }

    test("OpenAI's key is not used for a resource that is set in code") {
        val error = shouldThrow<LlmException.Configuration> { target("openai/gpt-4o", "https://res.openai.azure.com", mapOf("OPENAI_API_KEY" to "k")) }
        error.message shouldContain "AZURE_API_KEY"
    }

    test("settings of a provider count for its other wire, after settings for that wire") {
        val settings = mapOf(
            "openai" to ProviderSettings(ApiKey.of("k"), "https://gateway.example/v1"),
            "azure/responses" to ProviderSettings(baseUrl = "https://mine.openai.azure.com"),
            "azure" to ProviderSettings(ApiKey.of("k"), "https://other.openai.azure.com"),
        )
        val resolver = TargetResolver(ProviderRegistry.packed, { null }, settings)
        resolver.resolve(ModelId.parse("openai/responses/gpt-5")).baseUrl shouldBe "https://gateway.example/v1"
        val azure = resolver.resolve(ModelId.parse("azure/responses/gpt-5"))
        azure.baseUrl shouldBe "https://mine.openai.azure.com/openai/v1"
        azure.key!!.reveal() shouldBe "k"
    }

    test("another parameter in a base URL is refused; outside of Azure the version is refused, too") {
        for ((model, url) in listOf("azure/m" to "https://res.openai.azure.com?code=secret", "groq/m" to "https://api.groq.com/openai/v1?api-version=1")) {
            val error = shouldThrow<LlmException.Configuration> { target(model, url, resource + ("GROQ_API_KEY" to "k")) }
            error.message shouldContain "query"
            error.message shouldNotContain "secret"
        }
    }

    test("headers with variables are sent if the variables are set") {
        val environment = mapOf("OPENAI_API_KEY" to "k", "OPENAI_ORGANIZATION" to "org-1")
        val target = TargetResolver(
            ProviderRegistry.packed,
            environment::get,
            emptyMap(),
        ).resolve(ModelId("openai", "gpt-4o"), ProviderSettings(apiKey = ApiKey.of("k")))
        target.provider.quirks.extraHeaders shouldBe mapOf("OpenAI-Organization" to "org-1")
    }
})
